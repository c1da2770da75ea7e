"""Excel's own charts beside the figures of a widget, told apart as those of the page are."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from app.charts.charted import Charted
from app.charts.colours import SERIES
from app.charts.drawing import SERIES_MAX
from app.charts.frame import OVERLAYS
from app.charts.pies import Share
from domain.metrics.dashboard import WidgetType

SHARE_HEAD: Final = ("share", "share_value")
KINDS: Final[dict[WidgetType, str]] = {
    "line": "line", "scatter": "line", "bar": "column", "pie": "pie",
}  # fmt: skip
DASHES: Final = ("solid", "dash", "round_dot", "dash_dot", "square_dot", "long_dash")
MARKS: Final = ("circle", "square", "triangle", "diamond", "x", "star")
PATTERNS: Final = (
    "", "wide_upward_diagonal", "wide_downward_diagonal", "narrow_horizontal", "narrow_vertical",
    "outlined_diamond",
)  # fmt: skip
MARKS_MAX = 60  # buckets; of more the marks would hide the line
SIZE: Final = {"width": 760, "height": 380}


@dataclass(frozen=True)
class Columns:
    """Where in a sheet what stands; `before` only with an overlay."""

    start: int
    value: int
    before: int
    end: int


def add_chart(
    book: Any, sheet: Any, name: str, chart: Charted, columns: Columns, parts: Sequence[Share]
) -> None:
    """Puts the chart right of the figures; none for numbers, tables, and where nothing is."""
    kind = KINDS.get(chart.type)
    if kind is None or not chart.buckets or (kind == "pie" and not parts):
        return
    made = book.add_chart({"type": kind})
    if kind == "pie":
        _slices(made, name, columns.end, parts)
    else:
        for n in range(min(len(chart.series), SERIES_MAX)):
            _series(made, name, chart, columns, n)
        made.set_x_axis({"num_font": {"rotation": -45}})
    made.set_title({"name": chart.title, "overlay": False})
    made.set_legend({"position": "bottom"})
    made.set_size(SIZE)
    sheet.insert_chart(1, columns.end + 1 + (len(SHARE_HEAD) if parts else 0), made)


def _slices(made: Any, name: str, left: int, parts: Sequence[Share]) -> None:
    last = len(parts)
    points = [{"fill": {"color": SERIES[one.series]}} for one in parts]
    made.add_series({
        "categories": [name, 1, left, last, left],
        "values": [name, 1, left + 1, last, left + 1],
        "points": points,
        "data_labels": {"category": True, "percentage": True, "leader_lines": True},
    })  # fmt: skip


def _series(made: Any, name: str, chart: Charted, columns: Columns, n: int) -> None:
    length = len(chart.buckets)
    first, last = 1 + n * length, (n + 1) * length
    starts = [name, first, columns.start, last, columns.start]
    title = chart.series[n].name or chart.title
    made.add_series({
        "name": title,
        "categories": starts,
        "values": [name, first, columns.value, last, columns.value],
        **_look(chart, n),
    })  # fmt: skip
    if chart.overlay is not None:
        made.add_series({
            "name": f"{title}, {OVERLAYS[chart.overlay]}",
            "categories": starts,
            "values": [name, first, columns.before, last, columns.before],
            **_before(chart, n),
        })  # fmt: skip


def _look(chart: Charted, n: int) -> dict[str, Any]:
    colour = SERIES[n]
    if chart.type == "bar":
        pattern = {"pattern": PATTERNS[n], "fg_color": colour, "bg_color": "#ffffff"}
        return {"pattern": pattern} if PATTERNS[n] else {"fill": {"color": colour}}
    few = chart.type == "scatter" or len(chart.buckets) <= MARKS_MAX
    fill = {"color": colour}
    mark = {"type": MARKS[n] if few else "none", "size": 6, "fill": fill, "border": fill}
    line = {"none": True} if chart.type == "scatter" else {"color": colour, "width": 1.75,
                                                           "dash_type": DASHES[n]}  # fmt: skip
    return {"line": line, "marker": mark}


def _before(chart: Charted, n: int) -> dict[str, Any]:
    colour = SERIES[n]
    if chart.type == "bar":
        return {"fill": {"none": True}, "border": {"color": colour, "dash_type": "round_dot"}}
    line = {"color": colour, "width": 1, "dash_type": "round_dot"}
    if chart.type == "scatter":
        hollow = {"type": MARKS[n], "size": 6, "fill": {"none": True}, "border": {"color": colour}}
        return {"line": {"none": True}, "marker": hollow}
    return {"line": line, "marker": {"type": "none"}}
