"""An event is taken back once, whatever is killed and however often it is asked for."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agents.retractions import KEY, Retraction, encode
from connectors.formats.json import JsonDecoder
from connectors.streams.murmur2 import partition_for
from domain.aggregation.retract import event_key, negative_of
from tests.agents.replaying import replay
from tests.agents.world import NAMES, World, aggregator

BY_ID = aggregator(
    event_id="id",
    aggregate=[
        {"field": "bytes", "operation": "sum"},
        {"field": "bytes", "operation": "average"},
        {"field": "bytes", "operation": "stddev"},
        {"field": "bytes", "operation": "count"},
        {"field": "*", "operation": "count"},
    ],
)
HOURS_MS = 7_200_000


def usage(account: str, event: int, number: Any) -> dict[str, Any]:
    return {"account": account, "id": event, "bytes": number}


async def ask(
    world: World, record: dict[str, Any], offset: int, partition: int = 0, version: int = 1
) -> None:
    """Asks for the event of `record`, at that position of the input, to be taken back."""
    engine = await world._alive()
    rule = engine.documents.rule("acc", version)

    def view_of(paths: Any) -> Any:
        decoder = JsonDecoder(paths)
        return decoder.attributes, decoder.decode(json.dumps(record).encode())

    key, accumulators = negative_of(rule, view_of)
    asked = Retraction(
        "r1", "acc", version, engine.documents.revision, key, event_key(record["id"]),
        str(record["id"]),
        ["usage", partition, offset], accumulators, "ada", "charged twice", world.clock.now_ms(),
    )  # fmt: skip
    shard = partition_for(key, world.partitions)
    await world.log.append(NAMES.sessions_in, shard, [(KEY, encode(asked), None, ())])


def flushes(world: World) -> list[dict[str, Any]]:
    """Each flush once; a copy has to be the same."""
    found: dict[str, dict[str, Any]] = {}
    for record in world.outputs():
        assert found.setdefault(record["id"], record) == record
    return sorted(found.values(), key=lambda record: (str(record["group"]), record["sequence"]))


def lived(first: list[dict[str, Any]], *, flushed: bool) -> World:
    world = World()
    world.run(world.apply(BY_ID))
    world.run(world.produce("usage", 0, first))
    world.settle()
    if flushed:
        flush_all(world)
    return world


def flush_all(world: World) -> None:
    world.clock.advance(HOURS_MS)
    world.run(world.tick())


@pytest.mark.parametrize("lost", [False, True], ids=["disk kept", "disk lost"])
@pytest.mark.parametrize("flushed", [False, True], ids=["open", "flushed"])
@pytest.mark.parametrize("step", [None, *range(5)])
def test_it_is_done_once_through_a_kill_at_each_step(
    step: int | None, flushed: bool, lost: bool
) -> None:
    records = [usage("a", 1, 2), usage("a", 2, 8), usage("b", 3, 1)]
    world = lived(records, flushed=flushed)
    for _ in range(2):  # it is asked for twice
        world.run(ask(world, records[1], 1))
    if step is not None:
        world.arm(step)
    world.run(world.work(10, commit=True))
    assert not world.armed
    if lost:
        world.disks.clear()
    world.settle()
    flush_all(world)
    world.run(world.produce("usage", 0, [records[1]]))  # known all the same
    world.settle()

    mine = [record for record in flushes(world) if record["group"] == {"account": "a"}]
    (taken,) = [record for record in mine if "retracts" in record]
    assert taken["meta"]["flushType"] == "COMMAND"
    assert taken["meta"]["count"] == -1
    assert taken["values"] == {
        "sum_bytes": -8, "average_bytes": None, "stddev_bytes": None, "count_bytes": -1,
        "count": -1,
    }  # fmt: skip
    assert taken["parts"]["stddev_bytes"] == {"n": -1, "sum": -8, "squares": -64}
    assert taken["retracts"] == {"event_id": "2", "topic": "usage", "partition": 0, "offset": 1}
    assert [record["sequence"] for record in mine] == [1, 2]
    assert sum(record["values"]["sum_bytes"] for record in mine) == 2
    assert sum(record["meta"]["count"] for record in mine) == 1
    (told,) = {json.dumps(event) for event in world.outputs("aggregates.audit")}
    assert json.loads(told)["reason"] == "charged twice"
    totals = world.totals()["acc"]
    assert totals["balanced"]
    assert totals["count"] == {
        "in": 3, "open": 0, "flushed": 2, "duplicates": 1, "rejected": 0, "expired": 0,
        "deleted": 0,
    }  # fmt: skip
    assert totals["sums"]["sum_bytes"]["flushed"] == 3


@pytest.mark.parametrize("big", [2**63, -(2**63) - 1, "9" * 900, "0.1", "-2.5e-30"])
def test_numbers_of_any_size_come_back_exactly(big: Any) -> None:
    record = usage("a", 1, big)
    world = lived([record, usage("a", 2, 1)], flushed=True)
    world.run(ask(world, record, 0))
    world.settle()
    exact = [
        json.loads(item[3] or b"", parse_float=Decimal)
        for partition in range(2)
        for item in world.log.rows.get(("aggregates", partition), [])
    ]
    assert sum(Decimal(r["parts"]["stddev_bytes"]["sum"]) for r in exact) == 1
    assert sum(Decimal(r["parts"]["stddev_bytes"]["n"]) for r in exact) == 1


def test_an_event_that_is_not_the_one_meant_is_left_alone() -> None:
    record = usage("a", 1, 2)
    world = lived([record], flushed=True)
    world.run(ask(world, record, 7))  # another position than that of its first sight
    world.run(ask(world, usage("c", 9, 2), 0))  # never seen
    world.settle()
    assert len(flushes(world)) == 1
    assert world.totals()["acc"]["count"]["in"] == 1


@pytest.mark.parametrize("lost", [False, True], ids=["disk kept", "disk lost"])
def test_what_billing_never_received_is_not_taken_back(lost: bool) -> None:
    first, second = usage("a", 1, 2), usage("a", 2, 5)
    world = lived([first], flushed=False)
    world.run(world.command("delete", "acc", group={"account": "a"}))
    world.settle()
    world.run(world.produce("usage", 0, [second]))
    world.settle()
    if lost:
        world.disks.clear()
        world.engine = None
    for record, offset in ((first, 0), (second, 1)):
        world.run(ask(world, record, offset))
        world.settle()
    flush_all(world)
    assert [record["values"]["sum_bytes"] for record in flushes(world)] == [5, -5]
    totals = world.totals()["acc"]
    assert totals["balanced"]
    assert (totals["count"]["in"], totals["count"]["deleted"]) == (1, 1)


step = st.one_of(
    st.tuples(st.just("produce"), st.integers(0, 1), st.integers(0, 9)),
    st.tuples(st.just("retract"), st.integers(0, 30)),
    st.tuples(st.just("work"), st.integers(1, 3), st.booleans()),
    st.tuples(st.just("flush")),
    st.tuples(st.just("kill at"), st.integers(1, 9)),
    st.tuples(st.just("lose disk"), st.integers(0, 1)),
)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(history=st.lists(step, max_size=20))
def test_any_history_adds_up_to_the_events_that_were_not_taken_back(history: list[Any]) -> None:
    world = World()
    world.run(world.apply(BY_ID))
    produced: list[tuple[int, dict[str, Any]]] = []
    taken: set[int] = set()
    for event in history:
        match event:
            case ("produce", partition, number):
                record = usage("ab"[number % 2], len(produced), number)
                world.run(world.produce("usage", partition, [record]))
                produced.append((partition, record))
            case ("retract", at) if produced:
                at %= len(produced)
                partition, record = produced[at]
                offset = sum(p == partition for p, _ in produced[:at])
                world.settle()  # it has been counted
                world.run(ask(world, record, offset, partition))
                taken.add(at)
            case ("work", batch, commit):
                world.run(world.work(batch, commit))
            case ("flush",):
                flush_all(world)
            case ("kill at", n):
                world.kill_at = world.passed + n
            case ("lose disk", number):
                world.disks.pop(number, None)
    world.settle()
    flush_all(world)
    kept = [record for at, (_, record) in enumerate(produced) if at not in taken]
    found = flushes(world)
    assert sum(record["meta"]["count"] for record in found) == len(kept)
    assert sum(record["values"]["sum_bytes"] for record in found) == sum(r["bytes"] for r in kept)
    assert sum("retracts" in record for record in found) == len(taken)
    if produced:
        totals = world.totals()["acc"]
        assert totals["balanced"]
        assert totals["count"]["in"] == totals["count"]["flushed"] == len(kept)


@pytest.mark.parametrize("lost", [False, True], ids=["disk kept", "disk lost"])
@pytest.mark.parametrize("step", [None, *range(5)])
def test_a_session_of_an_event_taken_back_is_flushed_and_can_not_be_deleted_any_more(
    step: int | None, lost: bool
) -> None:
    records = [usage("a", 1, 2), usage("a", 2, 8)]
    world = lived(records, flushed=False)
    world.run(ask(world, records[1], 1))
    if step is not None:
        world.arm(step)
    world.run(world.work(10, commit=True))
    if lost:
        world.disks.clear()
    world.settle()
    world.run(world.command("delete", "acc", group={"account": "a"}))
    world.settle()
    world.run(world.produce("usage", 0, [usage("a", 3, 5)]))
    world.settle()
    flush_all(world)

    whole, taken, later = flushes(world)
    assert [r["values"]["sum_bytes"] for r in (whole, taken, later)] == [10, -8, 5]
    assert whole["meta"]["flushType"] == "COMMAND"
    assert whole["explain"]["rule"] == taken["explain"]["rule"] == "command r1"
    totals = world.totals()["acc"]
    assert totals["balanced"]
    assert (totals["count"]["in"], totals["count"]["flushed"], totals["count"]["deleted"]) == (
        2, 2, 0,
    )  # fmt: skip


def test_a_replayed_event_of_a_deleted_session_is_not_taken_back() -> None:
    world = World()
    world.run(world.apply(BY_ID))
    bad = usage("a", 1, "many")
    world.run(world.produce("usage", 0, [usage("b", 0, 1), bad]))
    world.settle()
    world.run(world.apply({**BY_ID, "aggregate": [{"field": "*", "operation": "count"}]}))
    replay(world)
    assert world.totals()["acc"]["count"]["open"] == 2
    world.run(world.command("delete", "acc", group={"account": "a"}))
    world.settle()
    world.run(ask(world, bad, 1, version=2))
    world.settle()
    flush_all(world)
    assert [record["group"]["account"] for record in flushes(world)] == ["b"]
    assert world.totals()["acc"]["balanced"]


def test_a_later_session_of_the_key_stays_open() -> None:
    records = [usage("a", 1, 2), usage("a", 2, 8)]
    world = lived(records[:1], flushed=True)
    world.run(world.produce("usage", 0, records[1:]))
    world.settle()
    world.run(ask(world, records[0], 0))
    world.settle()
    assert [r["values"]["sum_bytes"] for r in flushes(world)] == [2, -2]
    assert world.totals()["acc"]["count"]["open"] == 1
    flush_all(world)
    assert [r["values"]["sum_bytes"] for r in flushes(world)] == [2, -2, 8]


deleting = st.one_of(step, st.tuples(st.just("delete"), st.sampled_from("ab")))


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(history=st.lists(deleting, max_size=20))
def test_with_deletions_in_between_billing_never_holds_less_than_nothing(
    history: list[Any],
) -> None:
    world = World()
    world.run(world.apply(BY_ID))
    produced: list[tuple[int, dict[str, Any]]] = []
    for event in history:
        match event:
            case ("produce", partition, number):
                record = usage("ab"[number % 2], len(produced), number)
                world.run(world.produce("usage", partition, [record]))
                produced.append((partition, record))
            case ("retract", at) if produced:
                at %= len(produced)
                partition, record = produced[at]
                world.settle()
                offset = sum(p == partition for p, _ in produced[:at])
                world.run(ask(world, record, offset, partition))
            case ("delete", account):
                world.run(world.command("delete", "acc", group={"account": account}))
            case ("work", batch, commit):
                world.run(world.work(batch, commit))
            case ("flush",):
                flush_all(world)
            case ("kill at", n):
                world.kill_at = world.passed + n
            case ("lose disk", number):
                world.disks.pop(number, None)
    world.settle()
    flush_all(world)
    if not produced:
        return
    held: dict[str, list[int]] = {"a": [0, 0], "b": [0, 0]}
    found = flushes(world)
    for record in found:  # by account in the order of sequence
        mine = held[record["group"]["account"]]
        mine[0] += record["meta"]["count"]
        mine[1] += record["values"]["sum_bytes"]
        assert min(mine) >= 0
    totals = world.totals()["acc"]
    count, total = totals["count"], totals["sums"]["sum_bytes"]
    assert totals["balanced"] and count["open"] == 0
    assert count["in"] == len(produced) - sum("retracts" in record for record in found)
    assert count["flushed"] == sum(mine[0] for mine in held.values())
    assert total["flushed"] == sum(mine[1] for mine in held.values())
