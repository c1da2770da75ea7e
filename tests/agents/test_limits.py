"""A worker stops before it empties a topic into dead letters, and goes on exactly."""

from typing import Any

import pytest

from agents.limits import TooManyLetters
from domain.aggregation.limit import Limit
from tests.agents.replaying import letters, replay
from tests.agents.world import World, aggregator

GOOD = {"account": "a", "bytes": 1}
BAD = {"account": "a", "bytes": "many"}
MENDED = aggregator(aggregate=[{"field": "*", "operation": "count"}])


def world_of(*records: Any, limit: Limit, document: dict[str, Any] | None = None) -> World:
    world = World(limit=limit)
    world.run(world.apply(document or aggregator()))
    world.run(world.produce("usage", 1, records))
    return world


def stopped(world: World, batch: int = 100) -> TooManyLetters:
    with pytest.raises(TooManyLetters) as raised:
        while world.run(world.work(batch, commit=True)):
            pass
    return raised.value


def test_a_row_of_refusals_stops_the_worker_before_it_decides() -> None:
    world = world_of(GOOD, *[BAD] * 6, limit=Limit(streak=5))
    error = stopped(world)
    assert (error.topic, error.partition, error.decided) == ("usage", 1, 0)
    assert str(error).startswith(
        "usage partition 1: 6 records in a row were refused for acc, the last at offset 6 "
        "(not_a_number: "
    )
    assert "SLUICE_DEAD_LETTER_STREAK=0" in str(error)
    assert letters(world) == {}


@pytest.mark.parametrize("batch", [1, 2, 3])
def test_started_again_it_stops_again_and_loses_nothing(batch: int) -> None:
    world = world_of(*[BAD] * 20, limit=Limit(streak=5))
    assert stopped(world, batch).decided == (5 // batch) * batch
    before = len(letters(world))
    assert stopped(world, batch).decided == before <= 5
    assert len(letters(world)) == before
    assert world.log.positions["sluice", ("usage", 1)] == before


def test_a_mended_document_goes_on_where_it_stopped() -> None:
    world = world_of(*[BAD] * 20, limit=Limit(streak=5))
    stopped(world, 2)
    world.run(world.apply(MENDED))
    world.settle()
    assert len(letters(world)) == 4
    replay(world)
    assert world.totals()["acc"]["count"]["open"] == 20


def test_a_limit_that_is_off_lets_all_through() -> None:
    world = world_of(*[BAD] * 20, limit=Limit(streak=5))
    stopped(world)
    world.limit = Limit(0, 0)
    world.settle()
    assert len(letters(world)) == 20


def test_a_good_record_ends_the_row() -> None:
    world = world_of(*[*[BAD] * 5, GOOD] * 4, limit=Limit(streak=5, share=0))
    world.settle()
    assert len(letters(world)) == 20


def test_a_share_of_refusals_stops_it() -> None:
    world = world_of(*[BAD, BAD, GOOD] * 10, limit=Limit(streak=5, share=50, window=12))
    error = stopped(world, 3)
    assert "8 of the last 12 records were refused for acc" in str(error)
    assert error.decided == 9


def test_one_aggregator_that_refuses_all_is_enough() -> None:
    world = World(limit=Limit(streak=5))
    world.run(world.apply(aggregator(), {**MENDED, "name": "fine"}))
    world.run(world.produce("usage", 0, [BAD] * 6))
    assert "refused for acc" in str(stopped(world))


def test_what_nobody_can_read_counts_for_all() -> None:
    world = world_of(limit=Limit(streak=5))
    rows = [(None, b"no JSON", None, ())] * 6
    world.run(world.log.append("usage", 0, rows))
    assert "refused for all aggregators" in str(stopped(world))


def test_records_that_a_filter_passes_over_are_neither() -> None:
    document = aggregator(filter={"field": "account", "op": "==", "value": "a"})
    other = {"account": "b", "bytes": 1}
    world = world_of(*[BAD, other] * 6, limit=Limit(streak=5), document=document)
    assert "6 records in a row" in str(stopped(world))


def test_sessions_that_refuse_all_stop_it_too_and_again() -> None:
    document = aggregator(flush={"by": "timeout", "timeout": {"timestamp_field": "until"}})
    world = world_of(*[GOOD] * 20, limit=Limit(streak=5), document=document)
    assert "no_timeout" in str(stopped(world, 2))
    before = len(letters(world))
    assert before <= 6
    assert "no_timeout" in str(stopped(world, 2))
    assert len(letters(world)) == before
    default = {"timestamp_field": "until", "default_timeout": {"hours": 1}}
    world.run(world.apply({**document, "flush": {"by": "timeout", "timeout": default}}))
    world.settle()
    replay(world)
    assert world.totals()["acc"]["count"]["open"] == 20
