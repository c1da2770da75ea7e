"""Shards grow while records come: no session is split, lost or counted twice."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.agents.test_engine_histories import (
    KEYED,
    ROUTED,
    check,
    flush_all,
    happen,
    step,
)
from tests.agents.world import World, aggregator

KEYS = [f"k{i}" for i in range(8)]


def grown(world: World, shards: int = 5) -> None:
    world.run(world.grow(shards, "usage"))
    world.settle()


def test_sessions_move_and_go_on() -> None:
    world = World()
    world.run(world.apply(ROUTED, KEYED))
    produced = [{"account": key, "product": "x", "bytes": 1} for key in KEYS]
    world.run(world.produce("usage", 0, produced))
    world.settle()
    grown(world)
    more = [{"account": key, "product": "x", "bytes": 2} for key in KEYS]
    world.run(world.produce("usage", 4, more))
    world.settle()
    flush_all(world)
    check(world, produced + more, "acc")
    check(world, produced + more, "keyed")
    assert {r["values"]["sum_bytes"] for r in world.outputs()} == {3}


@pytest.fixture(autouse=True)
def _small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three rows, one event id or two flushes of a key are too much for one go."""
    monkeypatch.setattr("domain.aggregation.fold.OUTPUT_LIMIT_BYTES", 700)
    monkeypatch.setattr("agents.growing.PIECE_ROWS", 2)
    monkeypatch.setattr("agents.growing.SIGHTS", 1)


@pytest.mark.parametrize("lost", [False, True], ids=["disk kept", "disk lost"])
@pytest.mark.parametrize("step", range(1, 40, 3))
def test_kill_at_each_step_of_a_growth_loses_and_repeats_nothing(step: int, lost: bool) -> None:
    world = World()
    world.run(world.apply(ROUTED, KEYED))
    produced = [{"account": key, "product": "x", "bytes": i} for i, key in enumerate(KEYS)]
    world.run(world.produce("usage", 0, produced))
    world.settle()
    world.run(world.grow(5, "usage"))
    world.kill_at = world.passed + step
    world.run(world.work(10, commit=True))
    if lost:
        world.disks.clear()
    world.run(world.produce("usage", 0, produced))
    world.run(world.tick())
    world.settle()
    flush_all(world)
    check(world, produced * 2, "acc")
    check(world, produced * 2, "keyed")
    assert len(world.outputs()) == 2 * len(KEYS)


BY_ID = aggregator("ids", event_id="id", keyed_by=["account"])
grow_step = st.one_of(
    step,
    st.tuples(st.just("grow"), st.integers(3, 5)),
    st.tuples(st.just("cross")),
    st.tuples(st.just("control")),
)


def live(world: World, history: list[Any]) -> list[dict[str, Any]]:
    """Lives through a history with growths in it; returns the records that were produced."""
    produced: list[dict[str, Any]] = []
    backups: dict[int, dict[bytes, bytes]] = {}
    for event in history:
        match event:
            case ("grow", shards):
                world.run(world.grow(shards, "usage"))
            case ("cross",):
                world.run(world.cross())
            case ("control",):
                world.run(world.control())
            case _:
                produced += happen(world, event, backups)
    world.log.survives = lambda _topic, n: n
    world.settle()
    return produced


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    before=st.lists(step, max_size=8),
    shards=st.integers(3, 5),
    after=st.lists(grow_step, max_size=14),
)
def test_any_history_with_a_growth_counts_every_record_once(
    before: list[Any], shards: int, after: list[Any]
) -> None:
    world = World()
    world.run(world.apply(ROUTED, KEYED))
    produced = live(world, [*before, ("grow", shards), *after])
    flush_all(world)
    check(world, produced, "acc")
    check(world, produced, "keyed")
