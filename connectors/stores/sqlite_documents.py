"""FDDs and campaigns in one SQLite file: the embedded twin of `mongo`."""

import sqlite3
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from connectors.stores.alike import as_json, ids_of, places_of
from connectors.stores.base import (
    FddCount,
    FddFilter,
    Lease,
    Made,
    Page,
    Started,
    Value,
    Write,
)
from connectors.stores.shapes import (
    check_made,
    cursor_of,
    erased,
    newest,
    order_of,
    order_span,
    page_limit,
    place_of,
    starts_of,
)
from connectors.stores.sqlite_file import SqliteFile
from connectors.stores.started import by_start

# fdds: `place` see shapes.order_of; `value` is null for what was deleted. starts: an index over the
# attempts of fdds, which may hold more than there is: what it leads to is looked at.
SCHEMA = """
CREATE TABLE IF NOT EXISTS fdds (
    id TEXT PRIMARY KEY, version INTEGER NOT NULL, request_id TEXT, place TEXT, state TEXT,
    number TEXT, date TEXT, slot TEXT, reason TEXT, reached INTEGER, value TEXT
) STRICT;
CREATE INDEX IF NOT EXISTS fdds_of_request ON fdds (request_id, place);
CREATE INDEX IF NOT EXISTS fdds_by_state ON fdds (request_id, state, place);
CREATE INDEX IF NOT EXISTS fdds_of_number ON fdds (number, place, id);
CREATE TABLE IF NOT EXISTS starts (
    at_ms INTEGER NOT NULL, id TEXT NOT NULL, PRIMARY KEY (at_ms, id)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS campaigns (
    id TEXT PRIMARY KEY, version INTEGER NOT NULL, value TEXT
) STRICT;
"""
_COLUMNS = ("version", "request_id", "place", "state", "number", "date", "slot", "reason",
            "reached", "value")  # fmt: skip
_FDD = (
    f"INSERT INTO fdds (id, {', '.join(_COLUMNS)}) VALUES ({', '.join('?' * 11)})"
    f" ON CONFLICT (id) DO UPDATE SET {', '.join(f'{c} = excluded.{c}' for c in _COLUMNS)}"
    " WHERE excluded.version > fdds.version"
)
_LEASE = (
    "UPDATE fdds SET version = :version, state = 'LEASED', reason = NULL, value = json_set(value,"
    " '$.state', 'LEASED', '$.reason', NULL, '$.attempts', json_array(json_set(:attempt,"
    " '$.execution_id', id || :suffix)))"
    " WHERE id IN (SELECT value FROM json_each(:ids)) AND version < :version AND value IS NOT NULL"
)
_CAMPAIGN = (
    "INSERT INTO campaigns VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE SET"
    " version = excluded.version, value = excluded.value"
    " WHERE excluded.version > campaigns.version"
)
STEP = 1_000  # rows of one transaction of a long job


