"""Operators' commands among records, kills and new documents: each is carried out once, and every
record stays accounted for.
"""

import json
from collections import Counter, defaultdict
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.agents import test_engine_histories as histories
from tests.agents.test_engine_histories import KEYED, ROUTED, Backups, flush_all, happen
from tests.agents.world import World, aggregator

BY_PRODUCT = aggregator("two", group={"fields": ["account", "product"]})
NAMES = ["acc", "keyed", "two"]
DUE = "2023-11-15T03:00:00.000Z"  # about five hours after the world begins

which = st.one_of(
    st.sampled_from(["a", "b", "c"]).map(lambda account: {"group": {"account": account}}),
    st.integers(0, 20).map(lambda n: {"filter": {"field": "sum_bytes", "op": ">=", "value": n}}),
    st.integers(1, 4).map(lambda n: {"filter": {"field": "meta.count", "op": ">=", "value": n}}),
    st.just({"filter": {"not": {"field": "account", "op": "==", "value": "a"}}}),
)
command = st.tuples(
    st.just("command"), st.sampled_from(["flush", "delete", "set-timeout"]),
    st.sampled_from(NAMES), which,
)  # fmt: skip
history = st.lists(st.one_of(histories.step, command, command), max_size=25)


@pytest.fixture(autouse=True)
def _small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several pieces a command, several commits a key."""
    monkeypatch.setattr("agents.operators.PIECE_ROWS", 2)
    monkeypatch.setattr("domain.aggregation.fold.OUTPUT_LIMIT_BYTES", 700)
    monkeypatch.setattr("agents.aggregate.PIECE_KEYS", 1)


def give(world: World, action: str, name: str, said: dict[str, Any]) -> None:
    due = {"due": DUE} if action == "set-timeout" else {}
    world.run(world.command(action, name, **said, **due))


def lived(events: list[Any], *documents: dict[str, Any]) -> tuple[World, list[dict[str, Any]]]:
    """A world after that history, when everything has flushed, and what was produced in it."""
    world = World()
    world.run(world.apply(*documents))
    produced: list[dict[str, Any]] = []
    backups: Backups = {}
    for event in events:
        if event[0] == "command":
            give(world, *event[1:])
        else:
            produced += happen(world, event, backups)
    end(world)
    return world, produced


def end(world: World) -> None:
    """Works everything off, and six hours on everything has flushed."""
    world.log.survives = lambda _topic, n: n
    world.settle()
    world.clock.advance(6 * 3_600_000)
    world.run(world.tick())


def once(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The records without copies, after a look that copies are copies."""
    contents: dict[str, str] = {}
    for record in records:
        text = json.dumps(record, sort_keys=True)
        assert contents.setdefault(record["id"], text) == text, "one id with two contents"
    return [json.loads(text) for text in contents.values()]


def check(world: World, produced: list[dict[str, Any]], *names: str) -> None:
    """Every record in exactly one session, every session where the totals say, every command
    answered with the sessions that it touched."""
    flushed, audited = once(world.outputs()), once(world.outputs("aggregates.audit"))
    answers = [record for record in audited if record.get("kind") == "command"]
    deleted = [record for record in audited if record.get("kind") != "command"]
    totals = world.totals()
    for name in names:
        mine = [record for record in flushed if record["aggregator"] == name]
        gone = [record for record in deleted if record["aggregator"] == name]
        counts = Counter[str]()
        sums = Counter[str]()
        for record in (*mine, *gone):
            counts[record["group"]["account"]] += record["meta"]["count"]
            sums[record["group"]["account"]] += record["values"]["sum_bytes"] or 0
        assert counts == Counter(record["account"] for record in produced)
        wanted = Counter[str]()
        for record in produced:
            wanted[record["account"]] += record["bytes"]
        assert sums == wanted
        sequences = defaultdict(list)
        for record in mine:
            sequences[json.dumps(record["group"])].append(record["sequence"])
        for group, found in sequences.items():
            assert sorted(found) == list(range(1, len(found) + 1)), (name, group)
        if name in totals:
            assert totals[name]["balanced"]
            assert totals[name]["count"]["open"] == 0
            assert totals[name]["count"]["in"] == len(produced)
            assert totals[name]["count"]["deleted"] == sum(r["meta"]["count"] for r in gone)
            assert totals[name]["count"]["flushed"] == sum(r["meta"]["count"] for r in mine)
    touched = Counter[str]()
    records = Counter[str]()
    for record in (*flushed, *deleted):
        if record["meta"]["flushType"] == "COMMAND":
            by = record["explain"]["rule"].removeprefix("command ")
            touched[by] += 1
            records[by] += record["meta"]["count"]
    told: dict[str, list[Any]] = defaultdict(list)
    for answer in answers:
        told[answer["command_id"]].append(answer)
    assert len(told) == world.commands
    for by, parts in told.items():
        assert sorted(part["partition"] for part in parts) == parts[0]["partitions"]
        if parts[0]["action"] != "set-timeout":
            assert sum(part["touched"] for part in parts) == touched[by], by
            assert sum(part["counts"]["records"] for part in parts) == records[by], by


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(events=history)
@example(
    events=[
        ("cut append", 1, "changelog"),
        ("command", "flush", "acc", {"group": {"account": "a"}}),
        ("work", 1, False, 0),
    ]
)  # of the commit that answers it only the answer survived
def test_any_history_with_commands_counts_every_record_once(events: list[Any]) -> None:
    world, produced = lived(events, ROUTED, KEYED, BY_PRODUCT)
    check(world, produced, *NAMES)


