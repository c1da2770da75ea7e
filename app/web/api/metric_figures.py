"""Figures over HTTP: the buckets of a metric, JSON or CSV."""

import msgspec
from aiohttp import web

from app.web.context import BACKEND
from app.web.csv_text import CSV, csv_text
from app.web.figures_asked import asked_of, check_names, figured, header, rows
from app.web.routes import Answer, Param, Route
from app.web.wire import answer


class OverlayOut(msgspec.Struct):
    """The bucket that a bucket is laid over; `ratio` is `difference` / `value`."""

    start: str
    value: float | None
    difference: float | None
    ratio: float | None


class PointOut(msgspec.Struct, omit_defaults=True):
    """A bucket. Without values `count` is 0 and the figures are null. `value`: a counter's sum, a
    gauge's last one; `partial`: it isn't over."""

    start: str
    value: float | None
    count: int
    sum: float | None
    min: float | None
    max: float | None
    last: float | None
    mean: float | None
    stddev: float | None
    partial: bool
    overlay: OverlayOut | None = None


class SeriesOut(msgspec.Struct):
    """One series: every bucket of the range."""

    dimensions: dict[str, str]
    points: list[PointOut]


class FiguresOut(msgspec.Struct):
    """The answer to a question about a metric."""

    metric: str
    grain: str
    timezone: str
    series: list[SeriesOut]


class MetricOut(msgspec.Struct):
    """A metric that has values; `timezone` is that of its source."""

    name: str
    type: str
    timezone: str


class MetricsOut(msgspec.Struct):
    """The metrics by name."""

    items: list[MetricOut]
    next: str | None = None


async def query(request: web.Request) -> web.StreamResponse:
    """The buckets of a metric."""
    asked = asked_of(request)
    found = await figured(request, asked)
    await check_names(request, asked, found)
    if "text/csv" in request.headers.get("Accept", ""):
        return web.Response(body=csv_text(header(asked), rows(asked, found)), content_type=CSV)
    told = {"metric": found.metric, "grain": found.grain, "timezone": found.zone}
    return answer({**told, "series": found.series})


async def list_metrics(request: web.Request) -> web.StreamResponse:
    """Every metric that has values."""
    found = await request.app[BACKEND].known_metrics()
    return answer(MetricsOut([MetricOut(name, *told) for name, told in found.items()]))


_QUESTION = (
    Param("metric", "the metric's name, or that of a calculated one"),
    Param("from", "a date or an instant, in `tz` when it has no offset"),
    Param("to", "the end, exclusive; left out: now"),
    Param("grain", "hour, day, week, month, quarter or year; left out: day"),
    Param("group", "a dimension that makes series of their own", repeated=True),
    Param("overlay", "week, month or year: the same bucket so long before, beside each"),
    Param("tz", "an IANA zone; left out: that of the metric's source"),
    Param("where.DIMENSION", "only series with this value of the dimension", repeated=True),
)

ROUTES = (
    Route(
        "GET",
        "/api/metrics/query",
        query,
        "Tells the figures of a metric by bucket",
        "Metrics",
        {200: Answer("every bucket of the range; a table with `Accept: text/csv`", FiguresOut)},
        _QUESTION,
        problems={
            400: "a parameter is wrong, or names a dimension that the metric has not",
            404: "no document in force speaks of the metric, and it has no values",
            422: "more than 100,000 buckets",
        },
    ),
    Route(
        "GET",
        "/api/metrics",
        list_metrics,
        "Lists the metrics that have values",
        "Metrics",
        {200: Answer("the metrics by name", MetricsOut)},
    ),
)
