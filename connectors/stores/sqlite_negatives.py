"""Negative numbers in one SQLite file: the embedded twin of `mysql`."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from connectors.stores.base import Page, Value, Write
from connectors.stores.negative_rows import (
    NUMBERS,
    UPLOADS,
    number_row,
    page_of,
    upload_row,
    with_erasure,
    with_withdrawal,
)
from connectors.stores.shapes import newest, page_limit, place_of, upload_span
from connectors.stores.sqlite_file import SqliteFile

STEP = 1_000  # rows of a transaction
SCHEMA = """
CREATE TABLE IF NOT EXISTS negative_numbers (
    id TEXT PRIMARY KEY, version INTEGER NOT NULL, request_id TEXT, place TEXT, upload_id TEXT,
    row_no INTEGER, number TEXT, result TEXT, withdrawn_at TEXT, uploaded_by TEXT,
    uploaded_at TEXT, filename TEXT, value TEXT
) STRICT;
CREATE INDEX IF NOT EXISTS numbers_of_request ON negative_numbers (request_id, place, id);
CREATE INDEX IF NOT EXISTS numbers_by_number ON negative_numbers (number, request_id, place, id);
CREATE TABLE IF NOT EXISTS negative_uploads (
    id TEXT PRIMARY KEY, version INTEGER NOT NULL, request_id TEXT, upload_id TEXT,
    uploaded_by TEXT, uploaded_at TEXT, filename TEXT, value TEXT
) STRICT;
CREATE INDEX IF NOT EXISTS uploads_of_request ON negative_uploads (request_id, upload_id, id);
"""


def _upsert(table: str, columns: Sequence[str]) -> str:
    changed = ", ".join(f"{column} = excluded.{column}" for column in columns if column != "id")
    return (
        f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"
        f" ON CONFLICT (id) DO UPDATE SET {changed} WHERE excluded.version > {table}.version"
    )


_NUMBER, _UPLOAD = _upsert("negative_numbers", NUMBERS), _upsert("negative_uploads", UPLOADS)


class SqliteNegatives:
    """See `Negatives`."""

    def __init__(self, path: Path) -> None:
        self._file = SqliteFile(path, SCHEMA)

    async def write(self, writes: Sequence[Write]) -> None:
        """See `Negatives`. One transaction."""
        wanted = newest(writes, ("negative_numbers", "negative_uploads"))
        if not wanted:
            return
        numbers = [number_row(write) for write in wanted.get("negative_numbers", ())]
        uploads = [upload_row(write) for write in wanted.get("negative_uploads", ())]

        def work(connection: sqlite3.Connection) -> None:
            connection.executemany(_NUMBER, numbers)
            connection.executemany(_UPLOAD, uploads)

        await self._file.write(work)

    async def upload(self, request_id: str, upload_id: str) -> Value | None:
        """See `Negatives`."""
        rows = await self._rows(
            "SELECT value FROM negative_uploads WHERE request_id = ? AND upload_id = ?"
            " ORDER BY id LIMIT 1",
            (request_id, upload_id),
        )
        return msgspec.json.decode(rows[0][0]) if rows else None

    async def uploads(self, request_id: str, cursor: str | None = None, limit: int = 100) -> Page:
        """See `Negatives`."""
        limit = page_limit(limit)
        upload_id, ident = place_of(cursor, 2) if cursor else ("", "")
        rows = await self._rows(
            "SELECT value, upload_id, id FROM negative_uploads INDEXED BY uploads_of_request"
            " WHERE request_id = ? AND (upload_id, id) > (?, ?) ORDER BY upload_id, id LIMIT ?",
            (request_id, upload_id, ident, limit + 1),
        )
        return page_of(rows, limit)

    async def numbers(
        self, request_id: str, upload_id: str | None = None, number: str | None = None,
        cursor: str | None = None, limit: int = 100,
    ) -> Page:  # fmt: skip
        """See `Negatives`."""
        limit = page_limit(limit)
        first, end = upload_span(upload_id)
        place, ident = place_of(cursor, 2) if cursor else ("", "")
        by = "numbers_of_request" if number is None else "numbers_by_number"
        own = "" if number is None else " AND number = ?"
        given = () if number is None else (number,)
        rows = await self._rows(
            f"SELECT value, place, id FROM negative_numbers INDEXED BY {by} WHERE request_id = ?"
            f"{own} AND place >= ? AND place < ? AND (place, id) > (?, ?)"
            " ORDER BY place, id LIMIT ?",
            (request_id, *given, first, end, place, ident, limit + 1),
        )
        return page_of(rows, limit)

    async def withdraw(self, request_id: str, number: str, at: str, actor: str) -> int:
        """See `Negatives`."""

        def work(connection: sqlite3.Connection) -> int:
            rows = connection.execute(
                "SELECT id, value FROM negative_numbers WHERE number = ? AND request_id = ?"
                " AND withdrawn_at IS NULL",
                (number, request_id),
            ).fetchall()
            connection.executemany(
                "UPDATE negative_numbers SET withdrawn_at = ?, value = ? WHERE id = ?",
                [(at, with_withdrawal(value, at, actor), ident) for ident, value in rows],
            )
            return len(rows)

        return await self._file.write(work)

    async def erase(self, number: str) -> int:
        """See `Negatives`."""

        def work(connection: sqlite3.Connection) -> int:
            rows = connection.execute(
                "SELECT id, value FROM negative_numbers WHERE number = ?", (number,)
            ).fetchall()
            connection.executemany(
                "UPDATE negative_numbers SET number = NULL, value = ? WHERE id = ?",
                [(with_erasure(value), ident) for ident, value in rows],
            )
            return len(rows)

        return await self._file.write(work)

    async def erase_request(self, request_id: str) -> int:
        """See `Negatives`."""

        def work(connection: sqlite3.Connection) -> int:
            rows = connection.execute(
                "SELECT id, value FROM negative_numbers INDEXED BY numbers_of_request"
                " WHERE request_id = ? AND json_extract(value, '$.value') IS NOT NULL LIMIT ?",
                (request_id, STEP),
            ).fetchall()
            connection.executemany(
                "UPDATE negative_numbers SET number = NULL, value = ? WHERE id = ?",
                [(with_erasure(value), ident) for ident, value in rows],
            )
            return len(rows)

        count = 0
        while found := await self._file.write(work):
            count += found
        return count

    async def check(self) -> None:
        """See `Negatives`."""
        await self._rows("SELECT 1 FROM negative_uploads LIMIT 1", ())

    async def close(self) -> None:
        """See `Negatives`."""
        await self._file.close()

    async def _rows(self, query: str, given: Sequence[object]) -> list[tuple[Any, ...]]:
        return await self._file.read(lambda connection: connection.execute(query, given).fetchall())
