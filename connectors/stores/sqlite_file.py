"""A SQLite file off the event loop: one thread writes, others read, in WAL mode.

What a write returned for is synced: neither a kill of the process nor a power cut takes it back.
The file is opened when it is first asked for.
"""

import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from connectors.stores.base import StoreRefused, StoreUnavailable

T = TypeVar("T")
BUSY_S = 10.0  # another process, a trial say, has the file for as long at most
AGAIN_S = 0.005
READERS = 2  # a long read leaves room for a short one
_REFUSED = (sqlite3.IntegrityError, sqlite3.DataError, sqlite3.InterfaceError)


class SqliteFile:
    """See the module. Every error of SQLite becomes StoreUnavailable or StoreRefused."""

    def __init__(self, path: Path, schema: str) -> None:
        self.path = path
        self._schema = schema
        self._local = threading.local()
        self._lock = threading.Lock()
        self._connections: list[sqlite3.Connection] = []
        name = path.stem
        self._writer = ThreadPoolExecutor(1, f"{name}-write")
        self._readers = ThreadPoolExecutor(READERS, f"{name}-read")

    async def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """All that `work` does is durable when this returns, or nothing of it when it raises. A
        call that is cancelled goes on in its thread."""
        return await self._run(self._writer, lambda: self._write(work))

    async def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """What `work` sees is one snapshot for each statement."""
        return await self._run(self._readers, lambda: self._read(work))

    async def close(self) -> None:
        """Waits for what is under way, and closes the file."""
        for pool in (self._writer, self._readers):
            await asyncio.to_thread(pool.shutdown)
        with self._lock, self._errors():
            while self._connections:
                self._connections.pop().close()

    async def _run(self, pool: ThreadPoolExecutor, work: Callable[[], T]) -> T:
        try:
            future = pool.submit(work)
        except RuntimeError:
            raise StoreUnavailable(str(self.path), "it was closed") from None
        return await asyncio.wrap_future(future)

    def _write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        with self._errors():
            connection = self._connection()
            connection.execute("BEGIN IMMEDIATE")
            try:
                found = work(connection)
                connection.execute("COMMIT")
            except BaseException:
                # a full disk may have rolled back already
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
            return found

    def _read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        with self._errors():
            return work(self._connection())

    def _connection(self) -> sqlite3.Connection:
        """This thread's own."""
        found: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if found is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            found = sqlite3.connect(
                self.path, BUSY_S, isolation_level=None, check_same_thread=False
            )
            try:
                _write_ahead(found)
                found.execute("PRAGMA synchronous=FULL")
                found.execute("PRAGMA cache_size=-16384")
                with self._lock:  # the threads make the tables one after the other
                    found.executescript(self._schema)
            except BaseException:
                found.close()
                raise
            with self._lock:
                self._connections.append(found)
            self._local.connection = found
        return found

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except _REFUSED as error:
            raise StoreRefused(str(self.path), str(error)) from error
        except (sqlite3.Error, OSError) as error:
            raise StoreUnavailable(str(self.path), str(error)) from error


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Turns the file to WAL. SQLite doesn't wait by itself where it would have to for somebody who
    writes just now, another one that makes the file for instance."""
    until = time.monotonic() + BUSY_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(AGAIN_S)
        else:
            return
