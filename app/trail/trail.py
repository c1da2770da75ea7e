"""Keeps the trail on `<app>-audit`, and a view of it to search in."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from app.backend import BadCursor
from app.facade.cursors import cursor_of, place_of
from app.facade.view import View
from app.shapes import Page
from app.trail.entry import Entry, Wanted, decode, encode
from connectors.streams.base import Item, Log

SCHEMA = """
CREATE TABLE entries (
    id TEXT PRIMARY KEY, place INTEGER, at INTEGER, actor TEXT, action TEXT, object TEXT, body BLOB
);
CREATE INDEX entries_place ON entries (at, place);
CREATE INDEX entries_oldest ON entries (place)
"""
LOOKED = 5_000  # entries looked at for a page by who, what or about what: some 10 ms


class Trail(Protocol):
    """Entries, durable in the order in which they were written."""

    async def write(self, entry: Entry) -> None:
        """Returns when it is durable. The same id again takes the place of the one before."""

    async def find(self, wanted: Wanted, limit: int, cursor: str | None) -> Page[Entry]:
        """Those wanted, the newest first; refused ones are left out. Raises BadCursor."""

    async def stop(self) -> None:
        """Closes what is open."""


class MemoryTrail:
    """Entries that live as long as the process."""

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}

    async def write(self, entry: Entry) -> None:
        self.entries[entry.id] = entry

    async def find(self, wanted: Wanted, limit: int, cursor: str | None) -> Page[Entry]:
        numbered = [
            (n, entry)
            for n, entry in enumerate(self.entries.values())
            if entry.outcome != "refused" and wanted.takes(entry)
        ]
        start = len(self.entries) if cursor is None else place_of(cursor, int)
        left = [each for each in reversed(numbered) if each[0] < start]
        more = cursor_of(left[limit - 1][0]) if len(left) > limit else None
        return Page([entry for _, entry in left[:limit]], more)

    async def stop(self) -> None:
        """Nothing is open."""


class TopicTrail:
    """Entries on the one partition of `topic`; the view lies in `folder`."""

    def __init__(self, log: Log, topic: str, folder: Path) -> None:
        self._log = log
        self._topic = topic
        self._view = View(log, topic, folder / "audit.sqlite", SCHEMA, apply)

    async def write(self, entry: Entry) -> None:
        key = entry.object.encode("utf-8", "replace")
        await self._log.append(self._topic, 0, [(key, encode(entry), None, ())])

    async def find(self, wanted: Wanted, limit: int, cursor: str | None) -> Page[Entry]:
        before = None if cursor is None else place_of(cursor, tuple[int, int])
        if before is not None and not all(abs(n) < 1 << 62 for n in before):
            raise BadCursor(cursor or "")
        await self._view.catch_up()
        tp = (self._topic, 0)
        begin = (await self._log.begin_offsets([tp]))[tp]
        rows, reached = await self._view.run(_find, wanted, limit, before, begin)
        more = None if reached is None else cursor_of(list(reached))
        return Page([decode(body) for _, _, body in rows], more)

    async def stop(self) -> None:
        await self._view.stop()


def apply(connection: sqlite3.Connection, _partition: int, items: Sequence[Item]) -> None:
    """Takes entries of the topic, in their order."""
    for offset, _, _, value, _ in items:
        if value is None:
            continue
        entry = decode(value)
        if entry.outcome == "refused":
            connection.execute("DELETE FROM entries WHERE id = ?", (entry.id,))
            continue
        row = (entry.id, offset, entry.at, entry.actor, entry.action, entry.object, value)
        connection.execute("REPLACE INTO entries VALUES (?, ?, ?, ?, ?, ?, ?)", row)


def _find(
    connection: sqlite3.Connection,
    wanted: Wanted,
    limit: int,
    before: tuple[int, int] | None,
    begin: int,
) -> tuple[list[tuple[int, int, bytes]], tuple[int, int] | None]:
    """[(at, place, body)], and up to which (at, place) was looked (None: to the end); entries that
    the topic no longer keeps go. Of those of the time, LOOKED are held against the other filters.
    """
    connection.execute("DELETE FROM entries WHERE place < ?", (begin,))
    tests, arguments = ["1"], list[object]()
    if wanted.from_ms is not None:
        tests.append("at >= ?")
        arguments.append(wanted.from_ms)
    if wanted.to_ms is not None:
        tests.append("at < ?")
        arguments.append(wanted.to_ms)
    if before is not None:
        tests.append("(at, place) < (?, ?)")
        arguments += before
    last: tuple[int, int] | None = None
    order = "ORDER BY at DESC, place DESC LIMIT"
    if wanted.actor or wanted.action or wanted.object:
        last = connection.execute(
            f"SELECT at, place FROM entries WHERE {' AND '.join(tests)} {order} 1 OFFSET ?",
            (*arguments, LOOKED - 1),
        ).fetchone()
    if last is not None:
        tests.append("(at, place) >= (?, ?)")
        arguments += last
    if wanted.actor:
        tests.append("actor = ?")
        arguments.append(wanted.actor)
    for column, start in (("action", wanted.action), ("object", wanted.object)):
        if start:
            tests.append(f"substr({column}, 1, ?) = ?")
            arguments += [len(start), start]
    found: list[tuple[int, int, bytes]] = connection.execute(
        f"SELECT at, place, body FROM entries WHERE {' AND '.join(tests)} {order} ?",
        (*arguments, limit + 1),
    ).fetchall()
    if len(found) > limit:
        return found[:limit], found[limit - 1][:2]
    return found, last
