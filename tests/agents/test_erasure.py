"""An account is erased from rows, stubs, event ids and changelog; every record stays counted."""

import json
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agents.chunks import Parcel, encode_parcel
from agents.replay_messages import Forget, encode
from tests.agents import test_engine_histories as histories
from tests.agents.replaying import ask, letters, replay
from tests.agents.test_engine_histories import KEYED, ROUTED
from tests.agents.test_operators import end, lived, once
from tests.agents.world import NAMES, World, aggregator

ACCOUNT = "+4670-secret"
WITH_IDS = aggregator("ids", event_id="id", dedup_days=3)
DAYS = 2 * 86_400_000  # compaction keeps tombstones for one
CHANGELOG = NAMES.changelog("sessions")
erasure = st.tuples(
    st.just("command"), st.just("erase"), st.sampled_from(["acc", "keyed"]),
    st.sampled_from(["a", "b"]).map(lambda account: {"group": {"account": account}}),
)  # fmt: skip


@pytest.fixture(autouse=True)
def _small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agents.operators.PIECE_ROWS", 2)


def accounted(world: World, produced: int, *names: str) -> None:
    """Every record is where the totals say, and the flushes say the same."""
    flushed = once(world.outputs())
    totals = world.totals()
    for name in names:
        mine = [record for record in flushed if record["aggregator"] == name]
        count = totals[name]["count"]
        assert totals[name]["balanced"]
        assert count["open"] == 0
        assert count["in"] == produced
        assert count["flushed"] == sum(record["meta"]["count"] for record in mine)
        assert count["flushed"] + count["deleted"] + count["duplicates"] == produced


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.one_of(histories.step, erasure, erasure), max_size=20))
def test_any_history_with_erasures_counts_every_record_once(events: list[Any]) -> None:
    world, produced = lived(events, ROUTED, KEYED)
    if produced:
        accounted(world, len(produced), "acc", "keyed")


def begun() -> World:
    """An account with an open session and a flushed one, another account, and the command."""
    world = World(partitions=1)
    world.run(world.apply(ROUTED, WITH_IDS))
    for n in range(2):
        for account in (ACCOUNT, "b"):
            record = {"account": account, "bytes": 7, "id": f"{account}-{n}"}
            world.run(world.produce("usage", 0, [record, record]))
        world.settle()
        world.clock.advance(0 if n else 4_000_000)
        world.run(world.tick())
    for name in ("acc", "ids"):
        world.run(world.command("erase", name, group={"account": ACCOUNT}))
    world.engine = None
    return world


def remains(world: World) -> list[bytes]:
    """What still tells of the account in stores and, once compacted, in the changelog."""
    text, found = ACCOUNT.encode(), []
    for number, disk in world.disks.items():
        found += [key for key, body in disk._rows.items() if text in key + body]
        world.log.compact(CHANGELOG, number)
        for _, _, key, value, _ in world.log.rows[CHANGELOG, number]:
            found += [key or b""] if text in (key or b"") + (value or b"") else []
    return found


def test_nothing_is_left_but_counts() -> None:
    world = begun()
    world.settle()
    world.clock.advance(DAYS)
    world.run(world.tick())
    assert remains(world) == []
    audited = once(world.outputs("aggregates.audit"))
    assert [record["action"] for record in audited] == ["erase", "erase"]
    assert ACCOUNT not in json.dumps(audited)
    assert [record["fields"] for record in audited] == [["account"], ["account"]]
    assert [record["counts"] for record in audited] == [
        {"sessions": 1, "records": 2}, {"sessions": 1, "records": 1},
    ]  # fmt: skip
    accounted(world, 8, "acc", "ids")
    assert world.totals()["acc"]["count"]["deleted"] == 2
    assert world.totals()["acc"]["sums"]["sum_bytes"]["deleted"] == 14


@pytest.mark.parametrize("lost", [False, True], ids=["disk kept", "disk lost"])
def test_a_kill_at_any_step_leaves_it_to_be_done_and_counts_nothing_twice(lost: bool) -> None:
    before, step, killed = begun(), 0, True
    while killed:
        step += 1
        world = deepcopy(before)
        world.kill_at = world.passed + step
        killed = world.run(world.work_together(1)) is None
        world.kill_at = None
        world.log.survives = lambda _topic, n: n
        if lost:
            world.disks.clear()
        # the router comes again with everything, before and after the rest of the command
        world.log.positions["sluice", ("usage", 0)] = 0
        world.settle()
        world.log.positions["sluice", ("usage", 0)] = 0
        end(world)
        accounted(world, 8, "acc", "ids")
        world.clock.advance(DAYS)
        world.run(world.tick())
        assert remains(world) == []
    assert step > 15


