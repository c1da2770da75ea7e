"""A view: a topic followed into SQLite, so that it can be searched.

Everything in it comes from the topic, and how far it was read is in the same transaction. Losing
the file costs nothing but time; a topic that was made anew makes a new view.
"""

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from connectors.streams.base import Item, Log

logger = logging.getLogger(__name__)
P = ParamSpec("P")
R = TypeVar("R")
Apply = Callable[[sqlite3.Connection, int, Sequence[Item]], None]
"""Takes items of one partition, in order, in a transaction that is open. May see some again."""

_POSITIONS = "CREATE TABLE IF NOT EXISTS positions (partition INTEGER PRIMARY KEY, next INTEGER)"


class View:
    """One topic's view in `path`. `schema` makes the tables; a change of it makes a new view.

    All SQL runs in one thread of its own. Safe to use by several tasks.
    """

    def __init__(self, log: Log, topic: str, path: Path, schema: str, apply: Apply) -> None:
        self._log = log
        self._topic = topic
        self._path = path
        self._schema = schema
        self._apply = apply
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=path.stem)
        self._connection: sqlite3.Connection | None = None
        self._positions: dict[int, int] = {}
        self._partitions = 0
        self._one_reader = asyncio.Lock()

    async def stop(self) -> None:
        """Closes the file."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._close)
        self._thread.shutdown()

    async def run(
        self,
        work: Callable[Concatenate[sqlite3.Connection, P], R],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> R:
        """Calls `work(connection, …)` in the view's thread, in a transaction."""

        def call() -> R:
            connection = self._opened()
            with connection:
                return work(connection, *args, **kwargs)

        return await asyncio.get_running_loop().run_in_executor(self._thread, call)

    async def catch_up(self) -> None:
        """Reads the topic to its present end."""
        async with self._one_reader:
            if not self._partitions:
                self._positions = await self.run(_positions)
                self._partitions = (await self._log.topics())[self._topic]
            tps = [(self._topic, partition) for partition in range(self._partitions)]
            for tp, end in (await self._log.end_offsets(tps)).items():
                await self._read(tp[1], end)

    async def _read(self, partition: int, end: int) -> None:
        at = self._positions.get(partition, 0)
        if at > end:
            logger.warning("%s was made anew: so is its view", self._topic)
            await self.run(_clear, self._schema)
            self._positions = {}
            at = 0
        while at < end:
            piece = await self._log.read(self._topic, partition, at)
            if piece.next_offset <= at:
                return
            await self.run(self._take, partition, piece.items, piece.next_offset)
            at = self._positions[partition] = piece.next_offset

    def _take(
        self, connection: sqlite3.Connection, partition: int, items: Sequence[Item], following: int
    ) -> None:
        self._apply(connection, partition, items)
        connection.execute("REPLACE INTO positions VALUES (?, ?)", (partition, following))

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            try:
                self._connection = _open(self._path, self._schema)
            except sqlite3.DatabaseError as error:
                logger.warning("%s can't be read (%s): it is made anew", self._path, error)
                self._path.unlink(missing_ok=True)
                self._connection = _open(self._path, self._schema)
        return self._connection

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _open(path: Path, schema: str) -> sqlite3.Connection:
    connection = sqlite3.connect(path, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    # what is erased from the topic doesn't stay in a free page here
    connection.execute("PRAGMA secure_delete = ON")
    # a power cut may take the newest back: it is read again from the topic
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("CREATE TABLE IF NOT EXISTS made_by (schema TEXT)")
    made_by = connection.execute("SELECT schema FROM made_by").fetchone()
    if made_by is None or made_by[0] != schema:
        with connection:
            _clear(connection, schema)
    return connection


def _clear(connection: sqlite3.Connection, schema: str) -> None:
    names = connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    ).fetchall()
    for (name,) in names:
        connection.execute(f'DROP TABLE "{name}"')
    for statement in filter(None, map(str.strip, schema.split(";"))):
        connection.execute(statement)
    connection.execute(_POSITIONS)
    connection.execute("CREATE TABLE made_by (schema TEXT)")
    connection.execute("INSERT INTO made_by VALUES (?)", (schema,))


def _positions(connection: sqlite3.Connection) -> dict[int, int]:
    return dict(connection.execute("SELECT partition, next FROM positions").fetchall())
