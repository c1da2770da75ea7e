"""Dashboards over HTTP: with their figures as JSON, a widget as CSV, the whole as Excel, PDF."""

import asyncio
from collections.abc import Sequence

import msgspec
from aiohttp import web

from app.web.api.campaign_files import XLSX, send
from app.web.api.dashboard_books import workbook
from app.web.api.metric_figures import SeriesOut
from app.web.api.metric_sources import MetricSourceOut, shown
from app.web.context import BACKEND, CLOCK
from app.web.csv_text import CSV, csv_text
from app.web.dashboards_shown import CHANGES, dashboard_of, dashboards, question, range_text
from app.web.figures_asked import figured, header, rows
from app.web.problems import not_found
from app.web.routes import Answer, Route, in_path
from app.web.widgets_shown import Shown, widgets_of
from app.web.wire import answer
from domain.aggregation.instants import print_instant

PDF = "application/pdf"


class DashboardRow(msgspec.Struct):
    """A dashboard. `default`: it is the one that a source of this name has without a document."""

    name: str
    title: str
    default: bool
    widgets: int


class DashboardsOut(msgspec.Struct):
    """The dashboards by name."""

    items: list[DashboardRow]
    next: str | None = None


class MetricsPageOut(msgspec.Struct):
    """What the page Metrics shows: the dashboards, and the sources of their figures."""

    items: list[DashboardRow]
    sources: list[MetricSourceOut]


class WidgetOut(msgspec.Struct):
    """A widget as its document has it, and its figures as `GET /api/metrics/query` tells them."""

    type: str
    title: str
    metric: str
    grain: str
    range: str
    group: list[str]
    where: dict[str, list[str]]
    overlay: str | None
    timezone: str
    series: list[SeriesOut]


class DashboardOut(msgspec.Struct):
    """A dashboard with its figures."""

    kind: str
    name: str
    title: str
    default: bool
    widgets: list[WidgetOut]


async def _listed(request: web.Request) -> list[DashboardRow]:
    found = (await dashboards(request)).values()
    return [DashboardRow(d.name, d.title, usual, len(d.widgets)) for d, usual in found]


async def list_dashboards(request: web.Request) -> web.StreamResponse:
    """Every dashboard, default ones too."""
    return answer(DashboardsOut(await _listed(request)))


async def metrics_page(request: web.Request) -> web.StreamResponse:
    """What the page Metrics shows."""
    sources = [shown(one) for one in await request.app[BACKEND].metric_sources()]
    return answer(MetricsPageOut(await _listed(request), sources))


async def show(request: web.Request) -> web.StreamResponse:
    """One dashboard with its figures."""
    board, usual = await dashboard_of(request)
    widgets = []
    for n, widget in enumerate(board.widgets):
        found = await figured(request, question(request, widget), f"Widget {n}")
        widgets.append({
            "type": widget.type, "title": widget.title, "metric": widget.metric,
            "grain": widget.grain, "range": range_text(widget.range_ms), "group": widget.group,
            "where": widget.where, "overlay": widget.overlay, "timezone": found.zone,
            "series": found.series,
        })  # fmt: skip
    told = {"kind": board.kind, "name": board.name, "title": board.title, "default": usual}
    return answer({**told, "widgets": widgets})


async def widget_csv(request: web.Request) -> web.StreamResponse:
    """One widget's figures."""
    board, _ = await dashboard_of(request)
    text = request.match_info["n"]
    n = int(text) if text.isascii() and text.isdigit() and len(text) < 4 else -1
    if not 0 <= n < len(board.widgets):
        has = f"It has widgets 0 to {len(board.widgets) - 1}."
        raise not_found(f"widget {text} of dashboard {board.name!r}", has)
    asked = question(request, board.widgets[n])
    found = await figured(request, asked, f"Widget {n}")
    return web.Response(
        body=csv_text(header(asked), rows(asked, found)),
        content_type=CSV,
        charset="utf-8",
        headers={"Content-Disposition": f'attachment; filename="{board.name}-{n}.csv"'},
    )


async def excel(request: web.Request) -> web.StreamResponse:
    """The whole dashboard, a sheet a widget."""
    board, _ = await dashboard_of(request)
    return await send(request, workbook(request, board), f"{board.name}.xlsx", XLSX)


def _pdf(title: str, made: str, widgets: Sequence[Shown]) -> bytes:
    from app.web.dashboard_pdf import pdf  # its library is loaded by the first who asks for one

    return pdf(title, made, widgets)


async def as_pdf(request: web.Request) -> web.StreamResponse:
    """The whole dashboard with its charts."""
    board, _ = await dashboard_of(request)
    widgets = await widgets_of(request, board)
    now = print_instant(request.app[CLOCK].now_ms())
    made = f"figures of {now[:10]} {now[11:16]} UTC"
    content = await asyncio.to_thread(_pdf, board.title, made, widgets)
    named = f'attachment; filename="{board.name}.pdf"'
    return web.Response(body=content, content_type=PDF, headers={"Content-Disposition": named})


_NAME = in_path("name", "the dashboard's name; a source's for its default one")
_PROBLEMS = {
    400: "a parameter is wrong",
    404: "there is no such dashboard",
    422: "a widget of more than 100,000 buckets",
}

# `{name}` takes what ends in .xlsx or .pdf too: it comes last
ROUTES = (
    Route(
        "GET",
        "/api/dashboards",
        metrics_page,
        "Tells what the page Metrics shows",
        "Metrics",
        {200: Answer("the dashboards and the sources, by name", MetricsPageOut)},
    ),
    Route(
        "GET",
        "/api/metrics/dashboards",
        list_dashboards,
        "Lists the dashboards",
        "Metrics",
        {200: Answer("the dashboards by name", DashboardsOut)},
    ),
    Route(
        "GET",
        "/api/metrics/dashboards/{name}/widgets/{n}.csv",
        widget_csv,
        "Tells the figures of a widget as a table",
        "Metrics",
        {200: Answer("a row for each bucket of each series", media=CSV)},
        (_NAME, in_path("n", "the widget's place, from 0"), *CHANGES),
        problems={**_PROBLEMS, 404: "there is no such dashboard or widget"},
    ),
    Route(
        "GET",
        "/api/metrics/dashboards/{name}.xlsx",
        excel,
        "Tells the figures of a dashboard as an Excel file",
        "Metrics",
        {200: Answer("a sheet for each widget", media=XLSX)},
        (_NAME, *CHANGES),
        problems=_PROBLEMS,
    ),
    Route(
        "GET",
        "/api/metrics/dashboards/{name}.pdf",
        as_pdf,
        "Tells a dashboard as a PDF with its charts",
        "Metrics",
        {200: Answer("each widget with its chart and its newest figures", media=PDF)},
        (_NAME, *CHANGES),
        problems=_PROBLEMS,
    ),
    Route(
        "GET",
        "/api/metrics/dashboards/{name}",
        show,
        "Shows a dashboard with its figures",
        "Metrics",
        {200: Answer("the document, and every widget's series", DashboardOut)},
        (_NAME, *CHANGES),
        problems=_PROBLEMS,
    ),
)