class SqliteDocuments:
    """See `Documents`."""

    def __init__(self, path: Path) -> None:
        self._file = SqliteFile(path, SCHEMA)

    async def write(self, writes: Sequence[Write]) -> None:
        """See `Documents`. One transaction."""
        wanted = newest(writes, ("fdds", "campaigns"))
        if not wanted:
            return
        fdds = [_row(write) for write in wanted.get("fdds", ())]
        starts = [
            (at_ms, write.id)
            for write in wanted.get("fdds", ())
            if write.value is not None
            for at_ms in starts_of(write.value)
        ]
        campaigns = [(w.id, w.version, _text(w.value)) for w in wanted.get("campaigns", ())]

        def work(connection: sqlite3.Connection) -> None:
            connection.executemany(_FDD, fdds)
            connection.executemany("INSERT OR IGNORE INTO starts VALUES (?, ?)", starts)
            connection.executemany(_CAMPAIGN, campaigns)

        await self._file.write(work)

    async def make(self, made: Sequence[Made]) -> None:
        """See `Documents`. One transaction."""
        rows = [row for each in made for row in _rows_of(each)]
        if rows:
            await self._file.write(lambda connection: connection.executemany(_FDD, rows).rowcount)

    async def lease(self, lease: Lease) -> None:
        """See `Documents`. One transaction."""
        given = {
            "ids": msgspec.json.encode(lease.ids).decode(),
            "version": lease.version,
            "attempt": msgspec.json.encode({"execution_id": "", **lease.attempt}).decode(),
            "suffix": f".{lease.attempt['attempt']}",
        }
        await self._file.write(lambda connection: connection.execute(_LEASE, given).rowcount)

    async def fdd(self, ident: str) -> Value | None:
        """See `Documents`."""
        return await self._one("SELECT value FROM fdds WHERE id = ?", ident)

    async def campaign(self, request_id: str) -> Value | None:
        """See `Documents`."""
        return await self._one("SELECT value FROM campaigns WHERE id = ?", request_id)

    async def campaigns(self, cursor: str | None = None, limit: int = 100) -> Page:
        """See `Documents`."""
        after = place_of(cursor, 1)[0] if cursor else ""
        limit = page_limit(limit)
        rows = await self._rows(
            "SELECT value, id FROM campaigns WHERE id > ? AND value IS NOT NULL"
            " ORDER BY id LIMIT ?",
            (after, limit + 1),
        )
        return _page(rows, limit)

    async def find_fdds(
        self, wanted: FddFilter, cursor: str | None = None, limit: int = 100
    ) -> Page:
        """See `Documents`. With states, the index of each is walked and they are merged."""
        first, end = order_span(wanted.day, wanted.slot)
        after = place_of(cursor, 1)[0] if cursor else ""
        limit = page_limit(limit)
        tests, given = _tests(wanted)
        by = "fdds_of_number" if wanted.number is not None else "fdds_of_request"
        states: Sequence[str | None] = (None,)
        if wanted.states is not None and wanted.number is None:
            by, states = "fdds_by_state", tuple(dict.fromkeys(wanted.states))
        parts, values = [], list[object]()
        for state in states:
            own = "" if state is None else " AND state = ?"
            parts.append(
                f"SELECT value, place FROM fdds INDEXED BY {by} WHERE request_id = ?{own}"
                f" AND place >= ? AND place < ? AND place > ?{tests}"
            )
            state_given = [] if state is None else [state]
            values += [wanted.request_id, *state_given, first, end, after, *given]
        if not parts:
            return Page()
        query = f"{' UNION ALL '.join(parts)} ORDER BY place LIMIT ?"
        return _page(await self._rows(query, (*values, limit + 1)), limit)

    async def find_by_number(
        self, number: str, cursor: str | None = None, limit: int = 100
    ) -> Page:
        """See `Documents`."""
        limit = page_limit(limit)
        place, ident = place_of(cursor, 2) if cursor else ("\x7f", "")
        rows = await self._rows(
            "SELECT value, place, id FROM fdds INDEXED BY fdds_of_number WHERE number = ?"
            " AND (place, id) < (?, ?) ORDER BY place DESC, id DESC LIMIT ?",
            (number, place, ident, limit + 1),
        )
        return _page(rows, limit)

    def started(
        self, begin_ms: int, end_ms: int, request_id: str | None = None
    ) -> AsyncIterator[Started]:
        """See `Documents`."""
        own = "" if request_id is None else " AND fdds.request_id = ?"
        given = [] if request_id is None else [request_id]

        async def look(first_ms: int, until_ms: int, most: int | None) -> list[Value]:
            rows = await self._rows(
                "SELECT fdds.value FROM (SELECT DISTINCT id FROM starts WHERE at_ms >= ?"
                " AND at_ms < ?) AS found CROSS JOIN fdds ON fdds.id = found.id"
                f" WHERE fdds.value IS NOT NULL{own} LIMIT ?",
                (first_ms, until_ms, *given, -1 if most is None else most),
            )
            return [msgspec.json.decode(row[0]) for row in rows]

        return by_start(look, begin_ms, end_ms)

    async def counts(self, request_id: str, day: str | None = None) -> list[FddCount]:
        """See `Documents`."""
        first, end = order_span(day, None)
        rows = await self._rows(
            "SELECT date, slot, state, reason, reached, count(*) FROM fdds"
            " INDEXED BY fdds_of_request WHERE request_id = ? AND place >= ? AND place < ?"
            " GROUP BY date, slot, state, reason, reached",
            (request_id, first, end),
        )
        return [
            FddCount(date, slot, state, reason, bool(reached), count)
            for date, slot, state, reason, reached, count in rows
        ]

    async def erase(self, number: str) -> int:
        """See `Documents`."""
        return await self._file.write(
            lambda connection: _erase(
                connection, "SELECT id, value FROM fdds WHERE number = ?", (number,)
            )
        )

    async def erase_before(self, request_id: str, day: str) -> int:
        """See `Documents`. In steps, each durable by itself."""
        query = (
            "SELECT id, value FROM fdds INDEXED BY fdds_of_request WHERE request_id = ?"
            " AND place > ? AND place <= ?"
        )
        after, count = "", 0
        while True:
            rows = await self._rows(
                "SELECT place FROM fdds INDEXED BY fdds_of_request WHERE request_id = ?"
                " AND place > ? AND place < ? ORDER BY place LIMIT ?",
                (request_id, after, f"{day}/", STEP),
            )
            if not rows:
                return count
            span = (request_id, after, rows[-1][0])
            count += await self._file.write(
                lambda connection, span=span: _erase(  # type: ignore[misc]  # a default is a value
                    connection, f"{query} AND number IS NOT NULL", span
                )
            )
            after = rows[-1][0]

    async def forget(self, request_id: str) -> int:
        """See `Documents`."""
        count = 0
        while found := await self._file.write(
            lambda connection: (
                connection.execute(
                    "DELETE FROM fdds WHERE id IN (SELECT id FROM fdds INDEXED BY fdds_of_request"
                    " WHERE request_id = ? LIMIT ?)",
                    (request_id, STEP),
                ).rowcount
            )
        ):
            count += found
        await self._file.write(
            lambda connection: (
                connection.execute("DELETE FROM campaigns WHERE id = ?", (request_id,)).rowcount
            )
        )
        return count

    async def check(self) -> None:
        """See `Documents`."""
        await self._rows("SELECT 1 FROM campaigns LIMIT 1", ())

    async def close(self) -> None:
        """See `Documents`."""
        await self._file.close()

    async def _one(self, query: str, ident: str) -> Value | None:
        rows = await self._rows(query, (ident,))
        return None if not rows or rows[0][0] is None else msgspec.json.decode(rows[0][0])

    async def _rows(self, query: str, given: Sequence[object]) -> list[tuple[Any, ...]]:
        return await self._file.read(lambda connection: connection.execute(query, given).fetchall())


