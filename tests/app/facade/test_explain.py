"""From a flush back to the very records it was made of."""

import asyncio
import json
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from app.backend import FlushNotFound
from app.history_shapes import Explained, Whereabouts
from tests.app.facade.house import HOUR_MS, House, Living, aggregator

NOWHERE = Whereabouts()
RECORDS = st.fixed_dictionaries(
    {
        "account": st.sampled_from("XY"),
        "bytes": st.one_of(st.integers(0, 9), st.just("no number")),
        "type": st.sampled_from(["data", "voice"]),
        "id": st.integers(1, 4),
    }
)
STEPS = st.lists(
    st.tuples(st.sampled_from(["send", "send", "send", "wait", "change"]), st.integers(0, 1),
              st.lists(RECORDS, max_size=4)),
    max_size=12,
)  # fmt: skip


def live(folder: Path, steps: Callable[[Living], Awaitable[None]]) -> None:
    """Runs `steps` with a worker of its own."""

    async def run() -> None:
        async with House(folder).open() as worker:
            await steps(worker)

    asyncio.run(run())


async def settle(worker: Living) -> None:
    """Applies what waits: what is routed needs a second look."""
    for _ in range(3):
        await worker.work()


async def put(worker: Living, document: dict[str, Any]) -> None:
    change = {"kind": "aggregator", "name": document["name"], "document": document}
    row = (f"aggregator/{document['name']}".encode(), json.dumps(change).encode(), None, ())
    await worker.log.append("config", 0, [row])
    await settle(worker)


async def flush_all(worker: Living) -> None:
    worker.clock.advance(2 * HOUR_MS)
    await settle(worker)


def flushes(worker: Living) -> list[dict[str, Any]]:
    return [
        json.loads(item[3] or b"")
        for (topic, _), rows in sorted(worker.log.rows.items())
        for item in rows
        if topic == "aggregates"
    ]


async def explained(
    worker: Living, flush_id: str, where: Whereabouts = NOWHERE, limit: int = 100
) -> Explained:
    found = await worker.facade.explain("acc", flush_id, where, limit, None)
    assert found is not None
    return found


def positions(found: Explained) -> list[tuple[int, int]]:
    return [(each.record.partition, each.record.offset) for each in found.records]


def test_a_flush_leads_to_its_records_and_its_document(tmp_path: Path) -> None:
    async def steps(worker: Living) -> None:
        await put(worker, aggregator(filter={"field": "type", "op": "==", "value": "data"}))
        records = [
            {"account": "X", "bytes": 1, "type": "data"},
            {"account": "Y", "bytes": 2, "type": "data"},
            {"account": "X", "bytes": 4, "type": "voice"},
            {"account": "X", "bytes": "no", "type": "data"},
            {"account": "X", "bytes": 8, "type": "data"},
        ]
        await worker.log.append(
            "usage", 1, [(None, json.dumps(each).encode(), None, ()) for each in records]
        )
        await settle(worker)
        await flush_all(worker)
        (x,) = [flush for flush in flushes(worker) if flush["group"] == {"account": "X"}]
        for where in (NOWHERE, Whereabouts(key='["X"]'), Whereabouts(group={"account": "X"})):
            found = await explained(worker, x["id"], where)
            assert positions(found) == [(1, 0), (1, 4)]
            assert json.loads(found.record) == x
        assert found.document is not None and found.document.version == 1
        (source,) = found.sources
        assert (source.count, source.found, source.gone) == (2, 2, 0)

    live(tmp_path, steps)


def test_pages_add_up(tmp_path: Path) -> None:
    async def steps(worker: Living) -> None:
        await put(worker, aggregator())
        for partition in (0, 1):
            row = (None, b'{"account":"X","bytes":1}', None, ())
            await worker.log.append("usage", partition, [row] * 5)
        await settle(worker)
        await flush_all(worker)
        ((flush),) = flushes(worker)
        seen, cursor = [], None
        while True:
            found = await worker.facade.explain("acc", flush["id"], NOWHERE, 3, cursor)
            assert found is not None and len(found.records) <= 3
            seen += positions(found)
            cursor = found.next
            if cursor is None:
                break
        assert seen == [(p, o) for p in (0, 1) for o in range(5)]
        assert [(s.found, s.gone) for s in found.sources] == [(5, 0), (5, 0)]

    live(tmp_path, steps)


