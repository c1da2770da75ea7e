"""Impressions over HTTP: the figures of the tables, the state of loads and steps."""

from typing import Any

import msgspec
from aiohttp import web

from app.web import params
from app.web.context import BACKEND
from app.web.problems import not_found
from app.web.routes import CURSOR, LIMIT, Answer, Route, in_path
from app.web.wire import answer
from domain.impressions.layout import TABLES


class ImpressionsFileOut(msgspec.Struct):
    """A file in force with its figures; `path` below the root of the tables, `stddev` that of the
    population."""

    path: str
    rows: int
    sum: float
    mean: float
    stddev: float
    min: float
    max: float
    campaign: str
    bucket: int
    bytes: int


class ImpressionsLoadOut(msgspec.Struct):
    """A load. `state`: running, loaded, undone, replaced, failed or interrupted; `problem` says why
    it failed, `rejects` names the file of its refused rows."""

    load: str
    file: str
    state: str
    rows: int
    started: str
    finished: str | None
    rejected: int = 0
    rejects: str = ""
    problem: str = ""
    dates: list[str] = []


class ImpressionsLoadsOut(msgspec.Struct):
    """Loads, newest first."""

    items: list[ImpressionsLoadOut]
    next: str | None = None


class ImpressionsStepOut(msgspec.Struct):
    """A run of a step. `state`: running, done, failed or interrupted; `version`: that of the table
    afterwards."""

    step: str
    table: str
    state: str
    started: str
    finished: str | None
    file: str
    load: str
    rows: int
    rejected: int
    files: int
    bytes: int
    version: int
    problem: str


class ImpressionsTableOut(msgspec.Struct):
    """A table at one version, and its files in bucket order; times are instants."""

    table: str
    version: int
    rows: int
    sum: float
    mean: float
    stddev: float
    unmatched: int
    rejected: int
    files: list[ImpressionsFileOut]
    loads: list[ImpressionsLoadOut]
    steps: list[ImpressionsStepOut]
    layout: str
    dimension: int | None
    written: str


def _timed(told: dict[str, Any]) -> dict[str, Any]:
    return {**told, "finished": told["finished"] or None}


def _load(told: dict[str, Any]) -> ImpressionsLoadOut:
    return msgspec.convert(_timed(told), ImpressionsLoadOut)


async def get_table(request: web.Request) -> web.StreamResponse:
    """The figures of a table."""
    name = request.match_info["table"]
    told = await request.app[BACKEND].impressions_table(name)
    if told is None:
        raise not_found(f"table {name!r} of impressions", f"The tables are {', '.join(TABLES)}.")
    shown = {
        **told,
        "loads": [_load(load) for load in told["loads"]],
        "steps": [_timed(step) for step in told["steps"]],
    }
    return answer(msgspec.convert(shown, ImpressionsTableOut))


async def list_loads(request: web.Request) -> web.StreamResponse:
    """Loads, newest first."""
    found = await request.app[BACKEND].impressions_loads(
        params.limit(request), params.cursor(request)
    )
    return answer(ImpressionsLoadsOut([_load(load) for load in found.items], found.next))


ROUTES = (
    Route(
        "GET",
        "/api/impressions/tables/{table}",
        get_table,
        "Tells the figures of a table of impressions",
        "Impressions",
        {200: Answer("the table and its files", ImpressionsTableOut)},
        (in_path("table", "FACT_PARTITIONED, FACT_JOINED or FACT_UPDATED"),),
        problems={404: "there is no such table yet"},
    ),
    Route(
        "GET",
        "/api/impressions/loads",
        list_loads,
        "Lists the loads of impressions",
        "Impressions",
        {200: Answer("a page of loads", ImpressionsLoadsOut)},
        (LIMIT, CURSOR),
    ),
)
