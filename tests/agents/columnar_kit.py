"""Shards that fold in one way or the other, and what they are given to fold."""

import json
from decimal import Decimal
from operator import itemgetter
from typing import Any

import msgspec
import pytest
from hypothesis import strategies as st

from agents.aggregate import ROUTED, ShardProcessor
from agents.chunks import Chunk
from agents.folds import Folds
from connectors.streams.memory import MemoryLog
from domain.aggregation.numbers import canonical_key
from domain.aggregation.rule import Rule
from domain.clock import FixedClock
from tables.changelog import Change, Changelog
from tables.changes import Output
from tables.codec import decode_row
from tables.formats import SHARD
from tables.layout import FORGET, ROW, SEEN, WAKE
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
