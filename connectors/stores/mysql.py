"""Negative numbers in MySQL or MariaDB: tables `negative_numbers` and `negative_uploads`."""

from collections.abc import Sequence
from typing import Any

import msgspec

from connectors.stores.base import Page, Value, Write
from connectors.stores.mysql_pool import MysqlPool
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

CHUNK = 1_000  # rows of a transaction
# Binary collation: ids and places sort and compare as bytes, as on the twin.
_END = ") ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin"
SCHEMA = {
    "negative_numbers": (
        "CREATE TABLE IF NOT EXISTS negative_numbers (id VARCHAR(255) NOT NULL PRIMARY KEY,"
        " version BIGINT NOT NULL, request_id VARCHAR(150), place VARCHAR(255),"
        " upload_id VARCHAR(200), row_no BIGINT, number VARCHAR(64), result VARCHAR(255),"
        " withdrawn_at VARCHAR(255), uploaded_by VARCHAR(255), uploaded_at VARCHAR(255),"
        " filename VARCHAR(255), value LONGTEXT,"
        " KEY numbers_of_request (request_id, place, id),"
        f" KEY numbers_by_number (number, request_id, place){_END}"
    ),
    "negative_uploads": (
        "CREATE TABLE IF NOT EXISTS negative_uploads (id VARCHAR(255) NOT NULL PRIMARY KEY,"
        " version BIGINT NOT NULL, request_id VARCHAR(150), upload_id VARCHAR(200),"
        " uploaded_by VARCHAR(255), uploaded_at VARCHAR(255), filename VARCHAR(255),"
        " value LONGTEXT,"
        f" KEY uploads_of_request (request_id, upload_id, id){_END}"
    ),
}


def _upsert(table: str, columns: Sequence[str]) -> str:
    """The version comes last: what stands behind it would see the new one already."""
    others = [column for column in columns if column not in ("id", "version")]
    changed = ", ".join(
        f"{column} = IF(VALUES(version) > version, VALUES({column}), {column})"
        for column in [*others, "version"]
    )
    return (
        f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join(['%s'] * len(columns))})"
        f" ON DUPLICATE KEY UPDATE {changed}"
    )


_NUMBER, _UPLOAD = _upsert("negative_numbers", NUMBERS), _upsert("negative_uploads", UPLOADS)


def _has_person(value: str) -> bool:
    row = msgspec.json.decode(value)
    return row.get("number") is not None or row.get("value") is not None


class MysqlNegatives:
    """See `Negatives`. `url`: mysql://USER:PASSWORD@HOST:PORT/DATABASE; the first call that reaches
    the server makes the tables."""

    def __init__(self, url: str, timeout_s: float = 10.0) -> None:
        self._pool = MysqlPool(url, SCHEMA, timeout_s)

    async def write(self, writes: Sequence[Write]) -> None:
        """See `Negatives`. A transaction for each thousand."""
        wanted = newest(writes, SCHEMA)
        rows = [(_NUMBER, number_row(write)) for write in wanted.get("negative_numbers", ())]
        rows += [(_UPLOAD, upload_row(write)) for write in wanted.get("negative_uploads", ())]
        for at in range(0, len(rows), CHUNK):
            chunk = rows[at : at + CHUNK]

            async def work(cursor: Any, chunk: Sequence[tuple[str, Any]] = chunk) -> None:
                for statement in (_NUMBER, _UPLOAD):
                    values = [row for each, row in chunk if each == statement]
                    if values:
                        await cursor.executemany(statement, values)

            await self._pool.transaction(work)

    async def upload(self, request_id: str, upload_id: str) -> Value | None:
        """See `Negatives`."""
        rows = await self._rows(
            "SELECT value FROM negative_uploads WHERE request_id = %s AND upload_id = %s"
            " ORDER BY id LIMIT 1",
            (request_id, upload_id),
        )
        return msgspec.json.decode(rows[0][0]) if rows else None

    async def uploads(self, request_id: str, cursor: str | None = None, limit: int = 100) -> Page:
        """See `Negatives`."""
        limit = page_limit(limit)
        upload_id, ident = place_of(cursor, 2) if cursor else ("", "")
        rows = await self._rows(
            "SELECT value, upload_id, id FROM negative_uploads FORCE INDEX (uploads_of_request)"
            " WHERE request_id = %s AND upload_id >= %s AND (upload_id > %s OR id > %s)"
            " ORDER BY upload_id, id LIMIT %s",
            (request_id, upload_id, upload_id, ident, limit + 1),
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
        own = "" if number is None else " AND number = %s"
        given = () if number is None else (number,)
        rows = await self._rows(
            f"SELECT value, place, id FROM negative_numbers FORCE INDEX ({by})"
            f" WHERE request_id = %s{own} AND place >= %s AND place < %s"
            " AND (place > %s OR id > %s) ORDER BY place, id LIMIT %s",
            (request_id, *given, max(first, place), end, place, ident, limit + 1),
        )
        return page_of(rows, limit)

    async def withdraw(self, request_id: str, number: str, at: str, actor: str) -> int:
        """See `Negatives`."""

        async def work(cursor: Any) -> int:
            await cursor.execute(
                "SELECT id, value FROM negative_numbers WHERE number = %s AND request_id = %s"
                " AND withdrawn_at IS NULL ORDER BY id FOR UPDATE",
                (number, request_id),
            )
            rows = await cursor.fetchall()
            for ident, value in rows:
                await cursor.execute(
                    "UPDATE negative_numbers SET withdrawn_at = %s, value = %s WHERE id = %s",
                    (at, with_withdrawal(value, at, actor), ident),
                )
            return len(rows)

        return await self._pool.transaction(work)

    async def erase(self, number: str) -> int:
        """See `Negatives`."""

        async def work(cursor: Any) -> int:
            await cursor.execute(
                "SELECT id, value FROM negative_numbers WHERE number = %s ORDER BY id FOR UPDATE",
                (number,),
            )
            rows = await cursor.fetchall()
            for ident, value in rows:
                await cursor.execute(
                    "UPDATE negative_numbers SET number = NULL, value = %s WHERE id = %s",
                    (with_erasure(value), ident),
                )
            return len(rows)

        return await self._pool.transaction(work)

    async def erase_request(self, request_id: str) -> int:
        """See `Negatives`."""
        count, after = 0, ""
        while True:
            rows = await self._rows(
                "SELECT place, id, value FROM negative_numbers FORCE INDEX (numbers_of_request)"
                " WHERE request_id = %s AND place > %s ORDER BY place, id LIMIT %s",
                (request_id, after, CHUNK),
            )
            if not rows:
                return count
            gone = [
                (with_erasure(value), ident)
                for _, ident, value in rows
                if value is not None and _has_person(value)
            ]

            async def work(cursor: Any, gone: list[tuple[str, str]] = gone) -> None:
                await cursor.executemany(
                    "UPDATE negative_numbers SET number = NULL, value = %s WHERE id = %s", gone
                )

            if gone:
                await self._pool.transaction(work)
            count += len(gone)
            after = rows[-1][0]

    async def check(self) -> None:
        """See `Negatives`."""
        await self._rows("SELECT 1 FROM negative_uploads LIMIT 1", ())

    async def close(self) -> None:
        """See `Negatives`."""
        await self._pool.close()

    async def _rows(self, query: str, given: Sequence[object]) -> Sequence[tuple[Any, ...]]:
        async def work(cursor: Any) -> Sequence[tuple[Any, ...]]:
            await cursor.execute(query, given)
            found: Sequence[tuple[Any, ...]] = await cursor.fetchall()
            return found

        return await self._pool.transaction(work)
