"""A replayed letter is applied once, to its aggregator, at its position and time."""

import json
from typing import Any

import pytest

from agents.letters import Letter
from tables.letters import KEPT_MS
from tests.agents.replaying import letters, replay
from tests.agents.test_engine_histories import flush_all, settled
from tests.agents.world import START_MS, World, aggregator

STRICT = aggregator(aggregate=[{"field": "bytes", "operation": "sum"},
                               {"field": "units", "operation": "sum"}])  # fmt: skip
MENDED = aggregator(aggregate=[{"field": "units", "operation": "sum"}])
BAD = {"account": "a", "bytes": "many", "units": 4}
GOOD = {"account": "a", "bytes": 1, "units": 2}


def world_of(*records: Any, document: dict[str, Any] = STRICT) -> World:
    """A world where these were produced and worked off."""
    world = World()
    world.run(world.apply(document))
    world.run(world.produce("usage", 1, records))
    world.settle()
    return world


def flushed(world: World) -> list[tuple[Any, ...]]:
    flush_all(world)
    return [(r["group"]["account"], r["values"]["sum_units"], r["meta"]["count"])
            for r in world.outputs()]  # fmt: skip


def counts(world: World, name: str = "acc") -> dict[str, int]:
    """Of the shards, which don't know what was refused on the way to them."""
    totals = world.totals()[name]
    assert totals["balanced"]
    return {place: number for place, number in totals["count"].items() if number}


def test_a_mended_document_takes_what_the_one_before_refused() -> None:
    world = world_of(GOOD, BAD, GOOD)
    world.run(world.apply(MENDED))
    replay(world)
    (told,) = letters(world).values()
    assert told.replayed
    assert counts(world) == {"in": 2, "open": 3, "rejected": -1}
    flush_all(world)
    (record,) = world.outputs()
    assert record["values"] == {"sum_units": 8}
    assert record["version"] == 2
    assert record["explain"]["sources"] == [
        {"topic": "usage", "partition": 1, "first": 0, "last": 2, "count": 2},
        {"topic": "usage", "partition": 1, "first": 1, "last": 1, "count": 1},
    ]


def test_the_record_counts_as_of_its_own_time() -> None:
    world = World()
    world.run(world.apply(STRICT))
    world.run(world.produce("usage", 1, [BAD]))
    world.settle()
    world.clock.advance(600_000)
    world.run(world.produce("usage", 1, [GOOD]))
    world.settle()
    world.run(world.apply(MENDED))
    world.clock.advance(600_000)
    replay(world)
    flush_all(world)
    (record,) = world.outputs()
    assert record["meta"]["firstEvent"] == "2023-11-14T22:13:20.000Z"
    assert record["meta"]["lastEvent"] == "2023-11-14T22:23:20.000Z"
    assert START_MS == 1_700_000_000_000


def test_asked_many_times_it_is_applied_once() -> None:
    world = world_of(BAD)
    world.run(world.apply(MENDED))
    (told,) = letters(world).values()
    replay(world, "one", [told.letter, told.letter])
    replay(world, "two", [told.letter])
    assert letters(world)[told.letter.id].times == 2
    assert flushed(world) == [("a", 4, 1)]


def test_refused_again_it_stays_one_letter_and_says_so() -> None:
    world = world_of(BAD)
    replay(world, "one")
    (told,) = letters(world).values()
    assert (told.replayed, told.tried, told.letter.reason) == (False, 1, "not_a_number")
    assert world.outputs("dead-letters")[-1]["command"] == "one"
    world.run(world.apply(MENDED))
    replay(world, "two")
    assert letters(world)[told.letter.id].replayed
    assert flushed(world) == [("a", 4, 1)]


def test_another_group_is_another_session_and_still_only_once() -> None:
    world = world_of(BAD, document=STRICT)
    (told,) = letters(world).values()
    world.run(world.apply(MENDED))
    replay(world, "one")
    world.run(world.apply({**MENDED, "group": {"fields": ["account", "product"]}}))
    replay(world, "two", [told.letter])
    assert flushed(world) == [("a", 4, 1)]