def _row(write: Write) -> tuple[object, ...]:
    fdd = write.value
    if fdd is None:
        return (write.id, write.version, *[None] * 9)
    reached = int(bool(starts_of(fdd)))
    found = (fdd[name] for name in ("state", "number", "date", "slot", "reason"))
    return (
        write.id, write.version, fdd["request_id"], order_of(fdd), *found, reached, _text(fdd)
    )  # fmt: skip


def _rows_of(made: Made) -> Iterator[tuple[object, ...]]:
    check_made(made)
    shared, version, request_id = made.shared, made.version, made.request_id
    state, date, slot, reason = (shared[name] for name in ("state", "date", "slot", "reason"))
    each = zip(ids_of(made), places_of(made), made.numbers, as_json(made), strict=True)
    for ident, place, number, value in each:
        yield ident, version, request_id, place, state, number, date, slot, reason, 0, value


def _text(value: Mapping[str, Any] | None) -> str | None:
    return None if value is None else msgspec.json.encode(value).decode()


def _tests(wanted: FddFilter) -> tuple[str, list[object]]:
    """What an index doesn't decide, as SQL and its values."""
    sql, given = "", list[object]()
    if wanted.slot is not None:
        sql += " AND slot IS ?"
        given.append(wanted.slot or None)
    if wanted.number is not None:
        sql += " AND number = ?"
        given.append(wanted.number)
        if wanted.states is not None:
            sql += f" AND state IN ({', '.join('?' * len(wanted.states))})"
            given += wanted.states
    if wanted.reasons is not None:
        sql += f" AND (state <> 'FAILED' OR reason IN ({', '.join('?' * len(wanted.reasons))}))"
        given += wanted.reasons
    return sql, given


def _page(rows: list[tuple[Any, ...]], limit: int) -> Page:
    """Rows of (value, what the cursor holds…), one more than the page has if there are more."""
    items = [msgspec.json.decode(row[0]) for row in rows[:limit]]
    return Page(items, cursor_of(*rows[limit - 1][1:]) if len(rows) > limit else None)


def _erase(connection: sqlite3.Connection, query: str, given: Sequence[object]) -> int:
    rows = connection.execute(query, given).fetchall()
    connection.executemany(
        "UPDATE fdds SET number = NULL, value = ? WHERE id = ?",
        [(_text(erased(msgspec.json.decode(value))), ident) for ident, value in rows],
    )
    return len(rows)
