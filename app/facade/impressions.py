"""The tables of impressions, as their manifests tell of them. Nothing is kept: every answer is read
anew, on a thread."""

import asyncio
from typing import Any

from agents.impressions.report import existing, loads, status
from agents.impressions.store import Store
from app.facade.cursors import cursor_of, place_of
from app.facade.parts import Parts
from app.impressions import tables_of
from app.shapes import Page
from connectors.files.base import Files


def table_of(files: Files, table: str) -> dict[str, Any] | None:
    """See `ImpressionsBackend.impressions_table`. Blocks."""
    store = Store(files)
    if table not in existing(store):
        return None
    return status(store, table).as_json()


def loads_of(files: Files, limit: int, cursor: str | None) -> Page[dict[str, Any]]:
    """See `ImpressionsBackend.impressions_loads`; a cursor holds the last load told. Blocks."""
    place = None if cursor is None else tuple(place_of(cursor, tuple[str, str]))
    found = sorted(loads(Store(files)), key=_place, reverse=True)
    rest = [one for one in found if place is None or _place(one) < place]
    page = rest[:limit]
    return Page(page, cursor_of(_place(page[-1])) if len(rest) > limit else None)


def _place(load: dict[str, Any]) -> tuple[str, str]:
    return str(load["started"]), str(load["load"])


class ImpressionsArea:
    """The facade's part of `ImpressionsBackend`."""

    _parts: Parts

    async def impressions_table(self, table: str) -> dict[str, Any] | None:
        return await asyncio.to_thread(table_of, tables_of(self._parts.settings), table)

    async def impressions_loads(self, limit: int, cursor: str | None) -> Page[dict[str, Any]]:
        files = tables_of(self._parts.settings)
        return await asyncio.to_thread(loads_of, files, limit, cursor)
