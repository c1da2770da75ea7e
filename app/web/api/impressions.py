"""Impressions over HTTP: the figures of the tables, the state of loads and steps."""

from typing import Any

import msgspec
from aiohttp import web

from app.web import params
from app.web.context import BACKEND
from app.web.problems import AWAY, ProblemError, bad_parameter, not_found
from app.web.routes import CURSOR, LIMIT, Answer, Param, Route, in_path
from app.web.wire import answer
from domain.errors import SluiceError
from domain.impressions.events import FILE_EXPECTED, is_file
from domain.impressions.layout import PARTITIONED, TABLES


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


class ImpressionsSummaryOut(msgspec.Struct):
    """A table as a whole. `days`: how many, from `first` to `last`; `behind`: a newer dimension
    than its own is there; `written` is an instant."""

    table: str
    version: int
    rows: int
    files: int
    bytes: int
    mean: float
    stddev: float
    unmatched: int
    rejected: int
    days: int
    first: str | None
    last: str | None
    dimension: int | None
    behind: bool
    written: str


class ImpressionsJobOut(msgspec.Struct):
    """A load or a dimension. `state`: queued, running, waiting (for what `problem` says, then it is
    tried again), done or failed. `step` is the one that runs, with `done` of `total` bytes (0: not
    known) and `rows` found."""

    job: str
    kind: str
    file: str
    state: str
    step: str
    done: int
    total: int
    rows: int
    queued: str
    ended: str | None
    load: str
    problem: str


class ImpressionsMissingOut(msgspec.Struct):
    """A day whose file has not come, and since when that is an alert."""

    day: str
    since: str


class ImpressionsOut(msgspec.Struct):
    """How impressions stand. `worker` has the queue (null: no worker with the role impressions);
    `waiting`: how many jobs are open, `jobs` those that run or wait, then the last ones; `trouble`:
    why new files can't be looked for. `steps`: the last ones of all tables, newest first."""

    tables: list[ImpressionsSummaryOut]
    dimension: int | None
    worker: str | None
    waiting: int
    jobs: list[ImpressionsJobOut]
    missing: list[ImpressionsMissingOut]
    trouble: str
    steps: list[ImpressionsStepOut]


class ImpressionsFiguresOut(msgspec.Struct):
    """Figures of a day (empty: of all, in the compat layout), or of a campaign on it; `campaign`
    null is all. `stddev` is that of the population."""

    day: str
    campaign: str | None
    files: int
    rows: int
    mean: float
    stddev: float
    least: float
    greatest: float
    unmatched: int


class ImpressionsLinesOut(msgspec.Struct):
    """Figures by day, newest first, or by campaign."""

    items: list[ImpressionsFiguresOut]
    next: str | None = None


class ImpressionsPlanOut(msgspec.Struct):
    """What would be rewritten: files, their rows, and the bytes they have now."""

    files: int
    rows: int
    bytes: int


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


async def get_impressions(request: web.Request) -> web.StreamResponse:
    """How it all stands."""
    told = await request.app[BACKEND].impressions()
    return answer(msgspec.convert(_shown(told), ImpressionsOut))


def _shown(told: dict[str, Any]) -> dict[str, Any]:
    return {**told, "steps": [_timed(step) for step in told["steps"]]}


async def list_figures(request: web.Request) -> web.StreamResponse:
    """Figures by day or by campaign."""
    name = request.query.get("table", PARTITIONED)
    found = await request.app[BACKEND].impressions_figures(
        name, request.query.get("day"), params.limit(request), params.cursor(request)
    )
    if found is None:
        raise not_found(f"table {name!r} of impressions", f"The tables are {', '.join(TABLES)}.")
    items = msgspec.convert(list(found.items), list[ImpressionsFiguresOut])
    return answer(ImpressionsLinesOut(items, found.next))


async def plan_of(request: web.Request, file: str) -> dict[str, int]:
    """What an update with that dimension would rewrite; a problem for one that can't be taken."""
    try:
        return dict(await request.app[BACKEND].impressions_plan(file))
    except AWAY:
        raise
    except SluiceError as error:
        detail = str(error).replace("\n", "; ")
        raise ProblemError(
            422, "unusable-dimension", detail, [{"path": "file", "value": file}]
        ) from None


async def get_plan(request: web.Request) -> web.StreamResponse:
    """What a dimension would change, before it is taken."""
    file = request.query.get("file", "")
    if not is_file(file):
        raise bad_parameter("file", file, FILE_EXPECTED)
    return answer(msgspec.convert(await plan_of(request, file), ImpressionsPlanOut))


ROUTES = (
    Route(
        "GET",
        "/api/impressions",
        get_impressions,
        "Tells how impressions stand: tables, queue, steps, missing days",
        "Impressions",
        {200: Answer("tables, jobs and steps", ImpressionsOut)},
    ),
    Route(
        "GET",
        "/api/impressions/figures",
        list_figures,
        "Lists figures of a table by day, or of a day by campaign",
        "Impressions",
        {200: Answer("a page of figures", ImpressionsLinesOut)},
        (
            Param("table", "FACT_PARTITIONED (the default), FACT_JOINED or FACT_UPDATED"),
            Param("day", "a day like 2025-11-03; its campaigns are told"),
            LIMIT,
            CURSOR,
        ),
        problems={404: "there is no such table yet"},
    ),
    Route(
        "GET",
        "/api/impressions/plan",
        get_plan,
        "Tells what an update with a dimension file would rewrite",
        "Impressions",
        {200: Answer("files, rows and bytes", ImpressionsPlanOut)},
        (Param("file", "s3://bucket/path/file"),),
        problems={422: "the file is no dimension, or there is nothing joined yet"},
    ),
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