ALL = {"filter": {"field": "meta.count", "op": ">=", "value": 1}}


def begun(action: str) -> tuple[World, list[dict[str, Any]]]:
    """A world where three sessions are open for each of two aggregators, and a command for each
    waits; and further records, of which those for `keyed` don't wait behind it."""
    world = World(partitions=1)
    world.run(world.apply(ROUTED, KEYED))
    produced = [{"account": account, "bytes": n} for n, account in enumerate("bcd")]
    world.run(world.produce("usage", 0, produced, key="a"))
    world.settle()
    for name in ("keyed", "acc"):
        give(world, action, name, ALL)
    more = [{"account": account, "bytes": 7} for account in "abcd"]
    for account, record in zip("abcd", more, strict=True):
        world.run(world.produce("usage", 0, [record], key=account))
    world.engine = None
    return world, produced + more


def check_all_touched(world: World, produced: list[dict[str, Any]]) -> None:
    end(world)
    check(world, produced, "acc", "keyed")
    touched = {r["aggregator"]: r["touched"] for r in audited(world) if r.get("kind")}
    assert touched["acc"] == 3  # what came later waited behind the command
    assert touched["keyed"] >= 3


@pytest.mark.parametrize("lost", [False, True], ids=["disk kept", "disk lost"])
@pytest.mark.parametrize("action", ["flush", "delete", "set-timeout"])
def test_a_kill_at_any_step_of_a_command_repeats_and_loses_nothing(action: str, lost: bool) -> None:
    before, produced = begun(action)
    step, more = 0, True
    while more:
        step += 1
        world = deepcopy(before)
        world.kill_at = world.passed + step
        more = together(world)
        if lost:
            world.disks.clear()
        # sessions of the same keys change before the command is read once more
        world.run(world.work(100, commit=True, only=1))
        check_all_touched(world, produced)
    assert step > 30


@pytest.mark.parametrize("left", range(3))
@pytest.mark.parametrize("action", ["flush", "delete", "set-timeout"])
def test_any_part_of_an_append_may_survive_in_a_command(action: str, left: int) -> None:
    before, produced = begun(action)
    for number in range(1, 30):
        world = deepcopy(before)
        cut_at(world, number, left)
        together(world)
        world.disks.clear()
        world.run(world.work(100, commit=True, only=1))
        check_all_touched(world, produced)


def together(world: World) -> bool:
    """Works on all that waits, at once; whether that ended in a kill."""
    killed = world.run(world.work_together(1)) is None
    world.kill_at = None
    world.log.survives = lambda _topic, n: n
    return killed


def cut_at(world: World, number: int, left: int) -> None:
    """That append to the sessions' changelog leaves so many rows, if it has more."""
    passed = 0

    def survives(topic: str, n: int) -> int:
        nonlocal passed
        passed += topic == "sluice-sessions-changelog"
        return min(left, n) if passed == number and "sessions-changelog" in topic else n

    world.log.survives = survives


def audited(world: World) -> list[dict[str, Any]]:
    return once(world.outputs("aggregates.audit"))


def world_with(*records: dict[str, Any], **changes: Any) -> World:
    """Records applied, sessions open."""
    world = World()
    world.run(world.apply(aggregator(**changes)))
    world.run(world.produce("usage", 0, records))
    world.settle()
    return world


def test_a_value_is_taken_by_its_type() -> None:
    world = world_with({"account": 1, "bytes": 1}, {"account": "1", "bytes": 2})
    give(world, "flush", "acc", {"group": {"account": "1"}})
    world.settle()
    assert [record["group"]["account"] for record in world.outputs()] == ["1"]
    give(world, "flush", "acc", {"group": {"account": 1}})
    world.settle()
    assert [record["group"]["account"] for record in world.outputs()].count(1) == 1


def test_a_flush_by_command_says_so_and_the_next_session_counts_on() -> None:
    world = world_with({"account": "a", "bytes": 5})
    give(world, "flush", "acc", {"group": {"account": "a"}})
    world.settle()
    (record,) = world.outputs()
    assert record["meta"]["flushType"] == "COMMAND"
    assert record["explain"]["rule"] == "command c1"
    (answer,) = audited(world)
    assert answer["id"] == answer["command_id"] == "c1"
    assert (answer["actor"], answer["reason"]) == ("tester", "a test")
    assert answer["group"] == {"account": "a"}
    assert answer["counts"] == {"sessions": 1, "records": 1}
    world.run(world.produce("usage", 0, [{"account": "a", "bytes": 1}]))
    world.settle()
    flush_all(world)
    assert sorted(record["sequence"] for record in world.outputs()) == [1, 2]


