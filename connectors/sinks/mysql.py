"""A MySQL or MariaDB table: rows by `id`, and the position in the same transaction.

So a record is in the table exactly when the position beside it says so, whoever is killed. A worker
that lost the partition to another one finds the position moved, and writes nothing.
"""

import asyncio
from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote, urlsplit

import aiomysql
import pymysql

from connectors.outbound import Forbidden, Outbound, Unresolved
from connectors.sinks import mysql_table as sql
from connectors.sinks.base import Environ, Outcome, Refusal, TryLater, secret
from domain.sinks.columns import NoFit
from domain.sinks.document import MySql
from domain.sinks.records import Outgoing

PORT = 3306
# A text too long for its column is an error, not cut; so is a number.
MODE = "STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION"
_WHERE = "WHERE `installation` = %s AND `sink` = %s AND `topic` = %s AND `part` = %s"


class _Moved(Exception):
    """The position in the table is another one than was expected."""

    def __init__(self, to: int) -> None:
        self.to = to


class MySqlTarget:
    """See the module. `place`: (installation, sink, topic, partition)."""

    def __init__(
        self,
        document: MySql,
        outbound: Outbound,
        environ: Environ,
        place: tuple[str, str, str, int],
    ) -> None:
        self._document = document
        self._outbound = outbound
        self._environ = environ
        self._place = place
        self._connection: Any = None
        self._upsert = sql.upsert(document.table, document.columns)

    async def position(self, first: int) -> int | None:
        """What the table says; None when it knows nothing of this sink and partition."""
        try:
            async with asyncio.timeout(self._document.timeout_ms / 1000):
                connection = await self._connected()
                async with connection.cursor() as cursor:
                    found = await self._read(cursor, "")
                await connection.commit()
                return found
        except (pymysql.MySQLError, OSError, TimeoutError, Forbidden, Unresolved) as error:
            await self.close()
            raise TryLater(_why(error)) from None

    async def close(self) -> None:
        """Drops the connection; a transaction under way is undone by the server."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    async def deliver(self, records: Sequence[Outgoing], first: int, end: int) -> Outcome:
        """See `Target`. All records in one transaction with the position, or none."""
        outcome = Outcome()
        rows = []
        for record in records:
            try:
                rows.append(sql.row(self._document.columns, record))
            except NoFit as error:
                outcome.refused[record.offset] = Refusal(str(error))
        if outcome.refused:
            return outcome
        try:
            async with asyncio.timeout(self._document.timeout_ms / 1000):
                await self._write(records, rows, first, end, outcome)
        except _Moved as moved:
            outcome.moved = moved.to
        except TryLater as later:
            outcome.later = later
        except (pymysql.MySQLError, OSError, TimeoutError, Forbidden, Unresolved) as error:
            await self.close()
            outcome.later = TryLater(_why(error))
        except asyncio.CancelledError:
            await self.close()
            raise
        if outcome.later is not None:
            outcome.tried.update(record.offset for record in records)
        return outcome

    async def _write(
        self,
        records: Sequence[Outgoing],
        rows: Sequence[tuple[Any, ...]],
        first: int,
        end: int,
        outcome: Outcome,
    ) -> None:
        connection = await self._connected()
        await connection.begin()
        async with connection.cursor() as cursor:
            found = await self._read(cursor, " FOR UPDATE")
            if found is not None and found != first:
                await connection.rollback()
                raise _Moved(found)
            try:
                if rows:
                    await cursor.executemany(self._upsert, rows)
            except pymysql.MySQLError as error:
                if not sql.is_refusal(error):
                    raise
                await connection.rollback()
                await self._find_refused(connection, records, rows, outcome)
                return
            await cursor.execute(
                f"INSERT INTO `{sql.POSITIONS}` VALUES (%s, %s, %s, %s, %s) "
                "ON DUPLICATE KEY UPDATE `next_offset` = VALUES(`next_offset`)",
                (*self._place, end),
            )
        await connection.commit()
        outcome.taken.update(record.offset for record in records)

    async def _find_refused(
        self,
        connection: Any,
        records: Sequence[Outgoing],
        rows: Sequence[tuple[Any, ...]],
        outcome: Outcome,
    ) -> None:
        """Which of them are at fault, by trying each; nothing of it stays."""
        await connection.begin()
        async with connection.cursor() as cursor:
            for record, row in zip(records, rows, strict=True):
                await cursor.execute("SAVEPOINT one")
                try:
                    await cursor.execute(self._upsert, row)
                except pymysql.MySQLError as error:
                    if not sql.is_refusal(error):
                        raise
                    await cursor.execute("ROLLBACK TO SAVEPOINT one")
                    number = sql.number_of(error)
                    outcome.refused[record.offset] = Refusal(_why(error), number)
        await connection.rollback()
        if not outcome.refused:
            raise TryLater("records that were refused together are taken one by one")

    async def _read(self, cursor: Any, lock: str) -> int | None:
        query = f"SELECT `next_offset` FROM `{sql.POSITIONS}` {_WHERE}{lock}"
        await cursor.execute(query, self._place)
        found = await cursor.fetchone()
        return None if found is None else int(found[0])

    async def _connected(self) -> Any:
        if self._connection is not None:
            return self._connection
        document = self._document
        text = document.url or secret(self._environ, document.url_from or "")
        url = urlsplit(text)
        if url.scheme not in ("mysql", "mariadb") or not url.hostname or not url.path.strip("/"):
            raise TryLater(f"environment variable {document.url_from} is no mysql://USER@HOST/DB")
        password = unquote(url.password or "")
        if document.password is not None:
            password = secret(self._environ, document.password)
        port = url.port or PORT
        addresses = await self._outbound.resolve(url.hostname, port)
        # no connect_timeout: our caller has one, and theirs can lose a cancellation (wait_for)
        connection = await aiomysql.connect(
            host=addresses[0]["host"],
            port=port,
            user=unquote(url.username or ""),
            password=password,
            db=unquote(url.path.strip("/")),
            charset="utf8mb4",
            autocommit=False,
            init_command="SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
        )
        try:
            async with connection.cursor() as cursor:
                await cursor.execute(f"SET SESSION sql_mode = '{MODE}', sql_notes = 0")
                for statement in (
                    sql.create_table(document.table, document.columns),
                    sql.create_positions(),
                ):
                    await _make(cursor, statement)
        except BaseException:
            connection.close()
            raise
        self._connection = connection
        return connection


async def _make(cursor: Any, statement: str) -> None:
    """Makes a table unless it is there; told so by the server without a warning in our log."""
    name = statement.split("`")[1]
    await cursor.execute(
        "SELECT 1 FROM information_schema.tables WHERE table_schema = DATABASE() "
        "AND table_name = %s",
        (name,),
    )
    if await cursor.fetchone() is None:
        await cursor.execute(statement)


def _why(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, pymysql.MySQLError) and len(error.args) > 1:
        return f"{error.args[1]} ({error.args[0]})"
    return str(error) or type(error).__name__