def test_an_open_session_is_explained_by_its_key(tmp_path: Path) -> None:
    async def steps(worker: Living) -> None:
        await put(worker, aggregator())
        await worker.send({"account": "X", "bytes": 1})
        page = await worker.facade.sessions("acc", {}, 1, None)
        assert page is not None
        flush_id = json.loads(page.items[0].record)["id"]
        found = await explained(worker, flush_id, Whereabouts(group={"account": "X"}))
        assert found.at_ms is None and len(found.records) == 1
        with pytest.raises(FlushNotFound, match="among retained flushes"):
            await explained(worker, flush_id)

    live(tmp_path, steps)


def test_what_retention_took_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def steps(worker: Living) -> None:
        await put(worker, aggregator())
        row = (None, b'{"account":"X","bytes":1}', None, ())
        await worker.log.append("usage", 0, [row] * 5)
        await settle(worker)
        await flush_all(worker)
        (flush,) = flushes(worker)
        kept = worker.log.read

        async def read(topic: str, partition: int, offset: int, **more: Any) -> Any:
            return await kept(topic, partition, max(offset, 3) if topic == "usage" else offset)

        monkeypatch.setattr(worker.log, "read", read)
        found = await explained(worker, flush["id"])
        assert positions(found) == [(0, 3), (0, 4)]
        assert [(s.found, s.gone) for s in found.sources] == [(2, 3)]

    live(tmp_path, steps)


@settings(max_examples=60, deadline=None)
@given(STEPS)
def test_every_session_is_explained_by_exactly_its_records(history: Any) -> None:
    document = aggregator(
        filter={"field": "type", "op": "==", "value": "data"}, event_id="id", dedup_days=1
    )
    other = {**document, "filter": {"field": "type", "op": "==", "value": "voice"}}

    async def steps(worker: Living) -> None:
        worker.paused = True
        await put(worker, document)
        current = "data"
        seen: dict[tuple[str, int], Any] = {}
        opened: dict[str, list[Any]] = {}
        done: list[list[Any]] = []

        def end() -> None:
            done.extend(opened.values())
            opened.clear()

        for what, partition, records in history:
            if what == "wait":
                await flush_all(worker)
                end()
            elif what == "change":
                current = "voice" if current == "data" else "data"
                await put(worker, document if current == "data" else other)
            else:
                worker.clock.advance(1)
                rows = [(None, json.dumps(each).encode(), None, ()) for each in records]
                if not rows:
                    continue
                first, _ = await worker.log.append("usage", partition, rows)
                await settle(worker)
                for offset, each in enumerate(records, first):
                    if each["type"] != current or each["bytes"] == "no number":
                        continue
                    name, at = each["account"], (partition, offset)
                    duplicate = (name, each["id"]) in seen
                    seen.setdefault((name, each["id"]), at)
                    if not duplicate or name in opened:
                        opened.setdefault(name, []).append((at, duplicate))
        await flush_all(worker)
        end()
        found = [
            await explained(
                worker, flush["id"], Whereabouts(key=json.dumps([flush["group"]["account"]]))
            )
            for flush in flushes(worker)
        ]
        told = [
            sorted(((r.record.partition, r.record.offset), r.duplicate) for r in each.records)
            for each in found
        ]
        assert sorted(told) == sorted(map(within, done))
        for each in found:
            assert all(source.gone == 0 for source in each.sources)

    with tempfile.TemporaryDirectory() as folder:
        live(Path(folder), steps)


def within(session: list[Any]) -> list[Any]:
    """What a session is explained by: its records, and duplicates that lie between them."""
    counted = [at for at, duplicate in session if not duplicate]
    ends = {p: [at for at in counted if at[0] == p] for p, _ in counted}
    return sorted(
        (at, duplicate)
        for at, duplicate in session
        if at[0] in ends and min(ends[at[0]]) <= at <= max(ends[at[0]])
    )
