"""How far a file is read, which rows were not accepted, and which numbers were seen: on disk.

One transaction after each chunk is durable on the stream, so what is here never runs ahead of it:
after a kill the last chunk is read again, with the same numbers seen, and is the same. Memory is
the page cache of SQLite.
"""

import sqlite3
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

CACHE_KIB = 32 * 1024

_SCHEMA = """
CREATE TABLE IF NOT EXISTS progress (
    one INTEGER PRIMARY KEY CHECK (one = 1), at INTEGER, row INTEGER, chunks INTEGER,
    accepted INTEGER, rejected INTEGER, duplicates INTEGER, ended INTEGER
);
CREATE TABLE IF NOT EXISTS rejections (
    row INTEGER PRIMARY KEY, "column" TEXT, code TEXT, value TEXT, raw BLOB
);
CREATE TABLE IF NOT EXISTS seen (number INTEGER PRIMARY KEY);
"""


class Reached(NamedTuple):
    """`at`: where the next row begins in the unpacked file; `row`: rows read; the rest counts.

    `duplicates`: later rows with the number of an earlier one, accepted or not.
    """

    at: int
    row: int = 0
    chunks: int = 0
    accepted: int = 0
    rejected: int = 0
    duplicates: int = 0
    ended: bool = False


class RejectedRow(NamedTuple):
    """A row that was not accepted; `raw` as it stands in the file, empty when it was too long."""

    row: int
    column: str
    code: str
    value: str
    raw: bytes


class Progress:
    """Of one upload. Calls block; one thread at a time."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        run = self._connection.execute
        run("PRAGMA journal_mode = WAL")
        # a power cut may take the newest back: those chunks are sent again, and dropped as repeats
        run("PRAGMA synchronous = NORMAL")
        run(f"PRAGMA cache_size = -{CACHE_KIB}")
        self._connection.executescript(_SCHEMA)

    def reached(self, rows_at: int) -> Reached:
        """How far the file is read."""
        found = self._connection.execute(
            "SELECT at, row, chunks, accepted, rejected, duplicates, ended FROM progress"
        ).fetchone()
        if found is None:
            return Reached(rows_at)
        at, row, chunks, accepted, rejected, duplicates, ended = found
        return Reached(at, row, chunks, accepted, rejected, duplicates, bool(ended))

    def begin(self) -> None:
        """From here on `see` and `reject` write, until `commit` or `rollback`."""
        self._connection.execute("BEGIN IMMEDIATE")

    def see(self, number: str) -> bool:
        """Whether a number (E.164) was seen before; from now on it was."""
        done = self._connection.execute("INSERT OR IGNORE INTO seen VALUES (?)", (int(number),))
        return done.rowcount == 0

    def reject(self, rejected: Iterable[RejectedRow]) -> None:
        """Lists rows that are not accepted."""
        self._connection.executemany("INSERT INTO rejections VALUES (?, ?, ?, ?, ?)", rejected)

    def commit(self, reached: Reached) -> None:
        """What was sent is durable: keeps all of it."""
        self._connection.execute(
            "REPLACE INTO progress VALUES (1, ?, ?, ?, ?, ?, ?, ?)", tuple(reached)
        )
        self._connection.execute("COMMIT")

    def rollback(self) -> None:
        """What was read since `begin` was not sent."""
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    def forget_seen(self) -> None:
        """The file is read: numbers are looked up no more."""
        self._connection.execute("DROP TABLE IF EXISTS seen")
        self._connection.execute("VACUUM")

    def rejections(self, after: int, limit: int) -> list[RejectedRow]:
        """Rejected rows behind that one, in order."""
        found = self._connection.execute(
            "SELECT * FROM rejections WHERE row > ? ORDER BY row LIMIT ?", (after, limit)
        )
        return [RejectedRow(*row) for row in found]

    def erase(self, has: Callable[[bytes], bool], dry_run: bool) -> int:
        """Blanks the value and the row of each rejection of which `has` says so; how many."""
        found, after = 0, 0
        while rows := self.rejections(after, 1_000):
            mine = [(one.row,) for one in rows if has(one.raw) or has(one.value.encode())]
            found += len(mine)
            after = rows[-1].row
            if mine and not dry_run:
                self._connection.execute("BEGIN IMMEDIATE")
                self._connection.executemany(
                    "UPDATE rejections SET value = '', raw = x'' WHERE row = ?", mine
                )
                self._connection.execute("COMMIT")
        if found and not dry_run:
            self._connection.execute("VACUUM")  # freed pages still have the bytes
        return found

    def close(self) -> None:
        """Lets go of the file."""
        self.rollback()
        self._connection.close()
