"""Rows of keyed state by key and by prefix."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from agents.campaign_parcels import parcels
from agents.campaign_route import EVENTS, route
from app.facade import shard_rows
from app.facade.ledger_rows import LEDGERS
from app.facade.shard_rows import due_range
from app.insight_parts import InsightParts
from app.ledger_parts import LedgerMeans
from app.recoveries import Recoveries
from connectors.streams.base import Item
from domain.aggregation.instants import parse_instant, print_instant
from tables.layout import wake_key
from tests.app.facade.house import HOUR_MS, NAMES, House, Living, aggregator

Story = Callable[[Living], Awaitable[None]]


def tell(tmp_path: Path, story: Story) -> None:
    async def work() -> None:
        async with House(tmp_path).open() as living:
            await living.put(aggregator())
            await living.send(*({"account": f"a{n}", "bytes": n} for n in range(5)))
            await story(living)

    asyncio.run(work())


async def every(living: Living, table: str, prefix: str = "") -> list[Any]:
    """All rows of a table with the prefix, two at a time."""
    rows: list[Any] = []
    cursor: str | None = None
    while True:
        page = await living.facade.table_rows(table, prefix, 2, cursor)
        assert page is not None
        rows += page.items
        cursor = page.next
        if cursor is None:
            return rows


def test_every_table_that_is_listed_has_rows(tmp_path: Path) -> None:
    async def story(living: Living) -> None:
        for table in await living.facade.tables():
            if table.name in LEDGERS:
                continue  # see below: this worker has none of their shards
            rows = await every(living, table.name)
            assert rows
            assert table.rows in (None, len(rows))
            one = await living.facade.table_row(table.name, rows[0].key)
            assert one == rows[0]
        assert await living.facade.table_rows("nothing", "", 10, None) is None
        assert await living.facade.table_row("nothing", "x") is None

    tell(tmp_path, story)


def test_rows_of_ledgers_are_found_by_prefix_and_by_key_whatever_its_bytes(tmp_path: Path) -> None:
    async def story(living: Living) -> None:
        events = [{"kind": "usage", "what": "lead", "campaign": f"c{n}"} for n in range(5)]
        await taken(living, events)
        rows = await every(living, "insight")
        assert len({row.key for row in rows}) == len(rows) > 10
        for row in rows:
            assert await living.facade.table_row("insight", row.key) == row
        days = await every(living, "insight", "gd")
        assert [row.key[-2:] for row in days] == [f"c{n}" for n in range(5)]
        assert await living.facade.table_row("insight", "gd") is None

    tell(tmp_path, story)


async def taken(living: Living, events: list[dict[str, Any]]) -> None:
    """Lets the worker take events of nobody in particular, which are all on one shard."""
    ledger = (
        living.parts.settings, NAMES, living.clock, living.log, living.worker, living.engine.send,
        lambda _step: None, Recoveries(living.clock.now_ms),
    )  # fmt: skip
    insight = InsightParts(LedgerMeans(*ledger))
    object.__setattr__(living.parts, "insight", insight)
    await insight.work.assign({(NAMES.insight_in, number) for number in (0, 1)})
    items: list[Item] = [
        (offset, living.clock.now_ms(), None, json.dumps(event).encode(), ())
        for offset, event in enumerate(events)
    ]
    for number, entries in route(EVENTS, 0, items, 2, 0).watched.items():
        parcel = (0, living.clock.now_ms(), None, parcels(entries)[0], ())
        await insight.work.take(number, [parcel], lambda: True)
    for number in (0, 1):
        async with insight.work.shards.use(number):
            pass


def test_session_rows_are_found_by_prefix_and_by_the_session_key_alone(tmp_path: Path) -> None:
    async def story(living: Living) -> None:
        rows = await every(living, "sessions", "acc/")
        assert [row.key.split("/", 2)[2] for row in rows] == [f'["a{n}"]' for n in range(5)]
        assert [row.key for row in await every(living, "sessions", rows[3].key)] == [rows[3].key]
        found = await living.facade.table_row("sessions", '["a2"]')
        assert found == rows[2]
        assert await every(living, "sessions", "ac/") == []
        assert await living.facade.table_row("sessions", '["a9"]') is None
        value = json.loads(rows[4].value)
        assert value["open"]["accumulators"] == [4]
        assert value["open"]["created"] == print_instant(living.clock.now_ms())

    tell(tmp_path, story)


def test_the_due_index_is_read_by_time(tmp_path: Path) -> None:
    async def story(living: Living) -> None:
        due = print_instant(living.clock.now_ms() + HOUR_MS)
        for prefix in ("", due[:4], due[:6], due[:16], due, due + " acc/"):
            assert len(await every(living, "due", prefix)) == 5
        for prefix in ("2022", due[:13] + ":59", "soon"):
            assert await every(living, "due", prefix) == []

    tell(tmp_path, story)


def test_rows_are_counted_out_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shard_rows, "PIECE", 2)

    async def story(living: Living) -> None:
        for table in ("sessions", "due"):
            page = await living.facade.table_rows(table, "", 100, None)
            assert page is not None
            assert len({row.key for row in page.items}) == len(page.items) == 5

    tell(tmp_path, story)


def test_documents_and_routes_tell_what_was_decided(tmp_path: Path) -> None:
    async def story(living: Living) -> None:
        (version,) = await every(living, "documents", "aggregator/acc/")
        assert json.loads(version.value)["document"] == aggregator()
        routes = await every(living, "routes", "usage/")
        assert sum(json.loads(row.value)["records"] for row in routes) == 5

    tell(tmp_path, story)


@pytest.mark.parametrize("prefix", ["2024", "2024-02", "2024-02-29", "2024-02-29T12", "2024-0"])
def test_a_range_of_the_due_index_holds_what_begins_so(prefix: str) -> None:
    first, end = due_range(prefix)
    inside = parse_instant("2024-02-29T12:30:00Z")
    outside = parse_instant("2026-02-28T12:30:00Z")
    assert inside is not None
    assert outside is not None
    assert first <= wake_key(inside, b"") < end
    assert not first <= wake_key(outside, b"") < end
