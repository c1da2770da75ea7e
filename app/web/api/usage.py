"""Usage over HTTP: figures of a period, charts, and the events behind them."""

from typing import Any

import msgspec
from aiohttp import web

from app.insight_backend import CHARTS, Point, Usage, UsageDetail
from app.metrics_backend import BadRange
from app.web import params
from app.web.context import BACKEND
from app.web.problems import bad_parameter, not_found
from app.web.routes import CURSOR, LIMIT, Answer, Param, Route, in_path
from app.web.wire import answer, exact, instant


class UsedCampaignsOut(msgspec.Struct):
    """`total`: all not Cancelled; `active`: with an event or FDD in the period."""

    total: int
    active: int


class PointOut(msgspec.Struct, omit_defaults=True):
    """A bucket that begins at `at`, or a placeholder."""

    value: int
    at: str | None = None
    placeholder: str | None = None


class UsageOut(msgspec.Struct, rename={"from_": "from"}):
    """The figures of [from, to). `reached_is_estimate`: there were too many to tell apart."""

    from_: str
    to: str
    campaigns: UsedCampaignsOut
    reached: int
    reached_is_estimate: bool
    leads: int
    conversions: int
    charts: dict[str, list[PointOut]]


class RecordOut(msgspec.Struct):
    """An event behind a chart."""

    id: str
    at: str
    what: str
    campaign: str
    customer: str
    placeholder: str
    channel: str


class DetailOut(msgspec.Struct):
    """A chart's total, its highest bucket, and the newest events behind it."""

    total: int
    highest: PointOut | None
    records: list[RecordOut]
    next: str | None


def point(one: Point) -> PointOut:
    """As the API prints it."""
    return PointOut(one.value, instant(one.at_ms), one.placeholder)


async def usage_of(request: web.Request) -> Usage:
    """The figures of the address's period. Raises ProblemError (400)."""
    query = request.query
    try:
        return await request.app[BACKEND].usage(query.get("from", ""), query.get("to", ""))
    except BadRange as error:
        raise bad_parameter(error.name, error.value, error.expected) from error


async def detail_of(request: web.Request, limit: int) -> UsageDetail:
    """What is behind the address's chart. Raises ProblemError (400, 404)."""
    query, asked = request.query, request.match_info["chart"]
    chart = next((name for name in CHARTS if name == asked), None)
    if chart is None:
        raise not_found(f"chart {asked!r}", f"There are {', '.join(CHARTS)}.")
    try:
        return await request.app[BACKEND].usage_detail(
            chart, query.get("from", ""), query.get("to", ""), limit, params.cursor(request)
        )
    except BadRange as error:
        raise bad_parameter(error.name, error.value, error.expected) from error


async def get_usage(request: web.Request) -> web.StreamResponse:
    """The five figures and the four charts."""
    found = await usage_of(request)
    return answer(
        UsageOut(
            instant(found.from_ms) or "",
            instant(found.to_ms) or "",
            UsedCampaignsOut(found.total, found.active),
            found.reached,
            not found.exact,
            found.leads,
            found.conversions,
            {name: [point(one) for one in points] for name, points in found.charts.items()},
        )
    )


async def get_chart(request: web.Request) -> web.StreamResponse:
    """One chart in detail."""
    found = await detail_of(request, params.limit(request))
    highest = None if found.highest is None else point(found.highest)
    records = [
        RecordOut(
            one.id, instant(one.at_ms) or "",
            *(_text(one.event, name) for name in
              ("what", "campaign", "customer", "placeholder", "channel")),
        )
        for one in found.records.items
    ]  # fmt: skip
    return answer(DetailOut(found.total, highest, records, found.records.next))


def _text(event: Any, name: str) -> str:
    return str(exact(event.get(name) or ""))


_PERIOD = (
    Param("from", "a date or an instant, UTC without an offset; left out: 30 days before the end"),
    Param("to", "the same, exclusive; left out: now"),
)

ROUTES = (
    Route(
        "GET",
        "/api/usage",
        get_usage,
        "The Usage page as JSON: figures and charts of a period",
        "Funnel and usage",
        {200: Answer("figures and charts", UsageOut)},
        _PERIOD,
    ),
    Route(
        "GET",
        "/api/usage/{chart}",
        get_chart,
        "A chart's total, highest value and the events behind it",
        "Funnel and usage",
        {200: Answer("the chart in detail", DetailOut)},
        (
            in_path("chart", ", ".join(CHARTS)),
            *_PERIOD,
            LIMIT,
            CURSOR,
        ),
        problems={404: "there is no such chart"},
    ),
)
