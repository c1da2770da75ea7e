"""Whatever is killed and wherever, and however often a replay is asked for, a letter is applied
once or stays.
"""

from collections import defaultdict
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.agents.replaying import ask, letters
from tests.agents.test_engine_histories import cut_append, flush_all
from tests.agents.world import World, aggregator

UNITS = {"field": "units", "operation": "sum"}
COUNT = {"field": "*", "operation": "count"}
BYTES = {"field": "bytes", "operation": "sum"}
TIMEOUT = {"by": "timeout", "timeout": {"duration": {"hours": 1}}}
STRICT = aggregator(aggregate=[UNITS, BYTES])
MENDED = aggregator(aggregate=[UNITS])
BY_PRODUCT = aggregator(group={"fields": ["account", "product"]}, aggregate=[UNITS])
AT_THREE = aggregator(
    aggregate=[UNITS, COUNT],
    flush={**TIMEOUT, "conditions": {"field": "count", "op": ">=", "value": 3}},
)
BY_ITSELF = aggregator(
    aggregate=[UNITS], flush={"by": "timeout", "timeout": {"timestamp_field": "until"}}
)
DOCUMENTS = [STRICT, MENDED, BY_PRODUCT, AT_THREE, BY_ITSELF]
KEYED = aggregator("keyed", keyed_by=["account"], aggregate=[UNITS, BYTES])
KEYED_MENDED = {**KEYED, "aggregate": [UNITS]}

records = st.lists(
    st.fixed_dictionaries(
        {
            "account": st.sampled_from(["a", "b", "c", None]),
            "product": st.sampled_from(["x", "y"]),
            "bytes": st.sampled_from([1, 2, "many"]),
        }
    ),
    min_size=1,
    max_size=6,
)
step = st.one_of(
    st.tuples(st.just("produce"), st.integers(0, 1), records),
    st.tuples(st.just("work"), st.integers(1, 5), st.booleans(), st.integers(0, 5)),
    st.tuples(st.just("replay"), st.integers(0, 3), st.integers(0, 7)),
    st.tuples(st.just("replay"), st.integers(0, 3), st.integers(0, 7)),
    st.tuples(st.just("advance"), st.integers(1, 5_000_000)),
    st.tuples(st.just("tick")),
    st.tuples(st.just("settle")),
    st.tuples(st.just("kill at"), st.integers(1, 12)),
    st.tuples(
        st.just("cut append"),
        st.integers(0, 3),
        st.sampled_from(["changelog", "aggregates", "in"]),
    ),
    st.tuples(st.just("lose disk"), st.integers(0, 1)),
    st.tuples(st.just("document"), st.integers(0, len(DOCUMENTS) - 1)),
    st.tuples(st.just("keyed"), st.booleans()),
)


Produced = dict[tuple[int, int], dict[str, Any]]


def play(world: World, history: list[Any]) -> Produced:
    """Lives through the history; returns the records that were produced by their position."""
    produced: Produced = {}
    for event in history:
        happen(world, event, produced)
    world.log.survives = lambda _topic, n: n
    world.settle()
    return produced


def happen(world: World, event: Any, produced: Produced) -> None:
    """Lives through one event; adds the records that are produced."""
    match event:
        case ("produce", partition, found):
            for record in found:
                at = partition, len(world.log.rows.get(("usage", partition), []))
                units = 1 << (len(produced) % 60)  # which records a sum is made of is told by it
                produced[at] = {**record, "units": units}
                key = record["account"] or ""
                world.run(world.produce("usage", partition, [produced[at]], key=key))
        case ("work", batch, commit, only):
            world.run(world.work(batch, commit, None if only == 5 else only))
        case ("replay", command, which):
            # whoever asks may see a letter as it was long ago, one that was replayed, too
            found = [told.letter for told in letters(world).values()]
            wanted = [one for i, one in enumerate(found) if (i + which) % 3]
            world.run(ask(world, wanted, f"command-{command}"))
        case ("advance", by):
            world.clock.advance(by)
        case ("tick",):
            world.run(world.tick())
        case ("settle",):
            world.settle()
        case ("kill at", n):
            world.kill_at = world.passed + n
        case ("cut append", left, where):
            cut_append(world, left, where)
        case ("lose disk", number):
            world.disks.pop(number, None)
        case ("document", i):
            world.run(world.apply(DOCUMENTS[i]))
        case ("keyed", mended):
            world.run(world.apply(KEYED_MENDED if mended else KEYED))


