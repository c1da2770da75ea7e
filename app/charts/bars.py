"""Bars: side by side in each bucket, hatched by series, the time before as a dotted line."""

from app.charts.charted import Charted
from app.charts.drawing import SERIES_MAX, Area, Drawing, Path
from app.charts.figures import figure
from app.charts.frame import corners, frame, hatched
from app.charts.lines import lines
from app.charts.says import says

BAR_MIN_PX = 1.5  # thinner ones can't be told apart: a line shows more


def bars(chart: Charted, width: float, height: float) -> Drawing:
    """The chart; lines when there is no room for bars."""
    made = frame(chart, width, height, zero=True)
    shown = chart.series[:SERIES_MAX]
    room = made.step * 0.8
    bar = room / max(1, len(shown))
    if bar < BAR_MIN_PX:
        return lines(chart, width, height)
    parts = made.parts
    gap = min(1.0, bar * 0.1)
    for n, one in enumerate(shown):
        for at, value in enumerate(one.values):
            left = made.x(at) - room / 2 + n * bar
            right = left + bar - gap
            if value is not None:
                top, bottom = sorted((made.y(value), made.y(0)))
                tip = f"{one.name or chart.title}, {chart.buckets[at]}: {figure(value)}"
                partial = chart.partial[at]
                parts.append(
                    Area(corners(left, top, right, bottom), n, f"{tip} so far" if partial else tip,
                         "soft" if partial else "area")
                )  # fmt: skip
                if bar >= 5 and not partial:
                    parts += hatched(left, top, right, bottom, n)
            before = one.before[at] if one.before else None
            if before is not None:
                y = made.y(before)
                parts.append(Path(((left, y), (right, y)), "before", n))
    return Drawing(width, height, says(chart), tuple(parts))
