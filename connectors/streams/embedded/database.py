"""The SQLite file of the embedded log: its tables, how it is opened, what its errors mean."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from connectors.streams.base import DiskFull, StreamUnavailable

# A large blob takes few overflow pages, a small append doesn't write much more than itself.
PAGE_BYTES = 16384
# The write-ahead log is copied into the file when it has grown to this: seldom enough that a
# steady stream of 4 MiB appends doesn't copy each time, small enough to replay in a moment.
CHECKPOINT_BYTES = 32 << 20
# Freed pages that the file keeps for the next appends, and how many go back at a time.
SPARE_PAGES = (64 << 20) // PAGE_BYTES
GIVE_BACK_PAGES = (16 << 20) // PAGE_BYTES

# batches: one row a blob. part -> partitions.id; offsets inclusive; `size` is the blob's bytes.
# partitions: begin_offset inclusive, end_offset exclusive, last_ms the highest timestamp given
# out by the log's own clock, clean_offset the first offset that compaction has not yet seen.
SCHEMA = """
CREATE TABLE IF NOT EXISTS topics (
    name TEXT PRIMARY KEY, partitions INTEGER NOT NULL, compact INTEGER NOT NULL,
    retention_ms INTEGER, max_message_bytes INTEGER NOT NULL, log_append_time INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS partitions (
    id INTEGER PRIMARY KEY, topic TEXT NOT NULL, number INTEGER NOT NULL,
    begin_offset INTEGER NOT NULL DEFAULT 0, end_offset INTEGER NOT NULL DEFAULT 0,
    last_ms INTEGER NOT NULL DEFAULT 0, clean_offset INTEGER NOT NULL DEFAULT 0,
    UNIQUE (topic, number)
) STRICT;
CREATE TABLE IF NOT EXISTS batches (
    part INTEGER NOT NULL, last_offset INTEGER NOT NULL, base_offset INTEGER NOT NULL,
    max_ms INTEGER NOT NULL, size INTEGER NOT NULL, blob INTEGER NOT NULL,
    PRIMARY KEY (part, last_offset)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS blobs (id INTEGER PRIMARY KEY, data BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS commits (
    consumers TEXT NOT NULL, topic TEXT NOT NULL, number INTEGER NOT NULL,
    next_offset INTEGER NOT NULL, PRIMARY KEY (consumers, topic, number)
) STRICT, WITHOUT ROWID;
"""


class Database:
    """A connection for one thread. Every error of SQLite becomes DiskFull or StreamUnavailable."""

    def __init__(self, path: Path, max_bytes: int | None) -> None:
        self.path = path
        self._held = False
        with self.errors():
            connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            self.connection = connection
            # No shared memory file: it could not be made on a full disk, and a page of it that
            # the disk has no room for would be a SIGBUS. First, before anything looks at the file
            connection.execute("PRAGMA locking_mode=EXCLUSIVE")
            if connection.execute("PRAGMA page_count").fetchone() == (0,):
                # only for a new file: in an old one the second is a write, on a full disk too
                connection.execute(f"PRAGMA page_size={PAGE_BYTES}")
                connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
            connection.execute("PRAGMA journal_mode=WAL")
            # FULL: what is acknowledged survives a power cut too. The states beside this log
            # carry positions in it, and must never be ahead of its end. One sync per group of
            # appends, a quarter of a millisecond here, a few on slow disks.
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute(f"PRAGMA wal_autocheckpoint={CHECKPOINT_BYTES // PAGE_BYTES}")
            connection.execute(f"PRAGMA journal_size_limit={CHECKPOINT_BYTES}")
            connection.execute("PRAGMA cache_size=-16384")
            connection.executescript(SCHEMA)
            if max_bytes is not None:
                connection.execute(f"PRAGMA max_page_count={max_bytes // PAGE_BYTES}")

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All of the block is durable when it ends, or nothing of it when it raises."""
        with self.errors():
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                yield self.connection
                self.connection.execute("COMMIT")
            except BaseException:
                # a full disk may have rolled back already
                if self.connection.in_transaction:
                    self.connection.execute("ROLLBACK")
                raise

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Turns errors of SQLite in the block into those of the stream."""
        try:
            yield
        except sqlite3.Error as error:
            # the low byte is the primary code, the rest says where
            if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL:
                raise DiskFull(str(self.path)) from error
            raise StreamUnavailable(str(self.path), str(error)) from error

    def give_back(self) -> None:
        """Returns pages that cleaning has freed to the disk, some megabytes a call."""
        with self.errors():
            free = self.connection.execute("PRAGMA freelist_count").fetchone()[0]
            if free > SPARE_PAGES:
                # as a script: `execute` stops after the first page
                self.connection.executescript(f"PRAGMA incremental_vacuum({GIVE_BACK_PAGES})")

    @contextmanager
    def overwriting(self) -> Iterator[None]:
        """What the block deletes is overwritten with zeros. Bytes that wait in the write-ahead log
        go with it, unless a backup holds the file: then they do once that is over and some
        megabytes have been written.
        """
        with self.errors():
            self.connection.execute("PRAGMA secure_delete=ON")
        try:
            yield
        finally:
            with self.errors():
                self.connection.execute("PRAGMA secure_delete=OFF")
                if not self._held:
                    self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def hold_still(self) -> None:
        """Brings everything into the file, and leaves the file alone until `go_on`: what is
        written in between stays in the write-ahead log beside it, however long that gets.

        The file may be copied then, by another process: closing a copy's source in this one would
        take back the lock that SQLite has on it.
        """
        self._held = True
        with self.errors():
            self.connection.execute("PRAGMA wal_autocheckpoint=0")
            busy, _, _ = self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            if busy:
                raise StreamUnavailable(str(self.path), "it is being read by something else")

    def go_on(self) -> None:
        """Ends `hold_still`."""
        self._held = False
        with self.errors():
            pages = CHECKPOINT_BYTES // PAGE_BYTES
            self.connection.execute(f"PRAGMA wal_autocheckpoint={pages}")

    def close(self) -> None:
        """Closes the file; what was committed is in it."""
        with self.errors():
            self.connection.close()


def delete_batches(
    connection: sqlite3.Connection, part: int, batches: Sequence[tuple[int, int]]
) -> None:
    """Deletes the batches, given as (last offset, blob id), with their blobs."""
    connection.executemany(
        "DELETE FROM batches WHERE part = ? AND last_offset = ?",
        [(part, last_offset) for last_offset, _ in batches],
    )
    connection.executemany("DELETE FROM blobs WHERE id = ?", [(blob,) for _, blob in batches])
