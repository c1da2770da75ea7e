"""Metrics: the dashboards, the sources of their figures and how far each is, the alerts."""

from aiohttp import web

from app.web.context import BACKEND
from app.web.dashboards_shown import dashboards
from app.web.pages import alerts, one_dashboard, one_source
from app.web.pages.shell import Context, Page, View


async def build(request: web.Request) -> Context:
    """The lists."""
    found = (await dashboards(request)).values()
    sources = await request.app[BACKEND].metric_sources()
    failing = any(source.last_error is not None for source in sources)
    return {
        "boards": [{"board": board, "usual": usual} for board, usual in found],
        "sources": [
            {"it": source, "state": one_source.state(source), "link": one_source.link(source.name)}
            for source in sources
        ],
        "sentence": one_source.sentence(sources),
        "alerts": alerts.sentence(await request.app[BACKEND].metric_alerts()),
        "sign": "bad" if failing else "",
    }


async def post_fetch(request: web.Request) -> web.StreamResponse:
    """Fetches a source now."""
    return await one_source.post(request, PAGE)


async def post_acknowledge(request: web.Request) -> web.StreamResponse:
    """Says that somebody sees to an alert."""
    return await alerts.post_acknowledge(request, PAGE)


async def post_silence(request: web.Request) -> web.StreamResponse:
    """Tells nobody of an alert for a time."""
    return await alerts.post_silence(request, PAGE)


PAGE = Page(
    "Metrics",
    "m",
    (
        View("/dashboards", "dashboards.html", build, ("answer", "alerts", "boards", "sources")),
        View(
            "/dashboards/{name}",
            "dashboard.html",
            one_dashboard.build,
            ("answer", "widgets"),
            every_s=30.0,
        ),
        View("/sources/{name}", "source.html", one_source.build, ("answer", "source", "fetch")),
        View("/alerts", "alerts.html", alerts.build, ("answer", "alerts", "digests")),
        View("/alerts/{name}", "alert.html", alerts.build_one, ("answer", "alert")),
    ),
    actions=(
        ("/sources/{name}", post_fetch),
        ("/alerts/{name}/acknowledge", post_acknowledge),
        ("/alerts/{name}/silence", post_silence),
    ),
)
