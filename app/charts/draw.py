"""Charts by the kind of their widget."""

from collections.abc import Callable, Mapping
from typing import Final

from app.charts.bars import bars
from app.charts.charted import Charted
from app.charts.drawing import Drawing
from app.charts.lines import lines, scatter
from app.charts.pies import pies, shares
from domain.metrics.dashboard import WidgetType

DRAWN: Final[Mapping[WidgetType, Callable[[Charted, float, float], Drawing]]] = {
    "line": lines,
    "scatter": scatter,
    "bar": bars,
    "pie": pies,
}


def draw(chart: Charted, width: float, height: float) -> Drawing | None:
    """The chart of a widget; None for numbers and tables, and where nothing has a value."""
    if chart.type not in DRAWN or all(one.latest is None for one in chart.series):
        return None
    if chart.type == "pie" and not shares(chart):
        return None
    return DRAWN[chart.type](chart, width, height)
