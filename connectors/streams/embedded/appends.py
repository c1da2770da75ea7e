"""Writing: the appends and commits that wait are stored together, in one transaction."""

import asyncio
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from connectors.streams.base import TP, Row, StreamError
from connectors.streams.embedded.catalog import Partition
from connectors.streams.embedded.database import Database
from connectors.streams.embedded.records import Columns, columns_of, cuts, joined, pack


@dataclass(slots=True)
class Append:
    """Rows for one partition. `done` gets (first, last) offset."""

    partition: Partition
    rows: Sequence[Row]
    now_ms: int
    done: asyncio.Future[tuple[int, int]]


@dataclass(slots=True)
class Commit:
    """Positions of a consumer group. `done` gets None."""

    group: str
    next_offsets: Mapping[TP, int]
    done: asyncio.Future[None]


Write = Append | Commit
Outcome = tuple[int, int] | BaseException | None


def write_all(database: Database, writes: Sequence[Write]) -> list[Outcome]:
    """Stores `writes` durably, in order, and says for each what became of it.

    One that can't be packed fails alone; what the disk refuses fails them all.
    """
    outcomes: list[Outcome] = [None] * len(writes)
    pending: dict[int, _Pending] = {}
    for index, write in enumerate(writes):
        if isinstance(write, Append):
            partition = write.partition
            waiting = pending.get(partition.id) or _Pending(partition)
            try:
                outcomes[index] = waiting.add(write)
            except (StreamError, TypeError, ValueError) as error:
                outcomes[index] = error
            else:
                pending[partition.id] = waiting
    try:
        with database.transaction() as connection:
            for waiting in pending.values():
                waiting.store(connection)
            for write in writes:
                if isinstance(write, Commit):
                    _store_commit(connection, write)
    except StreamError as error:
        return [old if isinstance(old, BaseException) else error for old in outcomes]
    for waiting in pending.values():
        waiting.settle()
    return outcomes


class _Pending:
    """What one transaction appends to one partition."""

    def __init__(self, partition: Partition) -> None:
        self._partition = partition
        self._parts: list[Columns] = []
        self._end = partition.end
        self._last_ms = partition.last_ms

    def add(self, append: Append) -> tuple[int, int]:
        """Takes the rows and gives them offsets."""
        spec = self._partition.topic
        columns = columns_of(
            spec.name, append.rows, append.now_ms, spec.max_message_bytes, spec.compact
        )
        if spec.log_append_time:
            self._last_ms = max(self._last_ms, append.now_ms)
            columns = columns._replace(timestamps=(self._last_ms,) * len(append.rows))
        self._parts.append(columns)
        first = self._end
        self._end += len(append.rows)
        return first, self._end - 1

    def store(self, connection: sqlite3.Connection) -> None:
        """Writes the blobs and the new end."""
        columns = joined(self._parts)
        base = self._partition.end
        for start, stop in cuts(columns.sizes):
            offsets = range(base + start, base + stop)
            insert_blob(connection, self._partition.id, offsets, columns.part(start, stop))
        connection.execute(
            "UPDATE partitions SET end_offset = ?, last_ms = ? WHERE id = ?",
            (self._end, self._last_ms, self._partition.id),
        )

    def settle(self) -> None:
        """Makes the new end visible to readers."""
        self._partition.last_ms = self._last_ms
        self._partition.end = self._end


def insert_blob(
    connection: sqlite3.Connection, part: int, offsets: Sequence[int], columns: Columns
) -> None:
    """Stores one blob of records, which must be new in the partition."""
    data = pack(offsets, columns)
    blob = connection.execute("INSERT INTO blobs (data) VALUES (?)", (data,)).lastrowid
    connection.execute(
        "INSERT INTO batches VALUES (?, ?, ?, ?, ?, ?)",
        (part, offsets[-1], offsets[0], max(columns.timestamps), len(data), blob),
    )


def _store_commit(connection: sqlite3.Connection, commit: Commit) -> None:
    connection.executemany(
        "INSERT INTO commits VALUES (?, ?, ?, ?)"
        " ON CONFLICT DO UPDATE SET next_offset = excluded.next_offset",
        [
            (commit.group, topic, number, offset)
            for (topic, number), offset in commit.next_offsets.items()
        ],
    )
