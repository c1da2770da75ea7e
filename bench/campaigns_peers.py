"""What somebody would write by hand: `insert_many` for the FDDs of two slots, `LOAD DATA` for the
negatives. Neither decides anything, keeps a count, or could be repeated after a kill.
"""

import asyncio
import json
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pymysql
from pymongo import AsyncMongoClient

from bench.campaigns_job import fdd, number
from config.settings import resolve
from connectors.stores.mongo import INDEXES

PEERS = ("insert-many", "load-data")
SLOTS = (
    ("10:00-12:00", "2025-11-03T10:00:00.000Z", "2025-11-03T12:00:00.000Z"),
    ("16:00-18:00", "2025-11-03T16:00:00.000Z", "2025-11-03T18:00:00.000Z"),
)
CHUNK = 1_000
Measured = Callable[[str, int, Callable[[], Awaitable[None]]], Awaitable[dict[str, Any]]]


async def run(system: str, rows: int, negatives: int, measured: Measured) -> None:
    """Runs a peer and prints what it cost."""
    if system == "insert-many":
        figures = await _insert_many(rows, measured)
    else:
        figures = await _load_data(negatives, measured)
    print(json.dumps([figures]))


async def _insert_many(rows: int, measured: Measured) -> dict[str, Any]:
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(resolve().settings.documents)
    collection = client.get_default_database()["bench_by_hand"]
    await collection.drop()
    await collection.create_indexes(list(INDEXES["fdds"]))

    async def work() -> None:
        for first in range(0, rows, CHUNK // 2):
            some = range(first, min(rows, first + CHUNK // 2))
            await collection.insert_many([fdd(n, *slot) for slot in SLOTS for n in some])

    try:
        figures = await measured("create", 2 * rows, work)
        if await collection.count_documents({}) != 2 * rows:
            raise ValueError(f"insert_many left {await collection.count_documents({})} documents")
        return figures
    finally:
        await collection.drop()
        await client.close()


async def _load_data(negatives: int, measured: Measured) -> dict[str, Any]:
    where = urlsplit(resolve().settings.negatives)
    connection = pymysql.connect(
        host=where.hostname or "", port=where.port or 3306, user=where.username or "",
        password=where.password or "", database=where.path[1:], local_infile=True, autocommit=True,
    )  # fmt: skip

    def load() -> None:
        with tempfile.NamedTemporaryFile("w", suffix=".csv") as file:
            file.writelines(f"bench,u,{n + 1},{number(n * 10)}\n" for n in range(negatives))
            file.flush()
            with connection.cursor() as cursor:
                cursor.execute(
                    f"LOAD DATA LOCAL INFILE '{Path(file.name)}' INTO TABLE bench_by_hand"
                    " FIELDS TERMINATED BY ','"
                )

    with connection, connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS bench_by_hand")
        cursor.execute(
            "CREATE TABLE bench_by_hand (request_id VARCHAR(100), upload_id VARCHAR(100),"
            " row_no INT, number VARCHAR(20), PRIMARY KEY (request_id, upload_id, row_no),"
            " KEY (request_id, number))"
        )
        figures = await measured("negatives", negatives, lambda: asyncio.to_thread(load))
        cursor.execute("SELECT count(*) FROM bench_by_hand")
        found = cursor.fetchone()
        cursor.execute("DROP TABLE bench_by_hand")
    if found != (negatives,):
        raise ValueError(f"LOAD DATA left {found} rows")
    return figures
