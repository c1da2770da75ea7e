"""Sessions and control totals of aggregators over HTTP."""

from typing import Any

import msgspec
from aiohttp import web

from app.shapes import Totals
from app.web import params
from app.web.context import BACKEND
from app.web.problems import bad_parameter, not_found
from app.web.routes import CURSOR, LIMIT, Answer, Param, Route, in_path
from app.web.standby import StandbyAge, standby_age
from app.web.wire import answer, exact

GROUP = "group."


class SourceOut(msgspec.Struct):
    """Where records of a session came from: offsets `first` to `last`, both included."""

    topic: str
    partition: int
    first: int
    last: int
    count: int


class Meta(msgspec.Struct):
    """How a session came about; instants as text."""

    origin: str
    count: int
    flushType: str
    firstEvent: str
    lastEvent: str
    lastCall: bool


class Explain(msgspec.Struct):
    """Why it is due when it is."""

    rule: str
    due: str
    sources: list[SourceOut]


class SessionOut(msgspec.Struct):
    """An open session in the shape of the record it will flush (flushType is empty)."""

    id: str
    aggregator: str
    version: int
    sequence: int
    group: dict[str, Any]
    periods: dict[str, Any]
    values: dict[str, Any]
    parts: dict[str, Any]
    meta: Meta
    explain: Explain
    late: bool = False
    estimated: list[str] = []


class SessionsOut(msgspec.Struct):
    """Open sessions in key order; `standby_age_s` as in the header X-Sluice-Standby-Age."""

    items: list[SessionOut]
    next: str | None
    standby_age_s: StandbyAge = msgspec.UNSET


class TotalsOut(msgspec.Struct):
    """Control totals. `count`: in = open + flushed + duplicates + rejected + expired + deleted;
    each of `sums`: in = open + flushed + expired + deleted."""

    aggregator: str
    count: dict[str, int]
    sums: dict[str, dict[str, float]]
    balanced: bool


class AllTotalsOut(msgspec.Struct):
    """Control totals of all aggregators, by name."""

    items: list[TotalsOut]
    next: str | None = None


async def list_sessions(request: web.Request) -> web.StreamResponse:
    """Open sessions whose group values match all `group.FIELD` of the address."""
    name = request.match_info.get("name") or request.query.get("aggregator", "")
    if not name:
        raise bad_parameter("aggregator", name, "the name of an aggregator")
    page = await request.app[BACKEND].sessions(
        name, group_filter(request), params.limit(request), params.cursor(request)
    )
    if page is None:
        raise no_aggregator(name)
    items = [msgspec.Raw(row.record) for row in page.items]
    age = standby_age()
    more = {} if age is msgspec.UNSET else {"standby_age_s": age}
    return answer({"items": items, "next": page.next, **more})


def group_filter(request: web.Request) -> dict[str, str]:
    """`?group.FIELD=text` of the address: field -> wanted text."""
    return {
        name.removeprefix(GROUP): value
        for name, value in request.query.items()
        if name.startswith(GROUP)
    }


async def get_totals(request: web.Request) -> web.StreamResponse:
    """The control totals of one aggregator."""
    name = request.match_info["name"]
    found = await request.app[BACKEND].totals(name)
    if not found:
        raise no_aggregator(name)
    return answer(shown(found[0]))


async def list_totals(request: web.Request) -> web.StreamResponse:
    """The control totals of all aggregators."""
    found = await request.app[BACKEND].totals(None)
    return answer({"items": [shown(totals) for totals in found], "next": None})


def shown(totals: Totals) -> object:
    """Totals as the API prints them, numbers exact."""
    return exact(
        {
            "aggregator": totals.aggregator,
            "count": totals.count,
            "sums": totals.sums,
            "balanced": totals.balanced,
        }
    )


def no_aggregator(name: str) -> Exception:
    """404: nobody has heard of it."""
    return not_found(f"aggregator {name!r}", "GET /api/documents?kind=aggregator lists all.")


_NAME = in_path("name", "the aggregator's name")
_GROUP = Param("group.FIELD", "only sessions with this text as value of the group field FIELD")
_NONE = {404: "there is no such aggregator"}

ROUTES = (
    Route(
        "GET",
        "/api/aggregators/{name}/sessions",
        list_sessions,
        "Lists open sessions",
        "Sessions",
        {200: Answer("open sessions", SessionsOut)},
        (_NAME, _GROUP, LIMIT, CURSOR),
        problems=_NONE,
    ),
    Route(
        "GET",
        "/api/sessions",
        list_sessions,
        "The Sessions page as JSON: open sessions of an aggregator",
        "Pages",
        {200: Answer("open sessions", SessionsOut)},
        (Param("aggregator", "the aggregator's name"), _GROUP, LIMIT, CURSOR),
        problems=_NONE,
    ),
    Route(
        "GET",
        "/api/aggregators/{name}/totals",
        get_totals,
        "Shows the control totals of an aggregator",
        "Sessions",
        {200: Answer("the totals", TotalsOut)},
        (_NAME,),
        problems=_NONE,
    ),
    Route(
        "GET",
        "/api/totals",
        list_totals,
        "Lists the control totals of all aggregators",
        "Sessions",
        {200: Answer("the totals by aggregator", AllTotalsOut)},
    ),
)
