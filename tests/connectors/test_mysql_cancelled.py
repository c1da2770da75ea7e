"""A connection to MySQL that is given up in the very moment in which it comes about."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import aiomysql.connection
import pytest

from connectors.outbound import Outbound
from connectors.sinks.mysql import MySqlTarget
from connectors.stores.mysql_pool import MysqlPool
from domain.sinks.document import MySql

pytestmark = pytest.mark.mysql


@pytest.fixture
def given_up(monkeypatch: pytest.MonkeyPatch) -> list[asyncio.Task[Any]]:
    """Tasks in it are cancelled as soon as a connection of theirs is open."""
    tasks: list[asyncio.Task[Any]] = []
    connect = aiomysql.connection._open_connection

    async def connected(*args: Any, **kwargs: Any) -> Any:
        found = await connect(*args, **kwargs)
        for task in tasks:
            task.cancel()
        return found

    monkeypatch.setattr(aiomysql.connection, "_open_connection", connected)
    return tasks


async def _is_cancelled(work: Awaitable[Any], tasks: list[asyncio.Task[Any]]) -> bool:
    task = asyncio.ensure_future(work)
    tasks.append(task)
    await asyncio.wait([task], timeout=20)
    return task.cancelled()


def test_a_sink_that_is_stopped_then_stops(
    mysql_url: str, unique: Callable[[str], str], given_up: list[asyncio.Task[Any]]
) -> None:
    async def story() -> None:
        document = MySql(mysql_url, None, None, unique("t").replace("-", "_"), ())
        target = MySqlTarget(document, Outbound(loopback=True), {}, ("i", "s", "aggregates", 0))
        assert await _is_cancelled(target.position(0), given_up)
        await target.close()

    asyncio.run(story())


def test_a_transaction_that_is_given_up_then_is(
    mysql_url: str, given_up: list[asyncio.Task[Any]]
) -> None:
    async def nothing(_cursor: Any) -> None:
        """No statement."""

    async def story() -> None:
        pool = MysqlPool(mysql_url, {}, 20.0)
        assert await _is_cancelled(pool.transaction(nothing), given_up)
        await pool.close()

    asyncio.run(story())