def test_an_account_that_comes_again_begins_anew() -> None:
    world = begun()
    world.settle()
    world.run(world.produce("usage", 0, [{"account": ACCOUNT, "bytes": 1, "id": "new"}]))
    end(world)
    accounted(world, 9, "acc", "ids")
    mine = [r for r in once(world.outputs()) if r["group"]["account"] == ACCOUNT]
    assert [r["sequence"] for r in mine if r["aggregator"] == "acc"] == [1, 1]


def test_what_is_known_of_erased_rows_is_forgotten_in_time() -> None:
    world = begun()
    world.settle()
    assert sum(len(list(disk.scan(b"g", b"h"))) for disk in world.disks.values()) == 2
    world.clock.advance(9 * 86_400_000)
    world.run(world.tick())
    world.run(world.command("erase", "acc", group={"account": "nobody"}))
    world.run(world.produce("usage", 0, [{"account": "c", "bytes": 1, "id": "c"}]))
    world.settle()
    world.run(world.command("erase", "acc", group={"account": "c"}))
    world.settle()
    assert sum(len(list(disk.scan(b"g", b"h"))) for disk in world.disks.values()) == 1


def test_an_erasure_names_its_account_by_value_and_needs_a_reason() -> None:
    world = begun()
    which = {"filter": {"field": "meta.count", "op": ">=", "value": 1}}
    world.run(world.command("erase", "acc", **which))
    world.run(world.command("erase", "acc", group={"account": "b"}, reason=""))
    world.settle()
    audited = once(world.outputs("aggregates.audit"))
    assert [record["command_id"] for record in audited] == ["c1", "c2"]


def test_a_replay_that_comes_again_after_the_erasure_is_known() -> None:
    world = World(partitions=1)
    world.run(world.apply(aggregator(filter={"field": "bytes", "op": "!=", "value": 0})))
    world.run(world.produce("usage", 0, [{"account": ACCOUNT, "bytes": "no number"}]))
    world.settle()
    world.run(world.apply(aggregator(aggregate=[{"field": "*", "operation": "count"}])))
    replay(world)
    world.run(world.command("erase", "acc", group={"account": ACCOUNT}))
    world.settle()
    world.engine = None
    world.log.positions["sluice", (NAMES.sessions_in, 0)] = 0
    end(world)
    count = world.totals()["acc"]["count"]
    # routing, which counted it as in and rejected, is not among the shards' totals
    assert (count["deleted"], count["flushed"], count["rejected"]) == (1, 0, -1)
    (told,) = letters(world).values()
    assert told.replayed


def test_a_letter_that_is_forgotten_is_replayed_by_nobody_and_told_no_more() -> None:
    world = World(partitions=1)
    world.run(world.apply(aggregator(filter={"field": "bytes", "op": "!=", "value": 0})))
    world.run(world.produce("usage", 0, [{"account": ACCOUNT, "bytes": "no number"}]))
    world.settle()
    world.run(world.apply(aggregator(aggregate=[{"field": "*", "operation": "count"}])))
    (told,) = letters(world).values()
    letter = told.letter
    # an attempt is under way: its answer comes behind
    world.run(ask(world, [letter], "a"))
    forgotten = encode(Forget(letter.id, letter.aggregator, letter.topic, world.clock.now_ms()))
    parcel = encode_parcel(Parcel(0, [], [], replays=[forgotten]))
    world.run(world.log.append(NAMES.sessions_in, 0, [(None, parcel, None, ())]))
    world.run(ask(world, [letter], "b"))
    world.settle()
    world.log.positions["sluice", (NAMES.sessions_in, 0)] = 0
    end(world)
    seen = [record for record in world.outputs("dead-letters") if record["id"] == letter.id]
    assert [sorted(record) for record in seen[1:]] == [["erased_at", "id"]]
    assert world.totals()["acc"]["count"]["flushed"] == 1
