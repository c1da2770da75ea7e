"""Connections to MySQL or MariaDB: limits of time, tables, what the errors mean."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

import aiomysql
import pymysql

from connectors.stores.base import StoreRefused, StoreUnavailable
from domain.errors import UsageError

T = TypeVar("T")
PORT = 3306
POOL = 5
CONNECT_S = 3.0
TRIES = 5  # of a transaction that the server gave up for another one's sake
# A text too long for its column is an error, not cut.
MODE = "STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION"
_DEADLOCK, _LOCK_WAIT, _NO_TABLE = 1213, 1205, 1146
_FOR_GOOD = (
    pymysql.err.DataError,
    pymysql.err.IntegrityError,
    pymysql.err.ProgrammingError,
    pymysql.err.NotSupportedError,
)
# These come as errors of data though the server only can't just now, or somebody must let us in.
_STILL_LATER = frozenset({1044, 1045, 1049, 1142, 1146})
Work = Callable[[Any], Awaitable[T]]


class MysqlPool:
    """See the module. Connects when it is first used, and again whenever it has to."""

    def __init__(self, url: str, schema: Mapping[str, str], timeout_s: float) -> None:
        try:
            parts = urlsplit(url)
            port = parts.port or PORT
        except ValueError:
            parts, port = urlsplit(""), PORT
        database = unquote(parts.path.strip("/"))
        if parts.scheme not in ("mysql", "mariadb") or not parts.hostname or not database:
            raise UsageError(
                "SLUICE_NEGATIVES is no address of MySQL",
                "write it as mysql://USER:PASSWORD@HOST:3306/DATABASE",
            )
        self.where = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
        self._options = {
            "host": parts.hostname,
            "port": port,
            "user": unquote(parts.username or ""),
            "password": unquote(parts.password or ""),
            "db": database,
        }
        self._schema = schema
        self._timeout_s = timeout_s
        self._opening = asyncio.Lock()
        self._pool: Any = None
        self._closed = False

    async def transaction(self, work: Work[T]) -> T:
        """All that `work` does with its cursor is durable when this returns, or nothing of it when
        it raises. Repeats it when the server broke a deadlock."""
        try:
            async with asyncio.timeout(self._timeout_s):
                for attempt in range(1, TRIES + 1):
                    try:
                        return await self._once(work)
                    except pymysql.MySQLError as error:
                        if _number(error) not in (_DEADLOCK, _LOCK_WAIT) or attempt == TRIES:
                            raise
        except _FOR_GOOD as error:
            if _number(error) not in _STILL_LATER:
                raise StoreRefused(self.where, _why(error)) from None
            if _number(error) == _NO_TABLE and self._pool is not None:
                # somebody put another database there: the next call makes the tables again
                pool, self._pool = self._pool, None
                pool.terminate()
                await pool.wait_closed()
            raise StoreUnavailable(self.where, _why(error)) from None
        except TimeoutError:
            detail = f"no answer within {self._timeout_s:g} s"
            raise StoreUnavailable(self.where, detail) from None
        except (pymysql.MySQLError, OSError) as error:
            raise StoreUnavailable(self.where, _why(error)) from None
        raise StoreUnavailable(self.where, "it broke the transaction again and again")

    async def _once(self, work: Work[T]) -> T:
        pool = await self._open()
        connection = await pool.acquire()
        try:
            await connection.begin()
            async with connection.cursor() as cursor:
                found = await work(cursor)
            await connection.commit()
        except pymysql.MySQLError as error:
            if _number(error) not in (_DEADLOCK, _LOCK_WAIT):
                connection.close()  # with what was half done; the server undoes it
            else:
                await connection.rollback()
            raise
        except BaseException:
            connection.close()
            raise
        finally:
            pool.release(connection)
        return found

    async def _open(self) -> Any:
        """The pool, with the tables made. The same however many ask at a time."""
        if self._closed:
            raise StoreUnavailable(self.where, "it was closed")
        if self._pool is not None:
            return self._pool
        async with self._opening:
            if self._pool is None:
                # not their connect_timeout, which can lose a cancellation (wait_for)
                async with asyncio.timeout(min(CONNECT_S, self._timeout_s)):
                    pool = await aiomysql.create_pool(
                        minsize=1,
                        maxsize=POOL,
                        charset="utf8mb4",
                        sql_mode=f"'{MODE}'",  # goes into the statement as it is
                        init_command="SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
                        autocommit=False,
                        **self._options,
                    )
                try:
                    async with pool.acquire() as connection, connection.cursor() as cursor:
                        # what is there already is no news for our log
                        await cursor.execute("SET SESSION sql_notes = 0")
                        for statement in self._schema.values():
                            await cursor.execute(statement)
                except BaseException:
                    pool.terminate()
                    await pool.wait_closed()
                    raise
                self._pool = pool
        return self._pool

    async def close(self) -> None:
        """Closes all connections, those in use when they are given back."""
        self._closed = True
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.close()
            await pool.wait_closed()


def _number(error: pymysql.MySQLError) -> int:
    return error.args[0] if error.args and isinstance(error.args[0], int) else 0


def _why(error: BaseException) -> str:
    if isinstance(error, pymysql.MySQLError) and len(error.args) > 1:
        return f"{error.args[1]} ({error.args[0]})"
    return str(error) or type(error).__name__