NO_DUE = aggregator(flush={"by": "timeout", "timeout": {"timestamp_field": "until"}})


def test_what_a_session_refused_is_taken_by_a_mended_document_or_stays() -> None:
    world = world_of({"account": "a", "bytes": 1}, document=NO_DUE)
    assert counts(world) == {"in": 1, "rejected": 1}
    replay(world, "one")
    (told,) = letters(world).values()
    assert (told.replayed, told.tried, told.letter.reason) == (False, 1, "no_timeout")
    assert counts(world) == {"in": 1, "rejected": 1}
    world.run(world.apply({**NO_DUE, "flush": {"by": "timeout", "timeout": {
        "timestamp_field": "until", "default_timeout": {"hours": 1}}}}))  # fmt: skip
    replay(world, "two")
    assert letters(world)[told.letter.id].replayed
    assert counts(world) == {"in": 1, "open": 1}


def test_a_duplicate_moves_from_rejected_to_duplicates() -> None:
    once = {**STRICT, "event_id": "id"}
    world = world_of({**BAD, "id": "x"}, {**GOOD, "id": "x"}, document=once)
    world.run(world.apply({**MENDED, "event_id": "id"}))
    replay(world)
    assert counts(world) == {"in": 1, "open": 1, "duplicates": 1, "rejected": -1}
    assert flushed(world) == [("a", 2, 1)]


def test_its_own_first_sight_makes_no_duplicate() -> None:
    once = {**NO_DUE, "event_id": "id"}
    world = world_of({"account": "a", "bytes": 1, "id": "x"}, document=once)
    world.run(
        world.apply({**once, "flush": {"by": "timeout", "timeout": {"duration": {"hours": 1}}}})
    )
    replay(world)
    assert counts(world) == {"in": 1, "open": 1}
    world.run(world.produce("usage", 0, [{"account": "a", "bytes": 1, "id": "x"}]))
    world.settle()
    assert counts(world) == {"in": 2, "open": 1, "duplicates": 1}


def test_a_letter_of_a_removed_aggregator_stays() -> None:
    world = world_of(BAD)
    world.run(world.remove("aggregator", "acc"))
    replay(world)
    (told,) = letters(world).values()
    assert not told.replayed
    assert "not in force" in world.outputs("dead-letters")[-1]["detail"]


def test_a_letter_that_the_filter_passes_over_stays() -> None:
    world = world_of(BAD)
    world.run(world.apply({**MENDED, "filter": {"field": "account", "op": "==", "value": "b"}}))
    replay(world)
    assert not next(iter(letters(world).values())).replayed
    assert "filter" in world.outputs("dead-letters")[-1]["detail"]


