"""Pies: each series' share. Sectors are numbered, and the numbers stand before the names."""

from dataclasses import dataclass
from math import cos, pi, sin

from app.charts.charted import Charted, Series
from app.charts.drawing import CHAR_PX, SERIES_MAX, Area, Drawing, Part, Point, Text, cut
from app.charts.figures import figure
from app.charts.frame import corners
from app.charts.says import says

ROW_PX = 20  # from name to name
STEP = pi / 60  # a rim is drawn in steps of 3 degrees
NUMBER_PX = 11  # from the rim to the middle of a number


@dataclass(frozen=True)
class Share:
    """A sector. `series` is what its colour is of."""

    series: int
    name: str
    value: float


def shares(chart: Charted) -> list[Share]:
    """The largest first and the small ones together; of what can be added up the whole range, else
    the latest. What is not above 0 has no share."""
    named = [
        Share(n % SERIES_MAX, one.name or chart.title, _value(chart, one))
        for n, one in enumerate(chart.series)
    ]
    found = sorted((one for one in named if one.value > 0), key=lambda one: -one.value)
    if len(chart.series) <= SERIES_MAX:
        return found
    kept, rest = found[: SERIES_MAX - 1], found[SERIES_MAX - 1 :]
    if len(rest) > 1:
        rest = [Share(0, f"{len(rest):,} others", sum(one.value for one in rest))]
    return [Share(n, one.name, one.value) for n, one in enumerate([*kept, *rest])]


def _value(chart: Charted, one: Series) -> float:
    return one.total if chart.adds else one.latest or 0


def pies(chart: Charted, width: float, height: float) -> Drawing:
    """The chart."""
    found = shares(chart)
    total = sum(one.value for one in found)
    radius = min(height - 48, width * 0.4) / 2
    centre = (radius + 22, height / 2)
    parts: list[Part] = []
    begin = -pi / 2
    for n, one in enumerate(found):
        end = begin + 2 * pi * one.value / total
        share = f"{100 * one.value / total:.1f} %"
        tip = f"{one.name}: {figure(one.value)}, {share}"
        parts.append(Area(_sector(centre, radius, begin, end, len(found) == 1), one.series, tip))
        x, y = _at(centre, radius + NUMBER_PX, (begin + end) / 2)
        parts.append(Text((x, y + 4), str(n + 1), "middle", "name"))
        parts += _row(n, len(found), one, share, (centre[0] + radius + 36, height / 2), width)
        begin = end
    return Drawing(width, height, says(chart), tuple(parts))


def _row(n: int, rows: int, one: Share, share: str, at: Point, width: float) -> list[Part]:
    """A line of the legend."""
    x, y = at[0], at[1] + (n - (rows - 1) / 2) * ROW_PX
    room = width - x - 34 - (len(share) + 2) * CHAR_PX
    return [
        Area(corners(x, y - 6, x + 12, y + 6), one.series),
        Text((x + 18, y + 4), f"{n + 1}", "start", "name"),
        Text((x + 32, y + 4), f"{cut(one.name, room)} {share}", "start", "name"),
    ]


def _sector(
    centre: Point, radius: float, begin: float, end: float, whole: bool
) -> tuple[Point, ...]:
    steps = max(1, int((end - begin) / STEP))
    rim = [_at(centre, radius, begin + (end - begin) * n / steps) for n in range(steps + 1)]
    return tuple(rim) if whole else (centre, *rim)


def _at(centre: Point, radius: float, angle: float) -> Point:
    return centre[0] + radius * cos(angle), centre[1] + radius * sin(angle)
