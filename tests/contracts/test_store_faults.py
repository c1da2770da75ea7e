"""What stores keep when their server, or the process that holds the file, is killed."""

import asyncio
import subprocess
import sys
import time
import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

import pytest
from pymongo import AsyncMongoClient

from connectors.stores.base import (
    Documents,
    FddFilter,
    Negatives,
    StoreError,
    StoreUnavailable,
    Write,
)
from connectors.stores.mongo import MongoDocuments
from connectors.stores.mysql import MysqlNegatives
from connectors.stores.sqlite_documents import SqliteDocuments
from domain.errors import UsageError
from scripts.house.mongo import Mongo
from scripts.house.mysql import MySql
from tests.contracts.store_writer import SOME
from tests.contracts.stores import (
    NegativeStore,
    all_pages,
    fdd,
    new_database,
    put,
    queried,
    request,
    row,
)
from tests.waiting import auntil, until


class Killed(Protocol):
    """A server that a test kills."""

    @property
    def url(self) -> str:
        """Its address."""

    def stop(self, *, hard: bool = False) -> None:
        """Kills it."""

    def start(self, *, fresh: bool = False) -> None:
        """Starts it again."""


class Store(Protocol):
    """What both kinds of store have."""

    async def write(self, writes: list[Write]) -> None:
        """Writes."""

    async def check(self) -> None:
        """Whether it answers."""

    async def close(self) -> None:
        """Closes it."""


class Hold:
    """Asks again and again while a store is away. `away`: whether that is now."""

    def __init__(self) -> None:
        self.away = False

    async def through(self, call: Callable[[], Awaitable[None]]) -> None:
        """Returns when the call was done."""
        while True:
            try:
                await call()
            except StoreUnavailable:
                self.away = True
                await asyncio.sleep(0)
            else:
                self.away = False
                return


async def _through_a_kill(
    server: Killed, store: Store, write: Callable[[int], Write], seen: Callable[[], Awaitable[int]]
) -> None:
    """Many writers, all held while the server is away; none of what was acknowledged is lost."""
    hold = Hold()
    done = 0

    async def writer(first: int) -> None:
        nonlocal done
        for number in range(first, first + 150):
            await hold.through(lambda number=number: store.write([write(number)]))  # type: ignore[misc]  # a default is a value
            done += 1

    writers = [asyncio.create_task(writer(n * 150)) for n in range(4)]
    for _ in range(2):
        before = done
        await auntil(lambda before=before: done > before + 20)  # type: ignore[misc]  # a default is a value
        await asyncio.to_thread(server.stop, hard=True)
        await auntil(lambda: hold.away)
        at_rest = done
        with pytest.raises(StoreUnavailable):
            await store.check()
        assert done == at_rest
        await asyncio.to_thread(server.start)
        await auntil(lambda: not hold.away, 30)
        assert await seen() >= at_rest
    await asyncio.gather(*writers)
    assert done == await seen() == 600
    await store.close()


def test_mongod_killed_in_the_middle_loses_nothing_acknowledged(own_mongo: Mongo) -> None:
    async def story() -> None:
        store, r = MongoDocuments(own_mongo.url, timeout_s=3), request()

        async def seen() -> int:
            return len(await all_pages(lambda c: store.find_fdds(FddFilter(r), c, 500)))

        await _through_a_kill(own_mongo, store, lambda n: put(fdd(r, n)), seen)

    asyncio.run(story())


def test_mysql_killed_in_the_middle_loses_nothing_acknowledged(own_mysql: MySql) -> None:
    async def story() -> None:
        store, r = MysqlNegatives(own_mysql.url, timeout_s=3), request()

        async def seen() -> int:
            return len(await all_pages(lambda c: store.numbers(r, None, None, c, 500)))

        await _through_a_kill(own_mysql, store, lambda n: row(r, "u", n), seen)

    asyncio.run(story())


@pytest.mark.mongo
def test_a_mongodb_that_was_emptied_is_written_and_read_again(mongo_url: str) -> None:
    address = f"{mongo_url.rpartition('/')[0]}/t_{uuid.uuid4().hex[:12]}"

    async def story() -> None:
        store, r = MongoDocuments(address), request()
        await store.write([put(fdd(r))])
        client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(address)
        await client.drop_database(address.rpartition("/")[2])
        await store.write([put(fdd(r, 2))])
        hold = Hold()
        await hold.through(lambda: _find(store, r))
        assert [each["record_no"] for each in (await store.find_fdds(FddFilter(r))).items] == [2]
        await client.close()
        await store.close()

    asyncio.run(story())


async def _find(store: Documents, r: str) -> None:
    await store.find_fdds(FddFilter(r))


@pytest.mark.mysql
def test_a_mysql_that_was_emptied_is_written_and_read_again(mysql_url: str) -> None:
    async def story() -> None:
        address = await new_database(mysql_url)
        store, r = MysqlNegatives(address), request()
        await store.write([row(r, "u", 1)])
        await queried(NegativeStore(address, Path()), "DROP TABLE negative_numbers")
        hold = Hold()
        await hold.through(lambda: store.write([row(r, "u", 2)]))
        assert [each["row"] for each in (await store.numbers(r)).items] == [2]
        await store.close()

    asyncio.run(story())


