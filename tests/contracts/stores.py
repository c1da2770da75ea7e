"""Both twins of each store for one suite: how to open them, and what is put in."""

import asyncio
import itertools
import sqlite3
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

import aiomysql
import pytest

from connectors.stores.base import Documents, Negatives, Page, Write
from connectors.stores.opening import NEGATIVES_FILE, open_documents, open_negatives

T = TypeVar("T")
Value = dict[str, Any]


@dataclass(frozen=True)
class DocumentStore:
    """A store of documents under test: `address` empty is SQLite in `folder`."""

    address: str
    folder: Path

    def open(self) -> Documents:
        """It, not asked for anything yet."""
        return open_documents(self.address, self.folder)

    def run(self, story: Callable[[Documents], Awaitable[T]]) -> T:
        """Runs a test's story with the open store."""

        async def told() -> T:
            store = self.open()
            try:
                return await story(store)
            finally:
                await store.close()

        return asyncio.run(told())


def document_store(wanted: pytest.FixtureRequest, folder: Path) -> DocumentStore:
    """An empty one: `sqlite`, or on the server that the fixture of that name gives."""
    if wanted.param == "sqlite":
        return DocumentStore("", folder)
    base, _, _ = wanted.getfixturevalue(wanted.param).rpartition("/")
    return DocumentStore(f"{base}/t_{uuid.uuid4().hex[:12]}", folder)


@dataclass(frozen=True)
class NegativeStore:
    """A store of negatives under test: `address` empty is SQLite in `folder`."""

    address: str
    folder: Path

    def open(self) -> Negatives:
        """It, not asked for anything yet."""
        return open_negatives(self.address, self.folder)

    def run(self, story: Callable[[Negatives], Awaitable[T]]) -> T:
        """Runs a test's story with the open store."""

        async def told() -> T:
            store = self.open()
            try:
                return await story(store)
            finally:
                await store.close()

        return asyncio.run(told())


def request(flow: str = "reminder") -> str:
    """An id that no other test has."""
    return f"{flow}-{uuid.uuid4().hex[:16]}"


def fdd(request_id: str, record_no: int = 1, **changes: Any) -> Value:
    """An FDD as the rules write it."""
    found: Value = {
        "request_id": request_id,
        "record_no": record_no,
        "number": f"+9198{record_no:08d}",
        "date": "2025-11-03",
        "slot": "10:00-12:00",
        "revision": 1,
        "status": "IN_PROGRESS",
        "state": "CREATED",
        "reason": None,
        "marks": [],
        "attempts": [],
    } | changes
    slot = found["slot"].replace(":", "").replace("-", "_") if found["slot"] else "-"
    day = found["date"].replace("-", "")
    return {"id": f"{request_id}.{day}.{slot}.{found['revision']}.{record_no}", **found}


def attempt(started_at: str | None, number: int = 1) -> Value:
    """An attempt that started then."""
    return {"execution_id": f"e.{number}", "attempt": number, "started_at": started_at}


def put(value: Value, version: int = 1) -> Write:
    """The write of an FDD."""
    return Write("fdds", value["id"], version, value)


def row(request_id: str, upload_id: str, row_no: int, **changes: Any) -> Write:
    """The write of one row of a negatives' file."""
    version = changes.pop("version", 1)
    value = {
        "request_id": request_id,
        "upload_id": upload_id,
        "row": row_no,
        "number": f"+9198{row_no:08d}",
        "value": f"98{row_no:08d}",
        "result": "matched",
        "by": "ana",
    } | changes
    return Write("negative_numbers", f"{request_id}/{upload_id}/{row_no}", version, value)


def upload(request_id: str, upload_id: str, version: int = 1, **changes: Any) -> Write:
    """The write of an upload's figures."""
    value = {
        "request_id": request_id,
        "upload_id": upload_id,
        "by": "ana",
        "at": "2025-11-03T05:00:00.000Z",
        "filename": "nö.csv",
        "rows": 3,
    } | changes
    return Write("negative_uploads", f"{request_id}/{upload_id}", version, value)


def many(r: str) -> list[dict[str, Any]]:
    """FDDs of two days, with slots and without, in a mixture of states."""
    slots = ["10:00-12:00", "16:00-18:00", None]
    states = ["CREATED", "QUEUED", "COMPLETED", "FAILED"]
    found = []
    for day, slot, record in itertools.product(["2025-11-03", "2025-11-04"], slots, range(1, 13)):
        state = states[record % 4]
        reason = None if state != "FAILED" else ["BUSY", "OUT_OF_SLOT"][record // 4 % 2]
        found.append(fdd(r, record, date=day, slot=slot, state=state, reason=reason))
    return found


async def all_pages(look: Callable[[str | None], Awaitable[Page]]) -> list[Value]:
    """The items of every page, page after page."""
    page = await look(None)
    items = list(page.items)
    while page.next is not None:
        page = await look(page.next)
        items += page.items
    return items


async def queried(store: NegativeStore, sql: str) -> list[tuple[Any, ...]]:
    """What a person's query of the tables gives."""
    if not store.address:
        connection = sqlite3.connect(store.folder / NEGATIVES_FILE)
        found = connection.execute(sql).fetchall()
        connection.close()
        return found
    server = await _connect(store.address)
    async with server.cursor() as cursor:
        await cursor.execute(f"USE {store.address.rpartition('/')[2]}")
        await cursor.execute(sql)
        rows = await cursor.fetchall()
    server.close()
    return list(rows)


async def _connect(url: str) -> Any:
    parts = urlsplit(url)
    return await aiomysql.connect(
        host=parts.hostname,
        port=parts.port,
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        autocommit=True,
    )


async def new_database(url: str) -> str:
    """The address of a database of its own on the MySQL server."""
    base, _, _ = url.rpartition("/")
    database = f"t_{uuid.uuid4().hex[:12]}"
    connection = await _connect(url)
    async with connection.cursor() as cursor:
        await cursor.execute(f"CREATE DATABASE {database}")
    connection.close()
    return f"{base}/{database}"
