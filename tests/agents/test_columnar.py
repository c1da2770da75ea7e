"""Many keys folded in columns give what each of them gives on its own: rows, flushes, timers and
control totals.
"""

import asyncio
import json
from decimal import Decimal
from operator import itemgetter
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.aggregate import ROUTED, ShardProcessor
from agents.chunks import Chunk
from agents.folds import Folds
from agents.shards import NotOwned
from config.documents.aggregator import load_aggregator
from connectors.streams.memory import MemoryLog
from domain.aggregation.columns import plan_of
from domain.aggregation.numbers import canonical_key
from domain.aggregation.rule import Rule, compile_rule
from domain.aggregation.session import Row
from domain.clock import FixedClock
from tables.changelog import Change, Changelog
from tables.changes import Changes, Output
from tables.codec import decode_row
from tables.formats import SHARD
from tables.layout import FORGET, ROW, SEEN, WAKE, wake_key
from tables.shard import Shard
from tables.store import MemoryStore

START_MS = 1_711_839_590_000
OPERATIONS: list[dict[str, Any]] = [
    {"field": "bytes", "operation": "sum"},
    {"field": "price", "operation": "sum"},
    {"field": "bytes", "operation": "max"},
    {"field": "bytes", "operation": "min"},
    {"field": "price", "operation": "max"},
    {"field": "price", "operation": "min"},
    {"field": "price", "operation": "average", "scale": 4},
    {"field": "bytes", "operation": "average", "scale": 2},
    {"field": "cell", "operation": "count"},
]
TIMEOUTS: list[dict[str, Any]] = [
    {"duration": {"seconds": 40}},
    {"frequency": {"every": "day", "at": "00:00", "timezone": "Europe/Stockholm"}},
    {"duration": {"days": 2}},  # longer than they live
]
DECIMALS = st.decimals(-10_000, 10_000, places=2) | st.decimals(-2, 2, places=5)
NUMBERS = {
    "bytes": st.integers(0, 1_000) | st.sampled_from([2**61, -(2**66), 10**17 - 1, 10**16]),
    "price": st.one_of(
        DECIMALS,
        DECIMALS.map(str),  # as they travel
        st.integers(-5, 5),
        st.sampled_from([Decimal("1E+3"), "1.5e3", Decimal("1E-20"), "99999999999999999.5", None]),
    ),
}
IDS = st.integers(0, 40).map(lambda n: bytes([n]) * 16)
USUAL = {"bytes": st.integers(0, 1_000), "price": DECIMALS}
ABSENT = {"bytes": st.none() | st.integers(0, 1_000), "price": st.none() | DECIMALS}


def aggregator(
    operations: list[dict[str, Any]], timeout: dict[str, Any], event_id: str | None = None
) -> dict[str, Any]:
    return ({} if event_id is None else {"event_id": event_id}) | {
        "kind": "aggregator",
        "name": "acc",
        "input": "usage",
        "group": {"fields": ["account"]},
        "aggregate": [*operations, {"field": "*", "operation": "count"}],
        "flush": {"by": "timeout", "timeout": timeout},
        "ttl_days": 1,
    }


class Side:
    """A shard that folds in one way."""

    def __init__(self, rules: list[Rule], *, in_columns: bool, cache_rows: int) -> None:
        self.sent: list[Output] = []
        self.store = MemoryStore()
        self.shard = Shard(0, self.store, None, self.rule_of, self.send, cache_rows=cache_rows)
        self.rules = rules
        folds = Folds(self.rule_of, lambda _: rules[-1])
        folds.many_keys, folds.least_keys = (0, 1) if in_columns else (1_000, 1)
        self.processor = ShardProcessor(self.shard, folds)

    def rule_of(self, _name: str, version: int) -> Rule:
        return self.rules[version - 1]

    async def send(self, outputs: list[Output]) -> None:
        self.sent += outputs

    def told(self) -> dict[str, Any]:
        """All that anybody can see of it, numbers by their value and kind."""
        rows = {key: decode_row(data) for key, data in self.store.scan(ROW, b"t")}
        return {
            "rows": {key: alike(msgspec.to_builtins(row)) for key, row in rows.items()},
            "ids": [key for key, _ in self.store.scan(SEEN, b"f")],
            "timers": [key for key, _ in self.store.scan(WAKE, FORGET)],
            "sent": sorted(  # by key: among keys any order will do
                ((topic, key, json.loads(value)) for topic, key, value in self.sent),
                key=itemgetter(0, 1),
            ),
            "totals": {
                name: totals.as_json(name) | {"flushes": totals.flushes, "open": totals.sessions}
                for name, totals in self.shard.totals.items()
            },
        }


