"""The tables of keyed state, row by row, from the workers that own them."""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from app.facade.cursors import cursor_of, place_of
from app.facade.ledger_rows import LEDGERS, QUESTION, LedgerRows, key_bytes
from app.facade.owners import Owners, Told, page
from app.facade.parts import Parts
from app.facade.routes import Routes
from app.facade.shard_rows import ROWS_TABLES
from app.shapes import Page, TableInfo, TableRow
from domain.aggregation.flush import to_json
from domain.aggregation.instants import print_instant
from tables.documents import Version

LOOKED = 5_000  # rows looked at for an answer: what was erased or is no row of this table, too

PURPOSES = {
    "sessions": "open sessions and what is left of flushed ones, by aggregator and group values",
    "due": "when which session is to be looked at next",
    "campaigns": "campaigns, their records and FDDs, negatives, counts, timers",
    "rollups": "values of records of sources, buckets of every grain",
    "insight": "funnel and usage events, their figures",
    "documents": "every version of every document",
    "routes": "routing decisions on each input partition, and what was refused there",
}


class Tables:
    """See `Backend`, section Tables."""

    def __init__(self, parts: Parts, owners: Owners, routes: Routes) -> None:
        self._parts = parts
        self._owners = owners
        self._routes = routes
        self._ledgers = LedgerRows(parts)
        self.questions = self._ledgers.questions

    async def listed(self) -> list[TableInfo]:
        """The tables."""
        documents = self._parts.documents.history.values()
        inputs = await self._routes.latest()
        rows = {"documents": sum(map(len, documents)), "routes": len(inputs)}
        partitions = {"documents": 1, "routes": len(inputs)}
        for name in LEDGERS:
            partitions[name] = await self._parts.partitions(self._ledgers.topic(name)) or 0
        return [
            TableInfo(name, partitions.get(name, self._parts.shards), purpose, rows.get(name))
            for name, purpose in PURPOSES.items()
        ]

    async def one(self, table: str, key: str) -> TableRow | None:
        """See `Backend.table_row`."""
        if table in ROWS_TABLES:
            asked = {"table": table, "prefix": "", "exact": key, "after": None, "limit": 1}
            told = await self._owners.all("rows", asked, or_copy=True)
            return next(_rows(told, page(told, 1)[0]), None)
        if table in LEDGERS:
            page_of_one = await self._of_ledger(table, b"", key_bytes(key), 1, None)
            return next(iter(page_of_one.items), None)
        rows_here = await self._here(table)
        return next((row for row in rows_here or () if row.key == key), None)

    async def rows(
        self, table: str, prefix: str, limit: int, cursor: str | None
    ) -> Page[TableRow] | None:
        """See `Backend.table_rows`."""
        if table in ROWS_TABLES:
            after = None if cursor is None else place_of(cursor, bytes)
            asked = {"table": table, "prefix": prefix, "exact": None}
            found, reached, told = await self._owners.rows(
                "rows", asked, limit, after, examine=LOOKED
            )
            return Page([*_rows(told, found)], None if reached is None else cursor_of(reached))
        if table in LEDGERS:
            return await self._of_ledger(table, key_bytes(prefix), None, limit, cursor)
        here = await self._here(table)
        if here is None:
            return None
        start = "" if cursor is None else place_of(cursor, str)
        wanted = [row for row in here if row.key.startswith(prefix) and row.key > start]
        following = cursor_of(wanted[limit - 1].key) if len(wanted) > limit else None
        return Page(wanted[:limit], following)

    async def _of_ledger(
        self, table: str, prefix: bytes, exact: bytes | None, limit: int, cursor: str | None
    ) -> Page[TableRow]:
        after = None if cursor is None else place_of(cursor, bytes)
        asked = {"table": table, "prefix": prefix, "exact": exact}
        count = await self._parts.partitions(self._ledgers.topic(table)) or 0
        found, reached, told = await self._owners.rows(QUESTION, asked, limit, after, count)
        return Page([*_rows(told, found)], None if reached is None else cursor_of(reached))

    async def _here(self, table: str) -> list[TableRow] | None:
        """All rows of a table that every worker can tell; None for no such table."""
        if table == "documents":
            return sorted(self._documents(), key=lambda row: row.key)
        if table != "routes":
            return None
        return [
            TableRow(
                f"{topic}/{partition}",
                to_json(msgspec.structs.asdict(route) | {"until": print_instant(route.until)}),
                partition,
            )
            for (topic, partition), route in sorted((await self._routes.latest()).items())
        ]

    def _documents(self) -> Iterator[TableRow]:
        for (kind, name), versions in self._parts.documents.history.items():
            for version in versions:
                yield TableRow(f"{kind}/{name}/{version.version}", _shown(version), 0)


def _rows(told: Told, found: Sequence[tuple[int, str, list[Any]]]) -> Iterator[TableRow]:
    for number, worker, (_, key, value) in found:
        yield TableRow(key, value, number, worker, told[number][1].get("age_s"))


def _shown(version: Version) -> bytes:
    document = None if version.document is None else msgspec.Raw(version.document.encode())
    at = print_instant(version.at)
    return to_json(msgspec.structs.asdict(version) | {"document": document, "at": at})
