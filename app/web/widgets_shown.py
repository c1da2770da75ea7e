"""A widget as pages and files show it: its chart, its latest figures, its table."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web

from app.charts import figures as words
from app.charts.charted import Charted, charted, named
from app.charts.draw import draw
from app.charts.drawing import Drawing
from app.metrics_backend import Figured
from app.web.context import BACKEND
from app.web.dashboards_shown import question, range_text
from app.web.figures_asked import figured
from app.web.problems import ProblemError
from domain.metrics.dashboard import Dashboard, Widget

ROWS = 100  # of a table on a page; its CSV has all of them
NUMBERS = 12  # series of a number
DESK: Final = (576, 270)  # pixels of a chart beside another one
HAND: Final = (304, 250)  # on a phone
OVERLAY_NAMES = {"week": "Week before", "month": "Month before", "year": "Year before"}


@dataclass(frozen=True)
class Cells:
    """A row of a table. `numbers`: value; with an overlay the one before, difference, percent."""

    bucket: str
    names: Sequence[str]
    numbers: Sequence[str]
    partial: bool


@dataclass(frozen=True)
class Latest:
    """The last value of a series, and the one that it lies over."""

    name: str
    value: str
    note: str


@dataclass(frozen=True)
class Shown:
    """A widget with its figures; `failed` says why it has none."""

    n: int
    widget: Widget
    range: str
    zone: str = ""
    chart: Charted | None = None
    head: Sequence[str] = ()
    numeric: int = 0  # columns from here on hold numbers
    rows: Sequence[Cells] = ()
    total: int = 0
    latest: Sequence[Latest] = ()
    partial: bool = False
    failed: str = ""

    def drawn(self, width: float, height: float) -> Drawing | None:
        """Its chart, when it is one and has values."""
        return None if self.chart is None else draw(self.chart, width, height)


async def widgets_of(request: web.Request, board: Dashboard) -> list[Shown]:
    """All widgets of a dashboard, asked at once; those that can't be shown say why."""
    known = await request.app[BACKEND].known_metrics()
    kinds = {name: kind for name, (kind, _) in known.items()}
    asked = (_shown(request, n, widget, kinds) for n, widget in enumerate(board.widgets))
    return list(await asyncio.gather(*asked))


async def _shown(request: web.Request, n: int, widget: Widget, kinds: dict[str, str]) -> Shown:
    """The widget with its figures of now. `kinds`: metric -> type."""
    span = range_text(widget.range_ms)
    try:
        found = await figured(request, question(request, widget), f"Widget {n}")
    except ProblemError as error:
        return Shown(n, widget, span, failed=error.detail)
    adds = kinds.get(widget.metric) == "counter"
    overlay = widget.overlay
    chart = charted(widget.type, widget.title, widget.grain, found.series, overlay, adds=adds)
    before = [OVERLAY_NAMES[overlay], "Difference", "Change"] if overlay else []
    return Shown(
        n, widget, span, found.zone, chart,
        head=[widget.grain.capitalize(), *widget.group, "Value", *before],
        numeric=1 + len(widget.group),
        rows=_rows(widget, found),
        total=sum(len(one["points"]) for one in found.series),
        latest=[_latest(widget, one) for one in found.series[:NUMBERS]],
        partial=any(chart.partial) and any(one.values[-1] is not None for one in chart.series),
    )  # fmt: skip


def _rows(widget: Widget, found: Figured) -> list[Cells]:
    """The newest buckets first, in each the series in their order."""
    made = []
    length = len(found.series[0]["points"]) if found.series else 0
    for at in range(length - 1, -1, -1):
        for one in found.series:
            point = one["points"][at]
            numbers = [words.figure(point["value"]), *_beside(point)]
            start = words.bucket(widget.grain, point["start"])
            names = [value or "–" for value in one["dimensions"].values()]
            made.append(Cells(start, names, numbers, point["partial"]))
            if len(made) == ROWS:
                return made
    return made


def _beside(point: dict[str, Any]) -> list[str]:
    over = point.get("overlay")
    if over is None:
        return []
    return [
        words.figure(over["value"]),
        words.signed(over["difference"]),
        words.percent(over["ratio"]),
    ]


def _latest(widget: Widget, series: dict[str, Any]) -> Latest:
    name = named(series["dimensions"])
    known = [point for point in series["points"] if point["value"] is not None]
    if not known:
        return Latest(name, "–", "no value in this time")
    point = known[-1]
    note = words.bucket(widget.grain, point["start"]) + (" so far" if point["partial"] else "")
    over = point.get("overlay")
    if over is not None and over["difference"] is not None and widget.overlay is not None:
        note += f", {words.signed(over['difference'])} to the {widget.overlay} before"
    return Latest(name, words.figure(point["value"]), note)