def alike(value: Any) -> Any:
    """Decimals of one value are the same, an int is another thing."""
    if isinstance(value, str):
        try:
            return ("decimal", Decimal(value).normalize())
        except ArithmeticError:
            return value
    if isinstance(value, dict):
        return {key: alike(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [alike(each) for each in value]
    return value


def entries_of(rule: Rule, values: dict[str, Any], offset: int, at_ms: int) -> Any:
    taken = tuple(
        values[item.field] is not None if item.kind == "present" else values[item.field]
        for item in rule.inputs
    )
    return (offset, at_ms, taken)


def records(numbers: dict[str, Any]) -> st.SearchStrategy[Any]:
    one = st.tuples(
        st.integers(0, 5),
        st.fixed_dictionaries({**numbers, "cell": st.sampled_from(["c", "c", None]), "id": IDS}),
        st.integers(-3, 30),
    )
    return st.lists(one, min_size=1, max_size=12)


TO_LIVE_MS = st.sampled_from([80_000_000, 100_000_000, 200_000_000])
batches = st.tuples(
    st.just("batch"),
    st.integers(0, 1),
    records(USUAL) | records(ABSENT) | records(NUMBERS),
    st.booleans(),
)
histories = st.lists(
    batches | batches | st.tuples(st.just("tick"), st.integers(1, 50_000) | TO_LIVE_MS),
    min_size=1,
    max_size=8,
)


async def live(sides: list[Side], history: list[Any]) -> None:
    now, offsets = START_MS, [0, 0]
    for side in sides:
        await side.shard.open()
    for event in history:
        if event[0] == "tick":
            now += event[1]
            for side in sides:
                await side.processor.tick([], now)
            continue
        _, partition, found, newest = event
        rule = sides[0].rules[-1 if newest else 0]
        groups: dict[bytes, list[Any]] = {}
        for account, values, seconds in found:
            entry = entries_of(rule, values, offsets[partition], now + seconds * 1_000)
            offsets[partition] += 1
            groups.setdefault(canonical_key((f"a{account}",)), []).append(entry)
        upto = offsets[partition] - 1
        again = Chunk("usage", partition, rule.name, rule.version, list(groups.items()), -1)
        chunk = Chunk("usage", partition, rule.name, rule.version, list(groups.items()), upto)
        for side in sides:
            await side.processor.apply(ROUTED, [again, chunk] if partition else [chunk])
            await side.processor.apply(ROUTED, [again])


@settings(max_examples=400, deadline=None)
@given(
    st.lists(st.sampled_from(OPERATIONS), min_size=1, max_size=5, unique_by=str),
    st.lists(st.sampled_from(OPERATIONS), min_size=1, max_size=5, unique_by=str),
    st.sampled_from(TIMEOUTS),
    histories,
    st.sampled_from([0, 3, 100]),
    st.sampled_from([None, None, "id"]),
)
def test_in_columns_as_by_the_key(
    first: list[Any],
    second: list[Any],
    timeout: dict[str, Any],
    history: list[Any],
    cached: int,
    event_id: str | None,
) -> None:
    rules = [
        compile_rule(load_aggregator(aggregator(operations, timeout, event_id)), version)
        for version, operations in enumerate((first, second), 1)
    ]
    sides = [Side(rules, in_columns=yes, cache_rows=cached) for yes in (True, False)]
    asyncio.run(live(sides, history))
    columns, keys = (side.told() for side in sides)
    assert columns == keys


def test_fields_that_come_late_and_go_again_count_from_then_on() -> None:
    rule = compile_rule(load_aggregator(aggregator(OPERATIONS, TIMEOUTS[0])), 1)
    nothing = {"bytes": None, "price": None, "cell": "c", "id": b""}
    some = {"bytes": 5, "price": Decimal("0.25"), "cell": "c", "id": b""}
    history = [
        ("batch", 0, [(account, values, at) for account in range(4)], False)
        for at, values in enumerate((nothing, some, nothing, some, nothing))
    ]
    sides = [Side([rule], in_columns=yes, cache_rows=0) for yes in (True, False)]
    asyncio.run(live(sides, history))
    columns, keys = (side.told() for side in sides)
    assert columns == keys
    assert columns["totals"]["acc"]["sums"]["sum_bytes"]["in"] == 4 * 2 * 5


@pytest.mark.parametrize(
    "more",
    [
        {"flush": {"by": "timeout", "timeout": {"timestamp_field": "until"}}},
        {"aggregate": [{"field": "bytes", "operation": "stddev"}]},
        {"aggregate": [{"field": "cell", "operation": "last"}]},
    ],
)
def test_some_documents_are_folded_by_the_key(more: dict[str, Any]) -> None:
    document = aggregator(OPERATIONS[:1], TIMEOUTS[0]) | more
    assert plan_of(compile_rule(load_aggregator(document), 1)) is None


def test_what_can_be_is_folded_in_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    rule = compile_rule(load_aggregator(aggregator(OPERATIONS, TIMEOUTS[0])), 1)
    side = Side([rule], in_columns=True, cache_rows=0)
    values = {"bytes": 5, "price": Decimal("2.50"), "cell": "c"}
    history: list[Any] = []
    for at in range(4):
        found = [(account, values, at) for account in range(5)]
        history.append(("batch", 0, found, False))
    history.insert(2, ("tick", 100_000))  # sessions with a history go on
    opened: list[int] = []

    def open_rows(rows: dict[bytes, Any]) -> dict[bytes, Row]:
        opened.append(len(rows))
        return {}

    monkeypatch.setattr(side.shard, "opened", open_rows)
    asyncio.run(live([side], history))
    assert opened and not any(opened)
    assert len(side.told()["rows"]) == len(side.sent) == 5


def logged(side: Side, monkeypatch: pytest.MonkeyPatch) -> list[Change]:
    """What the shard appends to its changelog."""
    log = MemoryLog(FixedClock(START_MS))
    log.counts["changes"] = 1
    side.shard.changelog = Changelog(log, "changes", 0, "w", SHARD)
    rows: list[Change] = []

    async def append(changes: list[Change]) -> None:
        rows.extend(changes)

    monkeypatch.setattr(side.shard.changelog, "append", append)
    return rows


def test_flushes_travel_with_their_row_in_the_changelog(monkeypatch: pytest.MonkeyPatch) -> None:
    rule = compile_rule(load_aggregator(aggregator(OPERATIONS, TIMEOUTS[0])), 1)
    told = []
    for in_columns in (True, False):
        side = Side([rule], in_columns=in_columns, cache_rows=3)
        rows = logged(side, monkeypatch)
        values = {"bytes": 5, "price": Decimal("2.50"), "cell": "c"}
        batch = ("batch", 0, [(account, values, 1) for account in range(4)], False)
        asyncio.run(live([side], [batch, ("tick", 100_000)] * 2))
        decoded = [decode_row(data or b"") for key, data in rows if key[:1] == ROW]
        told.append([row.outputs for row in decoded if row.outputs])
        assert not list(side.shard.outbox())
    assert sorted(told[0]) == sorted(told[1])
    assert len(told[0]) == 8


def test_rows_of_many_shapes_of_one_length_are_flushed_in_columns() -> None:
    optional: list[dict[str, Any]] = [
        {"field": field, "operation": how} for field in ("bytes", "price") for how in ("sum", "max")
    ]
    rule = compile_rule(load_aggregator(aggregator(optional, TIMEOUTS[0])), 1)
    sides = [Side([rule], in_columns=yes, cache_rows=0) for yes in (True, False)]
    kinds = [{"bytes": 5, "price": None}, {"bytes": None, "price": 7}, {"bytes": 5, "price": 7}]
    history: list[Any] = [
        ("batch", 0, [(3 * account + n, values, 1) for account in range(4)], False)
        for n, values in enumerate(kinds)
    ]
    asyncio.run(live(sides, [*history, ("tick", 100_000)] * 2))
    columns, keys = (side.told() for side in sides)
    assert columns == keys
    assert len(columns["sent"]) == 2 * 12


def test_sums_of_another_class_than_those_flushed_before_are_added_exactly() -> None:
    rule = compile_rule(load_aggregator(aggregator(OPERATIONS, TIMEOUTS[0])), 1)
    sides = [Side([rule], in_columns=yes, cache_rows=0) for yes in (True, False)]
    history: list[Any] = []
    for price in (Decimal("2.25"), 5, Decimal("0.5"), 7, 7):
        values = {"bytes": 5, "price": price, "cell": "c"}
        history += [("batch", 0, [(n, values, 1) for n in range(4)], False), ("tick", 100_000)]
    asyncio.run(live(sides, history))
    columns, keys = (side.told() for side in sides)
    assert columns == keys
    assert columns["totals"]["acc"]["sums"]["sum_price"]["flushed"] == 4 * Decimal("21.75")


@pytest.mark.parametrize("partitions", [(0, 1, 1, 0), (0, 0, 0, 0)])
def test_a_session_of_another_partition_or_version_is_flushed_as_what_it_is(
    partitions: tuple[int, ...],
) -> None:
    rules = [
        compile_rule(load_aggregator(aggregator(OPERATIONS[:1], timeout)), version)
        for version, timeout in enumerate(({"duration": {"seconds": n}} for n in (40, 50)), 1)
    ]
    sides = [Side(rules, in_columns=yes, cache_rows=0) for yes in (True, False)]
    found = [(account, {"bytes": 5}, 1) for account in range(8)]
    history: list[Any] = []
    for at, partition in enumerate(partitions):
        history += [("batch", partition, found, at > 1), ("tick", 100_000)]
    # due by the older version and folded last by the newer one, beside others that are the newer's
    history += [("batch", 0, found[:4], False), ("batch", 0, found, True), ("tick", 100_000)]
    asyncio.run(live(sides, history))
    columns, keys = (side.told() for side in sides)
    assert columns == keys
    assert len(columns["sent"]) == 5 * 8


@pytest.mark.parametrize("in_columns", [True, False])
def test_a_record_that_is_sent_again_after_the_flush_counts_no_second_time(
    in_columns: bool,
) -> None:
    rule = compile_rule(load_aggregator(aggregator(OPERATIONS[:1], TIMEOUTS[0])), 1)
    side = Side([rule], in_columns=in_columns, cache_rows=0)
    entry = entries_of(rule, {"bytes": 5}, 7, START_MS)
    groups = [(canonical_key((f"a{n}",)), [entry]) for n in range(4)]

    async def story() -> None:
        await side.shard.open()
        for upto in (-1, 7):  # before its chunk is known to be whole, and after
            await side.processor.apply(ROUTED, [Chunk("usage", 0, rule.name, 1, groups, upto)])
            await side.processor.tick([], START_MS + 100_000)

    asyncio.run(story())
    assert len(side.sent) == 4
    assert side.told()["totals"]["acc"]["sums"]["sum_bytes"]["in"] == 4 * 5


def test_what_is_left_of_flushed_sessions_goes_when_its_time_is_over() -> None:
    rule = compile_rule(load_aggregator(aggregator(OPERATIONS[:1], TIMEOUTS[0])), 1)
    sides = [Side([rule], in_columns=yes, cache_rows=0) for yes in (True, False)]
    # the others are due when the first ones' time is over
    found = [(n, {"bytes": 5}, at) for at in (0, 108_000) for n in range(4 * at, 4 * at + 4)]
    asyncio.run(live(sides, [("batch", 0, found, False), ("tick", 150_000_000)]))
    columns, keys = (side.told() for side in sides)
    assert columns == keys
    assert len(columns["sent"]) == 8 and len(columns["rows"]) == 4


@pytest.mark.parametrize("in_columns", [True, False])
def test_flushes_that_a_kill_left_unsent_are_sent_by_the_next(in_columns: bool) -> None:
    rule = compile_rule(load_aggregator(aggregator(OPERATIONS[:1], TIMEOUTS[0])), 1)
    side = Side([rule], in_columns=in_columns, cache_rows=0)

    async def killed(_: list[Output]) -> None:
        raise KeyError("killed")

    async def story() -> None:
        found = [(account, {"bytes": 5}, 0) for account in range(4)]
        await live([side], [("batch", 0, found, False)])
        side.shard._send = killed
        with pytest.raises(KeyError):
            await side.processor.tick([], START_MS + 100_000)
        await Shard(0, side.store, None, side.rule_of, side.send).open()

    asyncio.run(story())
    assert len(side.sent) == len({key for _, key, _ in side.sent}) == 4


def test_an_entry_of_the_due_index_that_is_out_of_date_flushes_nothing() -> None:
    rule = compile_rule(load_aggregator(aggregator(OPERATIONS[:1], TIMEOUTS[0])), 1)
    sides = [Side([rule], in_columns=yes, cache_rows=0) for yes in (True, False)]
    batch = ("batch", 0, [(account, {"bytes": 5}, 0) for account in range(4)], False)
    asyncio.run(live(sides, [batch]))
    for side in sides:
        stale = [
            (wake_key(START_MS + 1_000, key[1:]), b"") for key, _ in side.store.scan(ROW, b"t")
        ]
        side.store.write(stale)
        asyncio.run(side.processor.tick([], START_MS + 100_000))
    columns, keys = (side.told() for side in sides)
    assert columns == keys
    assert len(columns["sent"]) == len(columns["timers"]) == 4


def test_a_shard_of_which_a_commit_was_cut_off_is_not_used_on() -> None:
    rule = compile_rule(load_aggregator(aggregator(OPERATIONS[:1], TIMEOUTS[0])), 1)
    side = Side([rule], in_columns=False, cache_rows=3)
    values = {"bytes": 5, "price": None, "cell": None}
    reached, never = asyncio.Event(), asyncio.Event()

    async def hangs(_: list[Output]) -> None:
        reached.set()
        await never.wait()

    async def story() -> None:
        await live([side], [("batch", 0, [(1, values, 0)], False)])
        side.shard._send = hangs
        tick = asyncio.ensure_future(side.shard.commit(changed(side)))
        await reached.wait()
        tick.cancel()
        with pytest.raises(asyncio.CancelledError):
            await tick
        assert not side.shard.whole
        with pytest.raises(NotOwned):
            await side.processor.tick([], START_MS + 100_000)
        with pytest.raises(NotOwned):
            await side.processor.apply(ROUTED, [])

    asyncio.run(story())


def changed(side: Side) -> Changes:
    """What sends something."""
    return Changes(outputs=[("t", b"k", b"v")], effective_now=START_MS)


def test_ids_travel_with_their_row_in_the_changelog(monkeypatch: pytest.MonkeyPatch) -> None:
    rule = compile_rule(load_aggregator(aggregator(OPERATIONS[:1], TIMEOUTS[0], "id")), 1)
    told = []
    for in_columns in (True, False):
        side = Side([rule], in_columns=in_columns, cache_rows=3)
        rows = logged(side, monkeypatch)
        values = [{"bytes": 5, "id": bytes([n]) * 16} for n in range(6)]
        found = [(n % 4, each, 0) for n, each in enumerate(values)]
        asyncio.run(live([side], [("batch", 0, found, False)]))
        told.append({key: decode_row(data or b"").seen for key, data in rows if key[:1] == ROW})
    assert told[0] == told[1]
    assert all(told[0].values())