def test_a_letter_of_no_aggregator_goes_to_all_of_the_topic(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World()
    monkeypatch.setattr("tests.agents.world.LIMIT", 20)
    world.run(world.apply(MENDED, {**STRICT, "name": "strict"}))
    world.run(world.produce("usage", 0, [BAD]))
    world.settle()
    (told,) = letters(world).values()
    assert (told.letter.reason, told.letter.aggregator) == ("too_large", None)
    monkeypatch.setattr("tests.agents.world.LIMIT", 1000)
    replay(world, "one")
    replay(world, "two", [told.letter])
    found = letters(world)
    assert found.pop(told.letter.id).replayed
    (own,) = found.values()
    assert (own.letter.aggregator, own.letter.reason, own.replayed) == (
        "strict", "not_a_number", False
    )  # fmt: skip
    assert counts(world) == {"in": 1, "open": 1}
    assert counts(world, "strict") == {"in": 1, "rejected": 1}
    world.disks.clear()
    world.run(world.apply({**MENDED, "name": "strict"}))
    replay(world, "three", [own.letter])
    assert counts(world, "strict") == {"in": 1, "open": 1}
    assert counts(world) == {"in": 1, "open": 1}


def test_a_refused_document_is_put_on_config_again() -> None:
    world = world_of()
    letter = {"kind": "aggregator", "name": "late", "document": {**MENDED, "name": "late"}}
    value = json.dumps(letter).encode()
    good = Letter("config", 0, 7, None, "refused_document", "", value, None, START_MS)
    bad = Letter("config", 0, 8, None, "refused_document", "", b"no JSON", None, START_MS)
    rows = [(b"config", each.encode(), None, ()) for each in (good, bad)]
    world.run(world.log.append("dead-letters", 0, rows))
    before = len(world.log.rows["config", 0])
    replay(world, "one")
    replay(world, "two")
    (item,) = world.log.rows["config", 0][before:]
    assert item[2] == b"aggregator/late"
    assert json.loads(item[3] or b"")["letter"] == good.id
    found = letters(world)
    assert (found[good.id].replayed, found[bad.id].replayed) == (True, False)
    assert found[bad.id].tried == 2


def test_a_session_that_a_replay_opens_flushes_with_an_id_of_its_own() -> None:
    world = world_of(BAD, GOOD)
    settled(world)
    world.run(world.apply(MENDED))
    replay(world)
    replayed = flushed(world)
    assert replayed == [("a", 2, 1), ("a", 4, 1)]
    first, second = world.outputs()
    assert first["id"] != second["id"]
    assert (first["sequence"], second["sequence"]) == (1, 2)


@pytest.mark.parametrize("lost", [False, True])
def test_a_letter_is_forgotten_in_time_and_the_totals_stay(lost: bool) -> None:
    world = world_of(BAD, b"no JSON".decode(), document={**STRICT, "ttl_days": 1})
    world.run(world.apply({**MENDED, "ttl_days": 1}))
    replay(world)
    flush_all(world)
    assert sum(key[:1] == b"s" for disk in world.disks.values() for key in disk._rows) == 3
    before = counts(world)
    world.clock.advance(KEPT_MS + 86_400_000)
    world.run(world.tick())
    world.run(world.produce("usage", 0, [GOOD]))
    world.settle()
    if lost:
        world.disks.clear()
    world.run(world.tick())
    assert sum(key[:1] == b"s" for disk in world.disks.values() for key in disk._rows) == 1
    flush_all(world)
    assert counts(world) == {**before, "in": before.get("in", 0) + 1, "flushed": 2}


def refused(topic: str, event: Any, reason: str = "unknown_request") -> Letter:
    body = event if isinstance(event, bytes) else json.dumps(event).encode()
    return Letter(topic, 1, 7, None, reason, "not then", body, None, START_MS)


def with_campaigns(document: dict[str, Any] = STRICT) -> World:
    world = World()
    world.log.counts |= dict.fromkeys(("campaign-events", "execution-results"), world.partitions)
    world.run(world.apply(document))
    world.settle()
    return world


PAUSE = {"kind": "command", "id": "p", "command": "pause", "request_id": "f-0011223344556677"}
DONE = {"event": "started", "execution_id": "f-00.20251103.-.1.2.1", "number": "+1"}


@pytest.mark.parametrize(
    ("topic", "event"), [("campaign-events", PAUSE), ("execution-results", DONE)]
)
def test_a_record_about_campaigns_is_put_on_its_topic_once_again(topic: str, event: Any) -> None:
    world = with_campaigns()
    letter = refused(topic, event)
    replay(world, "c1", [letter])
    replay(world, "c2", [letter])
    assert world.outputs(topic) == [event]
    (told,) = letters(world).values()
    assert told.replayed


def test_a_record_about_campaigns_that_goes_nowhere_stays() -> None:
    world = with_campaigns()
    letter = refused("campaign-events", b"{", "undecodable")
    replay(world, "c1", [letter])
    (told,) = letters(world).values()
    assert (told.replayed, told.tried) == (False, 1)
    assert world.outputs("campaign-events") == []


def test_a_record_that_an_aggregator_reads_too_is_not_put_there_again() -> None:
    world = with_campaigns(aggregator(input="campaign-events"))
    replay(world, "c1", [refused("campaign-events", PAUSE)])
    (told,) = letters(world).values()
    assert not told.replayed
    assert "acc reads campaign-events too" in told.letter.detail
