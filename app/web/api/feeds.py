"""Feeds: the figures of a metric at an address that spreadsheets and Tableau can keep.

Such programs sign in by the address alone, so it carries a token. The token is never answered
with, nor logged: there is no access log, and errors tell of paths only.
"""

import asyncio
import hmac
import io
from collections.abc import Sequence
from typing import Any

from aiohttp import web

from app.metrics_backend import Asked, Figured
from app.web.context import SETTINGS
from app.web.csv_text import CSV, csv_text
from app.web.figures_asked import asked_of, check_names, figured, header, rows
from app.web.people import LOCAL, PEOPLE, PERSON, person_of
from app.web.problems import ProblemError
from app.web.routes import Answer, Param, Route, in_path
from app.web.security import from_loopback
from domain.aggregation.instants import parse_instant

PARQUET = "application/vnd.apache.parquet"
_TIMES = ("start", "overlay_start")


async def check_token(request: web.Request) -> None:
    """Refuses a wrong token always, a missing one unless somebody has signed in or, without
    users, asks from this machine. Raises ProblemError (401).
    """
    given = request.query.getall("token", [])
    person = person_of(request)
    if not given and person is not None and (person is not LOCAL or from_loopback(request)):
        return
    if len(given) == 1:
        program = await request.app[PEOPLE].by_token(given[0])
        if program is not None:
            request[PERSON] = program
            return
    kept = request.app[SETTINGS].feed_tokens
    # every token is compared, so that the time tells nothing
    right = [_same(one, each) for one in given for each in kept]
    if len(given) == 1 and any(right):
        return
    raise ProblemError(
        401,
        "bad-token",
        "The address needs token=…, one of `sluice tokens create` or of SLUICE_FEED_TOKENS of this "
        "worker.",
        [{"path": "token"}],
        {"WWW-Authenticate": 'Bearer realm="feeds"'},
    )


def _same(given: str, kept: str) -> bool:
    return hmac.compare_digest(
        given.encode("utf-8", "surrogatepass"), kept.encode("utf-8", "surrogatepass")
    )


async def _told(request: web.Request) -> tuple[Asked, Figured]:
    await check_token(request)
    asked = asked_of(request, request.match_info["metric"])
    found = await figured(request, asked)
    await check_names(request, asked, found)
    return asked, found


async def feed_csv(request: web.Request) -> web.StreamResponse:
    """A metric's buckets as CSV."""
    asked, found = await _told(request)
    body = await asyncio.to_thread(csv_text, header(asked), rows(asked, found))
    return web.Response(body=body, content_type=CSV, charset="utf-8")


async def feed_parquet(request: web.Request) -> web.StreamResponse:
    """A metric's buckets as Parquet."""
    asked, found = await _told(request)
    body = await asyncio.to_thread(parquet_of, asked, found)
    return web.Response(body=body, content_type=PARQUET)


def parquet_of(asked: Asked, found: Figured) -> bytes:
    """The rows of the CSV with types that don't depend on them: text, UTC milliseconds, doubles."""
    import pyarrow as pa  # loaded by the first who asks for Parquet
    import pyarrow.parquet as pq

    names = header(asked)
    columns: list[list[Any]] = [[] for _ in names]
    for row in rows(asked, found):
        for column, value in zip(columns, row, strict=True):
            column.append(value)
    groups = len(asked.group)
    arrays = [
        pa.array(column, pa.string()) if n < groups else _array(name, column)
        for n, (name, column) in enumerate(zip(names, columns, strict=True))
    ]
    out = io.BytesIO()
    pq.write_table(pa.Table.from_arrays(arrays, names=names), out)
    return out.getvalue()


def _array(name: str, column: Sequence[Any]) -> Any:
    import pyarrow as pa

    if name in _TIMES:
        return pa.array(map(parse_instant, column), pa.timestamp("ms", tz="UTC"))
    types = {"count": pa.int64(), "partial": pa.bool_()}
    if name in types:
        return pa.array(column, types[name])
    return pa.array([None if v is None else float(v) for v in column], pa.float64())


_QUESTION = (
    in_path("metric", "the metric's name, or that of a calculated one"),
    Param("grain", "hour, day, week, month, quarter or year; left out: day"),
    Param("from", "a date or an instant, in `tz` when it has no offset"),
    Param("to", "the end, exclusive; left out: now"),
    Param("group", "a dimension that makes series of their own", repeated=True),
    Param("overlay", "week, month or year: the same bucket so long before, beside each"),
    Param("tz", "an IANA zone; left out: that of the metric's source"),
    Param("where.DIMENSION", "only series with this value of the dimension", repeated=True),
    Param("token", "a token; may be left out by who signs in, and without users on the machine"),
)
_PROBLEMS = {
    400: "a parameter is wrong",
    401: "the token is wrong, or missing",
    404: "no document in force speaks of the metric, and it has no values",
    422: "more than 100,000 buckets",
}

ROUTES = (
    Route(
        "GET",
        "/api/metrics/feeds/{metric}.csv",
        feed_csv,
        "Feeds the figures of a metric to a spreadsheet",
        "Metrics",
        {200: Answer("a row for each bucket of each series", media=CSV)},
        _QUESTION,
        problems=_PROBLEMS,
    ),
    Route(
        "GET",
        "/api/metrics/feeds/{metric}.parquet",
        feed_parquet,
        "Feeds the figures of a metric as Parquet",
        "Metrics",
        {200: Answer("the same rows; times in UTC", media=PARQUET)},
        _QUESTION,
        problems=_PROBLEMS,
    ),
)
