"""A what-if with the very document that is in force gives exactly the flushes that happened."""

import asyncio
import json
import tempfile
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
from hypothesis import given, settings

from app.facade.sides import HAPPENED, WHAT_IF
from app.facade.whatif import Run
from app.history_shapes import WhatIf
from app.since import Since
from domain.aggregation.rule import compile_rule
from tables.store import MemoryStore
from tests.app.facade.house import HOUR_MS, START_MS, House, Living, aggregator

MINUTE_MS = 60_000
BIG_MS = 26 * HOUR_MS  # more than a day and all small steps together: expiries fall inside it
TIMEOUTS: list[dict[str, Any]] = [
    {"duration": {"minutes": 20}},
    {"duration": {"hours": 30}},
    {"frequency": {"every": "day", "at": "03:00", "timezone": "Europe/Stockholm"}},
]
MOVING: list[dict[str, Any]] = [
    {"timestamp_field": "until", "default_timeout": {"minutes": 30}},
    {"timestamp_field": "until", "policy": "max"},
]
CONDITIONS: list[Any] = [
    None,
    None,
    {"field": "count", "op": ">=", "value": 3},
    {"field": "record.cell", "op": "==", "value": "c2"},
]
INSTANTS = st.integers(0, 20).map(lambda n: f"2023-11-{14 + n // 7:02d}T{n:02d}:10:00Z")
RECORDS = st.fixed_dictionaries(
    {"account": st.sampled_from("XY")},
    optional={
        "bytes": st.one_of(st.integers(0, 2**66), st.sampled_from(["0.1", "2.50", "no"])),
        "cell": st.sampled_from(["c1", "c2", None]),
        "at": INSTANTS,
        "until": INSTANTS,
        "id": st.integers(1, 6),
        "type": st.sampled_from(["data", "voice"]),
    },
)
STEPS = st.lists(
    st.tuples(
        st.sampled_from([1, MINUTE_MS, 7 * MINUTE_MS, HOUR_MS, BIG_MS]),
        st.integers(0, 1),
        st.lists(RECORDS, max_size=4),
    ),
    min_size=1,
    max_size=12,
)


@st.composite
def documents(draw: st.DrawFn, plain: bool = False) -> dict[str, Any]:
    """An aggregator; with `plain` one whose sessions don't depend on what was before them."""
    flush: dict[str, Any] = {"by": "timeout"}
    flush["timeout"] = draw(st.sampled_from(TIMEOUTS if plain else TIMEOUTS + MOVING))
    condition = draw(st.sampled_from(CONDITIONS))
    if condition is not None:
        flush["conditions"] = condition
    operations = ["sum", "max", "average", "count", "carry_first", "carry_last"]
    chosen = draw(st.lists(st.sampled_from(operations), unique=True))
    document = aggregator(flush=flush, ttl_days=1)
    document["aggregate"] = [
        {"field": "*", "operation": "count"},
        *({"field": "cell" if "carry" in o else "bytes", "operation": o} for o in chosen),
    ]
    if draw(st.booleans()):
        document["filter"] = {"field": "type", "op": "!=", "value": "voice"}
    if draw(st.booleans()):
        document["group"]["periods"] = [{"field": "at", "period": "day", "timezone": "UTC"}]
    if draw(st.booleans()):
        document["keyed_by"] = ["account"]
    if draw(st.booleans()):
        document["event_time"] = "at"
    if not plain and draw(st.booleans()):
        document["event_id"] = "id"
    if draw(st.booleans()):
        document["output"] = {"topic": "aggregates", "envelope": "cloudevents"}
    return document


def lived(folder: Path, document: dict[str, Any], history: Any, since: Since) -> tuple[Any, ...]:
    """(result, flushes that happened, those of the what-if) after that history."""

    async def run() -> tuple[Any, ...]:
        async with House(folder).open() as worker:
            worker.paused = True
            for number in worker.engine.shards.owned:
                async with worker.engine.shards.use(number):
                    pass  # it is open now
            await apply(worker, document)
            for step_ms, partition, records in history:
                worker.clock.advance(step_ms)
                await settle(worker)
                if records:
                    rows = [(r["account"].encode(), json.dumps(r).encode(), None, ())
                            for r in records]  # fmt: skip
                    await worker.log.append("usage", partition, rows)
                    await settle(worker)
            before = kept(worker)
            store = MemoryStore()
            rule = compile_rule(worker.documents.rule("acc", 1).document, 1)
            found = await Run(worker.parts, rule, since, store).go()
            assert kept(worker) == before
            for processor in worker.engine.shards.open_ones().values():
                processor.shard.check()
            return found, side(store, HAPPENED), side(store, WHAT_IF)

    return asyncio.run(run())


def kept(worker: Living) -> dict[Any, Any]:
    """Everything on the log, but for what the console itself cuts there by the day."""
    return {
        tp: list(rows)
        for tp, rows in worker.log.rows.items()
        if rows and tp[0] != "aggregates.audit"
    }


async def apply(worker: Living, document: dict[str, Any]) -> None:
    change = {"kind": "aggregator", "name": "acc", "document": document}
    row = (b"aggregator/acc", json.dumps(change).encode(), None, ())
    await worker.log.append("config", 0, [row])
    await settle(worker)


async def settle(worker: Living) -> None:
    """Applies what waits: what is routed needs a second look."""
    for _ in range(3):
        await worker.work()


def side(store: MemoryStore, kind: bytes) -> list[tuple[bytes, bytes]]:
    """The flushes of one side, by key."""
    return [(key[1:], value) for key, value in store.scan(kind, bytes([kind[0] + 1]))]


@settings(max_examples=60, deadline=None)
@given(documents(), STEPS)
def test_all_that_is_retained_gives_the_same_flushes(
    document: dict[str, Any], history: Any
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        found, happened, what_if = lived(Path(folder), document, history, Since("beginning"))
    assert what_if == happened
    assert found.groups["same"] == sum(found.groups.values())


@settings(max_examples=40, deadline=None)
@given(documents(plain=True), STEPS, st.integers(0, 11))
def test_a_part_of_it_gives_the_flushes_of_sessions_that_began_in_it(
    document: dict[str, Any], history: Any, at: int
) -> None:
    since = Since("instant", START_MS + sum(step[0] for step in history[: at + 1]))
    with tempfile.TemporaryDirectory() as folder:
        found, _, _ = lived(Path(folder), document, history, since)
    assert isinstance(found, WhatIf)
    assert found.groups["same"] == sum(found.groups.values()), found.items
    assert found.flushes_now == found.flushes_what_if
