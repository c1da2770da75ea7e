"""Rows of keyed state over HTTP, from whichever worker owns them."""

from typing import Any

import msgspec
from aiohttp import web

from app.shapes import TableRow
from app.web import params
from app.web.api.records_out import value_shown
from app.web.context import BACKEND
from app.web.masked import check_key
from app.web.problems import not_found
from app.web.routes import CURSOR, LIMIT, Answer, Param, Route, in_path
from app.web.standby import StandbyAge, standby_age
from app.web.wire import answer


class TableOut(msgspec.Struct):
    """A table; `rows` and `bytes` are estimates, null when not known."""

    name: str
    partitions: int
    purpose: str
    rows: int | None
    bytes: int | None


class TablesOut(msgspec.Struct):
    """The tables."""

    items: list[TableOut]
    next: str | None = None


class RowOut(msgspec.Struct):
    """A row of a table and who owns it; with `standby_age_s` (seconds) it is from the standby copy
    of `worker`, since the owner does not answer."""

    key: str
    value: Any
    partition: int
    worker: str
    standby_age_s: StandbyAge = msgspec.UNSET


class RowsOut(msgspec.Struct):
    """Rows in key order."""

    items: list[RowOut]
    next: str | None
    standby_age_s: StandbyAge = msgspec.UNSET


async def list_tables(request: web.Request) -> web.StreamResponse:
    """The tables that can be looked into."""
    found = await request.app[BACKEND].tables()
    items = [TableOut(t.name, t.partitions, t.purpose, t.rows, t.bytes) for t in found]
    return answer(TablesOut(items))


async def list_rows(request: web.Request) -> web.StreamResponse:
    """Rows whose key begins with `prefix`."""
    table = request.match_info["table"]
    check_key(request, request.query.get("prefix", ""), "prefix")
    page = await request.app[BACKEND].table_rows(
        table, request.query.get("prefix", ""), params.limit(request), params.cursor(request)
    )
    if page is None:
        raise not_found(f"table {table!r}", "GET /api/tables lists all.")
    return answer(RowsOut([_shown(row) for row in page.items], page.next, standby_age()))


async def get_row(request: web.Request) -> web.StreamResponse:
    """One row by its key."""
    table, key = request.match_info["table"], request.match_info["key"]
    check_key(request, key, "key")
    row = await request.app[BACKEND].table_row(table, key)
    if row is None:
        raise not_found(f"row {key!r} in a table {table!r}")
    return answer(_shown(row))


def _shown(row: TableRow) -> RowOut:
    age = msgspec.UNSET if row.age_s is None else round(row.age_s, 1)
    return RowOut(row.key, value_shown(row.value), row.partition, row.worker, age)


_TABLE = in_path("table", "the table's name")

ROUTES = (
    Route(
        "GET",
        "/api/tables",
        list_tables,
        "Lists the tables of keyed state",
        "Tables",
        {200: Answer("the tables", TablesOut)},
    ),
    Route(
        "GET",
        "/api/tables/{table}",
        list_rows,
        "Lists rows of a table by key prefix",
        "Tables",
        {200: Answer("rows in key order", RowsOut)},
        (_TABLE, Param("prefix", "the beginning of the key"), LIMIT, CURSOR),
        problems={
            403: "the prefix is a part of a phone number, and who asks may not see those",
            404: "there is no such table",
        },
    ),
    Route(
        "GET",
        "/api/tables/{table}/{key:.+}",
        get_row,
        "Shows one row",
        "Tables",
        {200: Answer("the row", RowOut)},
        (_TABLE, in_path("key", "the row's key, percent-encoded")),
        problems={
            403: "the key holds a phone number, and who asks may not see those",
            404: "there is no such row",
        },
    ),
)
