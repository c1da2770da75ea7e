"""One dashboard: its widgets as charts and tables, with grain, range and overlay to choose."""

from functools import lru_cache
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from app.charts.charted import Charted
from app.charts.draw import draw
from app.charts.svg import svg
from app.web.dashboards_shown import NO_OVERLAY, dashboard_of
from app.web.pages.shell import Context
from app.web.widgets_shown import DESK, HAND, Shown, widgets_of
from app.web.words import some
from domain.metrics.grains import GRAINS, OVERLAYS

CHANGES = ("grain", "range", "overlay")
KEPT = 64  # drawn charts: some 50 KB each
RANGES = {
    "24h": "24 hours", "7d": "7 days", "30d": "30 days", "90d": "90 days", "365d": "a year",
    "1826d": "5 years",
}  # fmt: skip
OVERLAY_CHOICES = {one: f"{one} before" for one in OVERLAYS} | {NO_OVERLAY: "none"}


async def build(request: web.Request) -> Context:
    """The dashboard with its figures of now."""
    board, usual = await dashboard_of(request)
    widgets = await widgets_of(request, board)
    chosen = {name: request.query[name] for name in CHANGES if request.query.get(name)}
    asked = f"?{urlencode(chosen)}" if chosen else ""
    api = f"/api/metrics/dashboards/{board.name}"
    ranges = dict(RANGES)
    if chosen.get("range"):
        ranges.setdefault(chosen["range"], chosen["range"])
    return {
        "board": board,
        "usual": usual,
        "here": f"/dashboards/{board.name}",
        "chosen": chosen,
        "choices": {"grain": {one: one for one in GRAINS}, "range": ranges,
                    "overlay": OVERLAY_CHOICES},
        "sentence": _sentence(widgets),
        "widgets": [_drawn(one, f"{api}/widgets/{one.n}.csv{asked}") for one in widgets],
        "excel": f"{api}.xlsx{asked}",
        "pdf": f"{api}.pdf{asked}",
    }  # fmt: skip


def _drawn(one: Shown, csv: str) -> dict[str, Any]:
    charts = "" if one.chart is None else _charts(one.chart)
    return {"it": one, "charts": charts, "csv": csv}


@lru_cache(maxsize=KEPT)
def _charts(chart: Charted) -> str:
    """The chart for a desk and for a hand. A page is looked at again before much has changed."""
    desk, hand = draw(chart, *DESK), draw(chart, *HAND)
    return svg(desk, "desk") + svg(hand, "hand") if desk and hand else ""


def _sentence(widgets: list[Shown]) -> tuple[str, str]:
    """The first figure, and whether others are missing."""
    failed = sum(bool(one.failed) for one in widgets)
    first = next((one for one in widgets if one.latest and one.latest[0].value != "–"), None)
    if failed:
        return f"{some(failed, 'widget')} can’t be shown: see there why.", "warn"
    if first is None:
        return "Nothing has a value in this time.", ""
    latest = first.latest[0]
    name = f"{first.widget.title}, {latest.name}" if latest.name else first.widget.title
    return f"{name}: {latest.value}, {latest.note}.", ""
