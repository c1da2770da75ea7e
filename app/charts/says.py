"""What a chart shows, in a sentence."""

from app.charts.charted import Charted
from app.charts.drawing import SERIES_MAX
from app.charts.figures import figure

KINDS = {"line": "Line chart", "bar": "Bar chart", "pie": "Pie chart", "scatter": "Scatter chart"}


def says(chart: Charted) -> str:
    """For those who hear the page: kind, span, and the latest of each series."""
    kind = KINDS.get(chart.type, "Chart")
    span = f"{chart.buckets[0]} to {chart.buckets[-1]} by {chart.grain}" if chart.buckets else ""
    latest = "; ".join(
        f"{one.name or 'latest'} {figure(one.latest, 'no value')}"
        for one in chart.series[:SERIES_MAX]
    )
    more = len(chart.series) - SERIES_MAX
    rest = f"; and {more:,} more" if more > 0 else ""
    return f"{chart.title}. {kind}, {span}. Latest: {latest}{rest}."
