"""A page costs what it holds: by what the stores themselves say of their queries."""

import asyncio
import sqlite3
import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from pymongo import AsyncMongoClient

from connectors.stores.base import Documents, FddFilter, Page
from connectors.stores.mongo import MongoDocuments
from connectors.stores.sqlite_documents import SqliteDocuments
from tests.contracts.stores import attempt, fdd, put

REQUEST = "reminder-0011223344556677"
NOON_MS = 1_762_171_200_000  # 2025-11-03T12:00:00Z
Look = Callable[[Documents], Awaitable[object]]


def _list(**wanted: Any) -> Callable[[Documents], Awaitable[Page]]:
    async def look(store: Documents) -> Page:
        page = await store.find_fdds(FddFilter(REQUEST, **wanted), None, 5)
        return await store.find_fdds(FddFilter(REQUEST, **wanted), page.next, 5)

    return look


async def _started(store: Documents) -> list[Any]:
    return [each async for each in store.started(NOON_MS, NOON_MS + 10_000)]


LOOKS: dict[str, Look] = {
    "all": _list(),
    "day": _list(day="2025-11-04"),
    "slot": _list(day="2025-11-04", slot="16:00-18:00"),
    "rare state": _list(states=["LEASED"]),
    "pending of a day": _list(states=["CREATED", "QUEUED", "LEASED"], day="2025-11-04"),
    "person in it": _list(number="+919800000007"),
    "person": lambda store: store.find_by_number("+919800000007", None, 5),
    "attempts": _started,
}


async def _fill(store: Documents) -> None:
    writes = []
    for record in range(300):
        for day in ("2025-11-03", "2025-11-04"):
            for slot in ("10:00-12:00", "16:00-18:00"):
                state = "LEASED" if record == 299 else ("COMPLETED", "CREATED")[record % 2]
                begun = [attempt(f"2025-11-03T{12 + record // 60}:{record % 60:02}:00Z")]
                values = {"date": day, "slot": slot, "state": state, "attempts": begun}
                writes.append(put(fdd(REQUEST, record, **values)))
    await store.write(writes)


@pytest.mark.mongo
def test_mongodb_looks_at_what_it_returns(mongo_url: str) -> None:
    base, name = mongo_url.rpartition("/")[0], f"t_{uuid.uuid4().hex[:12]}"

    async def story() -> None:
        store = MongoDocuments(f"{base}/{name}")
        await _fill(store)
        client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(f"{base}/{name}")
        database = client[name]
        await database.command("profile", 2)
        for what, look in LOOKS.items():
            await look(store)
            query = {"command.find": "fdds", "op": "query"}
            found = await database["system.profile"].find(query).sort("ts", 1).to_list()
            seen = sum(each["docsExamined"] for each in found)
            given = sum(each["nreturned"] for each in found)
            assert not any(each.get("hasSortStage") for each in found), what
            assert 0 < seen <= given, what
            await database.command("profile", 0)
            await database["system.profile"].drop()
            await database.command("profile", 2)
        await client.drop_database(name)
        await client.close()
        await store.close()

    asyncio.run(story())


def test_sqlite_walks_an_index_and_sorts_nothing(tmp_path: Path) -> None:
    asked: list[str] = []
    real = sqlite3.connect

    def traced(*args: Any, **options: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = real(*args, **options)
        connection.set_trace_callback(asked.append)
        return connection

    async def story() -> None:
        store = SqliteDocuments(tmp_path / "d.sqlite")
        await _fill(store)
        for what, look in LOOKS.items():
            asked.clear()
            await look(store)
            queries = [sql for sql in asked if sql.startswith("SELECT")]
            assert queries, what
            for sql in queries:
                plan = [row[3] for row in plain.execute(f"EXPLAIN QUERY PLAN {sql}")]
                assert not [line for line in plan if "TEMP B-TREE FOR ORDER" in line], (what, plan)
                scans = [line for line in plan if line.startswith("SCAN") and "found" not in line]
                assert not scans, (what, plan)
        await store.close()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sqlite3, "connect", traced)
        plain = real(tmp_path / "d.sqlite")
        asyncio.run(story())
        plain.close()
