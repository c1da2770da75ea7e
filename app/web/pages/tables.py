"""Tables: what does the state hold under this key?"""

from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import quote, urlencode

from aiohttp import web

from app.shapes import TableRow
from app.web.context import BACKEND
from app.web.marks import pretty
from app.web.masked import check_key, masker_of
from app.web.pages.shell import Context, Page, View
from app.web.params import cursor
from app.web.problems import not_found
from app.web.wire import loads
from domain.masking import Masker

ROWS = 50
SHOWN = 160  # characters of a value in a list


class Row(NamedTuple):
    """A row as the list shows it."""

    row: TableRow
    value: str
    link: str


def link(table: str, key: str) -> str:
    """The page of a row."""
    return f"/tables/{quote(table, safe='')}/row?{urlencode({'key': key})}"


async def build_list(request: web.Request) -> Context:
    """The tables."""
    found = await request.app[BACKEND].tables()
    return {"tables": found, "shards": max((one.partitions for one in found), default=0)}


async def build_rows(request: web.Request) -> Context:
    """Rows of a table by the beginning of their key."""
    table = request.match_info["table"]
    prefix = request.query.get("prefix", "")
    check_key(request, prefix, "prefix")
    masker = masker_of(request)
    backend = request.app[BACKEND]
    page = await backend.table_rows(table, prefix, ROWS, cursor(request))
    if page is None:
        raise not_found(f"table {table!r}", "Tables lists all of them.")
    info = next((one for one in await backend.tables() if one.name == table), None)
    where = {"prefix": prefix} if prefix else {}
    return {
        "table": table,
        "purpose": "" if info is None else info.purpose,
        "prefix": prefix,
        "rows": [
            # masked before it is cut: half a number would pass for something else
            Row(row, _masked(masker, row.value.decode())[:SHOWN], link(table, row.key))
            for row in page.items
        ],
        "more": _address(table, {**where, "cursor": page.next}) if page.next else "",
        "first": _address(table, where) if cursor(request) else "",
    }


def _masked(masker: Masker | None, text: str) -> str:
    return text if masker is None else masker.bytes(text.encode()).decode()


def _address(table: str, where: Mapping[str, str]) -> str:
    path = f"/tables/{quote(table, safe='')}"
    return f"{path}?{urlencode(where)}" if where else path


async def build_one(request: web.Request) -> Context:
    """A row: its value, and who owns it."""
    table, key = request.match_info["table"], request.query.get("key", "")
    check_key(request, key, "key")
    row = await request.app[BACKEND].table_row(table, key)
    if row is None:
        raise not_found(f"row {key!r} in a table {table!r}", "It may be gone meanwhile.")
    return {
        "table": table,
        "row": row,
        "text": pretty(loads(row.value)),
        "api": f"/api/tables/{quote(table, safe='')}/{quote(row.key, safe='')}",
        "back": _address(table, {}),
    }


PAGE = Page(
    "Tables",
    "t",
    (
        View("/tables", "tables.html", build_list, ("answer", "tables"), every_s=10.0),
        View("/tables/{table}", "table_rows.html", build_rows),
        View("/tables/{table}/row", "table_row.html", build_one),
    ),
)
