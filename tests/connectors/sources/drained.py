"""A connector asked for its pages, without a worker."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from config.documents.registry import load_document
from connectors.files.base import Files
from connectors.outbound import Outbound
from connectors.sources.base import Cursor, Kit, Page, Window
from connectors.sources.caller import Caller
from connectors.sources.registry import connector_class
from connectors.streams.base import Slice
from domain.metrics.records import Attributes
from domain.metrics.source import Source

NOW_MS = 1_700_000_000_000 // 3_600_000 * 3_600_000


async def drained(
    document: Mapping[str, Any],
    cursor: Cursor = None,
    *,
    environ: Mapping[str, str] | None = None,
    now_ms: int = NOW_MS,
    window: Window | None = None,
    tables: Files | None = None,
    archived: Iterable[Attributes] = (),
    found: list[Page] | None = None,
) -> tuple[list[Page], int | None]:
    """The pages behind the cursor, and the calls that are left. Raises CallFailed; `found` has the
    pages before that."""
    body = {"kind": "source", "name": "s", "schedule": "0 * * * *", **document}
    source = load_document({"retry": {"times": 1, "first": "1ms"}, **body})
    assert isinstance(source, Source)
    caller = Caller(Outbound(loopback=True), source.backoff)

    async def deliveries(offset: int) -> Slice:
        return Slice([], offset, offset)

    kit = Kit(
        source, caller, environ or {}, lambda: now_ms, deliveries,
        None if tables is None else lambda: tables, lambda: iter(archived),
    )  # fmt: skip
    connector = connector_class(source.connector)(kit)
    try:
        pages = [] if found is None else found
        async for page in connector.fetch(cursor, window):
            pages.append(page)
        return pages, caller.quota_left
    finally:
        await caller.close()
