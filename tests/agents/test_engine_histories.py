"""Whatever is killed and wherever, every record is counted once, and an id has one content."""

import json
from collections import defaultdict
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.agents.world import World, aggregator

ROUTED = aggregator()
BY_CONDITION = aggregator(
    flush={
        "by": "timeout",
        "timeout": {"duration": {"hours": 1}},
        "conditions": {"field": "count", "op": ">=", "value": 3},
    }
)
MORE = aggregator(
    aggregate=[
        {"field": "bytes", "operation": "sum"},
        {"field": "bytes", "operation": "max"},
        {"field": "bytes", "operation": "stddev"},
        {"field": "product", "operation": "unique_count"},
        {"field": "product", "operation": "last"},
        {"field": "*", "operation": "count"},
    ]
)
OTHER_GROUP = aggregator(group={"fields": ["account", "product"]})
KEYED = aggregator("keyed", keyed_by=["account"])
DOCUMENTS = [ROUTED, BY_CONDITION, MORE, OTHER_GROUP]

records = st.lists(
    st.fixed_dictionaries(
        {
            "account": st.sampled_from(["a", "b", "c"]),
            "product": st.sampled_from(["x", "y"]),
            "bytes": st.integers(0, 9),
        }
    ),
    min_size=1,
    max_size=6,
)
step = st.one_of(
    st.tuples(st.just("produce"), st.integers(0, 1), records),
    st.tuples(st.just("work"), st.integers(1, 5), st.booleans(), st.integers(0, 5)),
    st.tuples(st.just("advance"), st.integers(1, 5_000_000)),
    st.tuples(st.just("tick")),
    st.tuples(st.just("kill at"), st.integers(1, 12)),
    st.tuples(
        st.just("cut append"), st.integers(0, 3), st.sampled_from(["changelog", "aggregates", "in"])
    ),
    st.tuples(st.just("lose disk"), st.integers(0, 1)),
    st.tuples(st.just("old disk"), st.integers(0, 1)),
    st.tuples(st.just("document"), st.integers(0, len(DOCUMENTS) - 1)),
)


Backups = dict[int, dict[bytes, bytes]]


def play(world: World, history: list[Any]) -> list[dict[str, Any]]:
    """Lives through the history; returns the records that were produced."""
    produced: list[dict[str, Any]] = []
    backups: Backups = {}
    for event in history:
        produced += happen(world, event, backups)
    world.log.survives = lambda _topic, n: n
    world.settle()
    return produced


def happen(world: World, event: Any, backups: Backups) -> list[dict[str, Any]]:
    """Lives through one event; returns the records that were produced."""
    match event:
        case ("produce", partition, found):
            # keyed as a producer would, by account, to the partition at hand: often a wrong one
            for record in found:
                world.run(world.produce("usage", partition, [record], key=record["account"]))
            return list(found)
        case ("work", batch, commit, only):
            world.run(world.work(batch, commit, None if only == 5 else only))
        case ("advance", by):
            world.clock.advance(by)
        case ("tick",):
            world.run(world.tick())
        case ("kill at", n):
            world.kill_at = world.passed + n
        case ("cut append", left, where):
            cut_append(world, left, where)
        case ("lose disk", number):
            world.disks.pop(number, None)
        case ("old disk", number):
            if number in backups and number in world.disks:
                world.disks[number]._rows = dict(backups[number])
            backups.update({n: dict(disk._rows) for n, disk in world.disks.items()})
        case ("document", i):
            world.run(world.apply(DOCUMENTS[i]))
    return []


def cut_append(world: World, left: int, where: str) -> None:
    """The next append of more than `left` rows to such a topic is cut there: the worker dies."""

    def survives(topic: str, n: int) -> int:
        if (
            topic.endswith(where)
            and topic.startswith(("sluice-sessions", "aggregates"))
            and n > left
        ):
            world.log.survives = lambda _topic, n: n
            return left
        return n

    world.log.survives = survives


def check(world: World, produced: list[dict[str, Any]], name: str) -> None:
    contents: dict[str, str] = {}
    sums: dict[str, int] = defaultdict(int)
    counts: dict[str, int] = defaultdict(int)
    for record in world.outputs():
        if record["aggregator"] != name:
            continue
        text = json.dumps(record, sort_keys=True)
        if record["id"] in contents:
            assert contents[record["id"]] == text
            continue
        contents[record["id"]] = text
        sums[record["group"]["account"]] += record["values"]["sum_bytes"] or 0
        counts[record["group"]["account"]] += record["meta"]["count"]
    wanted_sums: dict[str, int] = defaultdict(int)
    wanted_counts: dict[str, int] = defaultdict(int)
    for record in produced:
        wanted_sums[record["account"]] += record["bytes"]
        wanted_counts[record["account"]] += 1
    sequences: dict[str, list[int]] = defaultdict(list)
    for text in contents.values():
        record = json.loads(text)
        sequences[json.dumps(record["group"])].append(record["sequence"])
    for group, found in sequences.items():
        assert sorted(found) == list(range(1, len(found) + 1)), group
    totals = world.totals().get(name)
    if totals is not None:
        assert totals["balanced"]
        assert totals["count"]["open"] == 0
        assert totals["count"]["in"] == len(produced)
    assert dict(counts) == dict(wanted_counts)
    assert dict(sums) == dict(wanted_sums)