def check(world: World, produced: Produced, name: str) -> None:
    """Each record was applied once, or there is a letter of it that was not replayed."""
    told = {
        (each.letter.partition, each.letter.offset): each
        for each in letters(world).values()
        if each.letter.aggregator == name
    }
    wanted: dict[Any, int] = defaultdict(int)
    applied = 0
    for at, record in produced.items():
        if at not in told or told[at].replayed:
            wanted[record["account"]] += record["units"]
            applied += 1
    found: dict[Any, int] = defaultdict(int)
    contents: dict[str, Any] = {}
    for record in world.outputs():
        if record["aggregator"] != name:
            continue
        if record["id"] in contents:
            assert contents[record["id"]] == record
            continue
        contents[record["id"]] = record
        found[record["group"]["account"]] += record["values"]["sum_units"]
        sources = record["explain"]["sources"]
        assert sum(source["count"] for source in sources) == record["meta"]["count"]
        for source in sources:
            assert 0 <= source["partition"] < world.partitions
            assert source["first"] <= source["last"]
    assert dict(found) == dict(wanted)
    totals = world.totals().get(name)
    counts = totals["count"] if totals is not None else defaultdict(int)
    assert totals is None or totals["balanced"]
    # what was refused by a session is in the shards' totals, what by the routing is not
    by_session = sum(1 for each in told.values() if each.first_reason == "no_timeout")
    replayed = sum(1 for each in told.values() if each.replayed)
    assert counts["open"] == 0
    assert counts["flushed"] == applied
    assert counts["rejected"] == by_session - replayed
    assert counts["in"] == len(produced) - (len(told) - by_session)


@pytest.fixture(autouse=True)
def _small_commits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two flushes of a key are too much for one commit, three letters for another."""
    monkeypatch.setattr("domain.aggregation.fold.OUTPUT_LIMIT_BYTES", 700)
    monkeypatch.setattr("agents.replays.MESSAGES", 3)


@pytest.mark.parametrize("lost", [False, True], ids=["disk kept", "disk lost"])
@pytest.mark.parametrize("nth", range(1, 20))
def test_kill_at_any_step_of_a_replay_loses_and_repeats_nothing(nth: int, lost: bool) -> None:
    world = World()
    world.run(world.apply(STRICT, KEYED))
    produced = play(
        world, [("produce", 0, [{"account": "a", "product": "x", "bytes": b} for b in
                                (1, "many", "many", 2)])],
    )  # fmt: skip
    world.run(world.apply(AT_THREE, KEYED_MENDED))
    world.run(ask(world, [told.letter for told in letters(world).values()], "one"))
    world.kill_at = world.passed + nth
    for _ in range(3):
        world.run(world.work(2, commit=True))
        if lost and world.engine is None:
            world.disks.clear()
    world.settle()
    assert all(told.replayed for told in letters(world).values())
    flush_all(world)
    check(world, produced, "acc")
    check(world, produced, "keyed")


@settings(max_examples=600, deadline=None, suppress_health_check=list(HealthCheck))
@given(history=st.lists(step, max_size=30))
def test_any_history_applies_a_letter_once_or_keeps_it(history: list[Any]) -> None:
    world = World()
    world.run(world.apply(STRICT, KEYED))
    produced = play(world, history)
    flush_all(world)
    check(world, produced, "acc")
    check(world, produced, "keyed")
