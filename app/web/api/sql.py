"""SQL over HTTP: one SELECT, read only."""

from typing import Any

import msgspec
from aiohttp import web

from app.metrics_backend import TooManyBuckets
from app.sql.run import SqlLimit, SqlRefused
from app.web.context import BACKEND
from app.web.masked import masker_of
from app.web.problems import ProblemError
from app.web.routes import JSON, Answer, Route
from app.web.wire import answer, read_as


class ColumnOut(msgspec.Struct):
    """A column of a result, with DuckDB's name of its type."""

    name: str
    type: str


class SqlOut(msgspec.Struct):
    """A result. `truncated`: there were more rows than `SLUICE_SQL_ROWS`."""

    columns: list[ColumnOut]
    rows: list[list[Any]]
    truncated: bool


class _Asked(msgspec.Struct):
    sql: str


async def run_sql(request: web.Request) -> web.StreamResponse:
    """Runs one SELECT."""
    try:
        asked = read_as(await request.read(), _Asked)
    except msgspec.DecodeError as error:
        detail = f'The body is {{"sql":"select …"}}: {error}.'
        raise ProblemError(400, "bad-body", detail, [{"path": "sql"}]) from error
    try:
        return answer(await request.app[BACKEND].sql(asked.sql, masker_of(request)))
    except SqlRefused as error:
        raise ProblemError(400, "refused-statement", str(error), [{"path": "sql"}]) from error
    except SqlLimit as error:
        raise ProblemError(422, "limit", f"{error}.", [{"path": "sql"}]) from error
    except TooManyBuckets as error:
        detail = f"The table is too large for SQL: {error}."
        raise ProblemError(422, "too-many-buckets", detail) from error


ROUTES = (
    Route(
        "POST",
        "/api/sql",
        run_sql,
        "Runs one SELECT over the tables `rollups` and `archive`",
        "Metrics",
        {200: Answer("the rows", SqlOut)},
        body={JSON: '{"sql":"select …"}: one statement'},
        problems={400: "the statement is refused", 422: "it needed more than it may have"},
    ),
)