def flush_all(world: World) -> None:
    """Two hours on, everything has flushed."""
    world.clock.advance(7_200_000)
    world.run(world.tick())


@pytest.fixture(autouse=True)
def _small_commits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two flushes of a key are too much for one commit, two keys for one piece of it."""
    monkeypatch.setattr("domain.aggregation.fold.OUTPUT_LIMIT_BYTES", 700)
    monkeypatch.setattr("agents.aggregate.PIECE_KEYS", 1)


@pytest.mark.parametrize("lost", [False, True], ids=["disk kept", "disk lost"])
@pytest.mark.parametrize("step", range(5))
@pytest.mark.parametrize("during", ["work", "tick"])
def test_kill_at_each_step_of_a_commit_loses_and_repeats_nothing(
    step: int, during: str, lost: bool
) -> None:
    world = World()
    world.run(world.apply(BY_CONDITION if during == "work" else ROUTED, KEYED))
    produced = [{"account": "a", "product": "x", "bytes": i} for i in range(5)]
    world.run(world.produce("usage", 0, produced[:2], key="a"))
    world.settle()
    world.run(world.produce("usage", 0, produced[2:], key="a"))
    if during == "tick":
        world.settle()
        world.clock.advance(7_200_000)
    world.arm(step)
    for _ in range(4):
        world.run(world.tick() if during == "tick" else world.work(10, commit=True))
    assert not world.armed
    if lost:
        world.disks.clear()
    world.settle()
    flush_all(world)
    check(world, produced, "acc")
    check(world, produced, "keyed")


@pytest.mark.parametrize("big", [2**63, -(2**63) - 1, 12345678901234567890123, "9" * 1_000])
def test_numbers_beyond_64_bits_are_routed_and_summed(big: Any) -> None:
    world = World()
    world.run(world.apply(ROUTED, KEYED))
    for partition in (0, 1):
        world.run(world.produce("usage", partition, [{"account": "a", "bytes": big}], key="a"))
    sums = {r["aggregator"]: r["values"]["sum_bytes"] for r in settled(world).outputs()}
    assert sums == {"acc": 2 * int(big), "keyed": 2 * int(big)}


def settled(world: World) -> World:
    """The world when everything was worked off and has flushed."""
    world.settle()
    flush_all(world)
    return world


def test_sessions_of_a_removed_document_run_out_under_its_last_version() -> None:
    world = World()
    world.run(world.apply(ROUTED))
    produced = [{"account": "a", "product": "x", "bytes": 1}]
    world.run(world.produce("usage", 0, produced))
    world.settle()
    world.run(world.remove("aggregator", "acc"))
    flush_all(world)
    check(world, produced, "acc")


def test_a_key_that_comes_back_when_it_was_just_forgotten_is_kept() -> None:
    world = World()
    world.run(world.apply(aggregator(ttl_days=1)))
    produced = [{"account": "a", "product": "x", "bytes": i} for i in (1, 2)]
    world.run(world.produce("usage", 0, produced[:1]))
    settled(world)
    world.clock.advance(3 * 86_400_000)
    world.run(world.tick())
    world.run(world.produce("usage", 0, produced[1:]))
    world.settle()
    world.disks.clear()
    flush_all(world)
    assert [record["values"]["sum_bytes"] for record in world.outputs()] == [1, 2]


def test_a_kill_while_it_recovers_counts_nothing_twice() -> None:
    world = World()
    world.run(world.apply(KEYED))
    produced = [{"account": "a", "product": "x", "bytes": 1}] * 6
    world.run(world.produce("usage", 0, produced, key="a"))
    world.arm(1)  # in the changelog, not on the disk
    world.run(world.work(4, commit=False))
    cut_append(world, 0, "changelog")
    world.run(world.tick())  # reads it, and is killed when it claims
    world.log.survives = lambda _topic, n: n
    world.settle()
    flush_all(world)
    check(world, produced, "keyed")


@pytest.mark.timeout(900)  # 70 s where nothing else runs
@settings(max_examples=1_000, deadline=None, suppress_health_check=list(HealthCheck))
@given(history=st.lists(step, max_size=25))
def test_any_history_counts_every_record_once(history: list[Any]) -> None:
    world = World()
    world.run(world.apply(ROUTED, KEYED))
    produced = play(world, history)
    flush_all(world)
    check(world, produced, "acc")
    check(world, produced, "keyed")