def test_a_deleted_session_is_in_the_audit_and_gives_its_number_back() -> None:
    world = world_with({"account": "a", "bytes": 5})
    give(world, "delete", "acc", {"group": {"account": "a"}})
    world.settle()
    assert world.outputs() == []
    gone, answer = sorted(audited(world), key=lambda record: "kind" in record)
    assert (gone["meta"]["flushType"], gone["values"]["sum_bytes"]) == ("COMMAND", 5)
    assert (gone["command_id"], gone["reason"], gone["action"]) == ("c1", "a test", "delete")
    assert answer["action"] == "delete"
    assert world.totals()["acc"]["count"]["deleted"] == 1
    assert world.totals()["acc"]["sums"]["sum_bytes"]["deleted"] == 5
    world.run(world.produce("usage", 0, [{"account": "a", "bytes": 1}]))
    world.settle()
    flush_all(world)
    assert [record["sequence"] for record in world.outputs()] == [1]


def test_a_session_that_is_deleted_by_a_part_of_its_group_keeps_its_own() -> None:
    fields = {"fields": ["account", "product"]}
    world = world_with({"account": "a", "product": "x", "bytes": 5}, group=fields)
    give(world, "delete", "acc", {"group": {"product": "x"}})
    world.settle()
    (gone,) = (record for record in audited(world) if "meta" in record)
    assert gone["group"] == {"account": "a", "product": "x"}


def test_a_timeout_set_earlier_or_later_is_when_it_flushes() -> None:
    for due, early in (("2023-11-14T22:30:00Z", True), ("2023-11-15T03:00:00Z", False)):
        world = world_with({"account": "a", "bytes": 5})
        give_due = {"group": {"account": "a"}, "due": due}
        world.run(world.command("set-timeout", "acc", **give_due))
        world.settle()
        world.clock.advance(20 * 60_000)  # 22:33
        world.run(world.tick())
        assert bool(world.outputs()) is early
        world.clock.advance(2 * 3_600_000)
        world.run(world.tick())
        assert bool(world.outputs()) is early
        world.clock.advance(4 * 3_600_000)
        world.run(world.tick())
        (record,) = world.outputs()
        assert record["explain"]["due"] == f"{due[:-1]}.000Z"
        assert record["explain"]["rule"] == "set by an operator"
        assert record["meta"]["flushType"] == "TIMEOUT"


def test_sessions_of_a_removed_document_take_commands() -> None:
    world = world_with({"account": "a", "bytes": 5})
    world.run(world.remove("aggregator", "acc"))
    give(world, "flush", "acc", ALL)
    world.settle()
    assert [record["values"]["sum_bytes"] for record in world.outputs()] == [5]


def test_a_filter_is_read_by_the_versions_of_its_place_in_the_log() -> None:
    world = world_with({"account": "a", "bytes": 5})
    give(world, "flush", "acc", {"filter": {"field": "sum_bytes", "op": ">", "value": 4}})
    renamed = [{"field": "bytes", "operation": "sum", "as": "total"}]
    world.run(world.apply(aggregator(aggregate=renamed)))
    world.settle()
    assert len(world.outputs()) == 1


def test_what_is_no_command_is_a_dead_letter_and_changes_nothing() -> None:
    world = world_with({"account": "a", "bytes": 5})
    give(world, "flush", "acc", {"filter": {"field": "sum_bytes", "op": ">", "value": "4"}})
    give(world, "flush", "nobody", ALL)
    give(world, "flush", "acc", {**ALL, "reason": " "})
    give(world, "burn", "acc", ALL)
    world.settle()
    assert (world.outputs(), audited(world)) == ([], [])


def test_answers_are_kept_for_a_while_and_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agents.operators.ANSWERS", 3)
    world = world_with({"account": "a", "bytes": 5})
    for _ in range(5):
        give(world, "flush", "acc", ALL)
    world.settle()
    for disk in world.disks.values():
        assert len(list(disk.scan(b"c", b"d"))) == 3
    world.disks.clear()
    world.totals()
    for disk in world.disks.values():
        assert len(list(disk.scan(b"c", b"d"))) == 3


def test_a_command_that_was_sent_twice_is_carried_out_once() -> None:
    world = world_with({"account": "a", "bytes": 5})
    give(world, "flush", "acc", ALL)
    world.settle()
    world.run(world.produce("usage", 0, [{"account": "a", "bytes": 1}]))
    world.settle()
    world.commands = 0
    give(world, "flush", "acc", ALL)
    world.settle()
    assert [record["values"]["sum_bytes"] for record in world.outputs()] == [5]
    assert len(audited(world)) == 2  # one for each of two shards