@pytest.mark.parametrize("lines", [1, 7, 40])
def test_a_killed_writer_of_the_file_loses_nothing_acknowledged(tmp_path: Path, lines: int) -> None:
    r = request()
    command = [sys.executable, "-m", "tests.contracts.store_writer", str(tmp_path), r]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        try:
            for _ in range(lines):
                assert writer.stdout.readline(), "the writer ended by itself"
        finally:
            writer.kill()
        rest = writer.stdout.read().split()
    acknowledged = int(rest[-1]) if rest else lines

    async def story() -> None:
        store = SqliteDocuments(tmp_path / "documents.sqlite")
        found = (await store.find_fdds(FddFilter(r))).items
        (attempts,) = {len(each["attempts"]) for each in found}  # all of a call, or nothing
        assert len(found) == SOME
        assert attempts >= acknowledged
        await store.write([put(fdd(r, 0), 10**6)])
        await store.close()

    asyncio.run(story())


_SECRETS = "us%40er:s3cret%2Fword"


def _stores(port: int) -> list[Documents | Negatives]:
    return [
        MongoDocuments(f"mongodb://{_SECRETS}@127.0.0.1:{port}/db?appName=s3cret", 0.5),
        MysqlNegatives(f"mysql://{_SECRETS}@127.0.0.1:{port}/db", 0.5),
    ]


@pytest.mark.parametrize("silent", [False, True])
def test_a_server_that_is_away_is_told_in_time_and_without_secrets(
    free_port: int, silent: bool
) -> None:
    async def story() -> None:
        listener = None
        if silent:  # takes connections and says nothing
            listener = await asyncio.start_server(_nothing, "127.0.0.1", free_port)
        for store in _stores(free_port):
            began_s = time.monotonic()
            with pytest.raises(StoreUnavailable) as told:
                await store.check()
            assert time.monotonic() - began_s < 5
            assert str(free_port) in told.value.where
            assert "s3cret" not in f"{told.value} {told.value!r} {store!r}"
            assert told.value.exit_code == 3
            await store.close()
        if listener is not None:
            listener.close()

    asyncio.run(story())


async def _nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()
    writer.close()


@pytest.mark.parametrize(
    ("kind", "address"),
    [
        (MongoDocuments, "mongodb://a:s3cret@x@h/db"),
        (MongoDocuments, "mongodb://h:s3cret/db"),
        (MongoDocuments, "http://me:s3cret@h/db"),
        (MysqlNegatives, "mysql://me:s3cret@h"),
        (MysqlNegatives, "mysql://me:s3cret@h:port/db"),
        (MysqlNegatives, "http://me:s3cret@h/db"),
    ],
)
def test_an_address_that_is_none_is_told_without_it(
    kind: Callable[[str], object], address: str
) -> None:
    async def story() -> None:
        with pytest.raises(UsageError) as told:
            kind(address)
        assert "s3cret" not in str(told.value)

    asyncio.run(story())


def test_wrong_sign_in_is_waited_for(own_mysql: MySql) -> None:
    """Somebody may still put it right; nothing is dropped for it."""

    async def story() -> None:
        port = urlsplit(own_mysql.url).port
        store = MysqlNegatives(f"mysql://nobody:s3cret@127.0.0.1:{port}/x")
        with pytest.raises(StoreUnavailable) as told:
            await store.check()
        assert "s3cret" not in str(told.value)
        await store.close()

    asyncio.run(story())


def test_a_file_that_is_none_is_told(tmp_path: Path) -> None:
    (tmp_path / "documents.sqlite").write_bytes(b"no database, but long enough for one" * 30)

    async def story() -> None:
        store = SqliteDocuments(tmp_path / "documents.sqlite")
        with pytest.raises(StoreError):
            await store.check()
        await store.close()

    asyncio.run(story())


def test_a_loop_is_free_while_the_file_is_busy(tmp_path: Path) -> None:
    async def story() -> None:
        store, beats = SqliteDocuments(tmp_path / "d.sqlite"), 0
        r = request()
        call = asyncio.create_task(store.write([put(fdd(r, n)) for n in range(3_000)]))
        while not call.done():
            await asyncio.sleep(0)
            beats += 1
        await call
        assert beats > 10
        await store.close()

    asyncio.run(story())


def test_closing_leaves_neither_connections_nor_threads(own_mongo: Mongo, own_mysql: MySql) -> None:
    ports = {urlsplit(own_mongo.url).port, urlsplit(own_mysql.url).port}

    async def story() -> None:
        for store in (MongoDocuments(own_mongo.url), MysqlNegatives(own_mysql.url)):
            await asyncio.gather(*(store.check() for _ in range(8)))
            assert _connections(ports)
            await store.close()
            await auntil(lambda: not _connections(ports))

    asyncio.run(story())
    until(lambda: not _connections(ports))


def _connections(ports: set[int | None]) -> int:
    """This machine's established connections to the ports."""
    lines = Path("/proc/self/net/tcp").read_text().splitlines()[1:]
    fields = [line.split() for line in lines]
    return sum(int(each[2].rpartition(":")[2], 16) in ports and each[3] == "01" for each in fields)
