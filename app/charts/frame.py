"""What lines, bars and scatters stand in: grid, axes, the names of buckets, the legend."""

from dataclasses import dataclass

from app.charts.charted import Charted
from app.charts.drawing import SERIES_MAX, Area, Mark, Part, Path, Point, Text, cut, text_px
from app.charts.figures import short
from app.charts.scales import axis, stride

LEGEND_PX = 20  # a line of the legend
KEY_PX = 30  # the sample before a name
BELOW_PX = 24
TOP_PX = 10
OVERLAYS = {"week": "a week before", "month": "a month before", "year": "a year before"}


@dataclass(frozen=True)
class Frame:
    """Where things are. `parts` is what is drawn already."""

    left: float
    top: float
    right: float
    bottom: float
    marks: list[float]
    buckets: int
    parts: list[Part]

    def x(self, n: float) -> float:
        """The middle of the n-th bucket."""
        return self.left + (n + 0.5) * self.step

    @property
    def step(self) -> float:
        """The width of a bucket."""
        return (self.right - self.left) / max(1, self.buckets)

    def y(self, value: float) -> float:
        """The height of a value."""
        low, high = self.marks[0], self.marks[-1]
        return self.bottom - (value - low) / (high - low) * (self.bottom - self.top)


def frame(chart: Charted, width: float, height: float, *, zero: bool) -> Frame:
    """The frame of a chart; with `zero` its axis begins there."""
    shown = chart.series[:SERIES_MAX]
    values = [v for one in shown for v in (*one.values, *one.before) if v is not None]
    marks = axis(values, zero=zero)
    names = [short(mark) for mark in marks]
    left = max(text_px(name) for name in names) + 10
    legend, lines = legend_of(chart, width)
    bottom = height - BELOW_PX - lines * LEGEND_PX
    made = Frame(left, TOP_PX, width - 8, bottom, marks, len(chart.buckets), [])
    for mark, name in zip(marks, names, strict=True):
        y = made.y(mark)
        axis_line = mark == 0 or mark == marks[0]
        made.parts.append(Path(((left, y), (made.right, y)), "axis" if axis_line else "grid"))
        made.parts.append(Text((left - 6, y + 4), name, "end"))
    made.parts.extend(_names(chart, made))
    made.parts.extend(_down(part, height - lines * LEGEND_PX) for part in legend)
    return made


def _names(chart: Charted, made: Frame) -> list[Part]:
    every = stride(chart.buckets[:1], len(chart.buckets), made.right - made.left)
    found: list[Part] = []
    edge = float("-inf")
    for n in range(0, len(chart.buckets), every):
        half = text_px(chart.buckets[n]) / 2
        # about its bucket, but within the picture
        x = min(max(made.x(n), half + 2), made.right + 8 - half)
        if x - half > edge:
            found.append(Text((x, made.bottom + 17), chart.buckets[n], "middle"))
            edge = x + half + 8
    return found


def legend_of(chart: Charted, width: float) -> tuple[list[Part], int]:
    """Samples with names from (0, 0) down, and how many lines they take."""
    entries = _entries(chart)
    parts: list[Part] = []
    x, line = 4.0, 0
    for series, name in entries:
        shown = cut(name, width - KEY_PX - 12)
        room = KEY_PX + text_px(shown) + 14
        if x > 4 and x + room > width:
            x, line = 4.0, line + 1
        parts += _sample(chart, series, (x, line * LEGEND_PX + 12))
        parts.append(Text((x + KEY_PX, line * LEGEND_PX + 16), shown, "start", "name"))
        x += room
    return parts, line + 1 if entries else 0


def _entries(chart: Charted) -> list[tuple[int, str]]:
    """(series, name); -1 is the time before."""
    found = [(n, one.name or chart.title) for n, one in enumerate(chart.series[:SERIES_MAX])]
    if len(found) == 1 and not chart.series[0].name:
        found = found if chart.overlay else []
    if chart.overlay and chart.type != "pie" and found:
        found.append((-1, OVERLAYS[chart.overlay]))
    if len(chart.series) > SERIES_MAX:
        found.append((-2, f"and {len(chart.series) - SERIES_MAX:,} more in the table"))
    return found


def _sample(chart: Charted, series: int, at: Point) -> list[Part]:
    x, y = at
    if series == -2:
        return []
    if chart.type == "bar":
        if series == -1:
            return [Path(((x, y), (x + 18, y)), "before", 0)]
        box = (x + 3, y - 6, x + 17, y + 6)
        return [Area(corners(*box), series), *hatched(*box, series)]
    middle = (x + 12, y)
    if series == -1:
        faint = Mark(middle, 0, hollow=True, look="faint")
        return [faint] if chart.type == "scatter" else [Path(((x, y), (x + 24, y)), "before", 0)]
    mark = Mark(middle, series)
    return (
        [mark] if chart.type == "scatter" else [Path(((x, y), (x + 24, y)), "line", series), mark]
    )


def corners(left: float, top: float, right: float, bottom: float) -> tuple[Point, ...]:
    """A rectangle."""
    return (left, top), (right, top), (right, bottom), (left, bottom)


def hatched(left: float, top: float, right: float, bottom: float, series: int) -> list[Part]:
    """The lines that a rectangle of a series is hatched with; the first series has none."""
    kind = series % SERIES_MAX
    found: list[Part] = []
    lines: list[tuple[Point, Point]] = []
    if kind in (1, 5):
        lines += _slanted(left, top, right, bottom, 1)
    if kind in (2, 5):
        lines += _slanted(left, top, right, bottom, -1)
    if kind == 3:
        lines += [((left, y), (right, y)) for y in _steps(top, bottom)]
    if kind == 4:
        lines += [((x, top), (x, bottom)) for x in _steps(left, right)]
    found += [Path(line, "hatch", series) for line in lines]
    return found


def _steps(low: float, high: float, by: float = 5) -> list[float]:
    return [low + by * n for n in range(1, int((high - low) / by) + 1) if low + by * n < high]


def _slanted(
    left: float, top: float, right: float, bottom: float, way: int
) -> list[tuple[Point, Point]]:
    """Lines at 45 degrees, cut at the rectangle."""
    found = []
    width, height = right - left, bottom - top
    for along in _steps(0, width + height, 6):
        # from the left or the lower edge to the upper or the right one
        x0, y0 = (0.0, along) if along <= height else (along - height, height)
        x1, y1 = (along, 0.0) if along <= width else (width, along - width)
        if way < 0:
            x0, x1 = width - x0, width - x1
        found.append(((left + x0, top + y0), (left + x1, top + y1)))
    return found


def _down(part: Part, by: float) -> Part:
    if isinstance(part, Path):
        return Path(tuple((x, y + by) for x, y in part.points), part.look, part.series)
    if isinstance(part, Area):
        return Area(tuple((x, y + by) for x, y in part.points), part.series, part.tip, part.look)
    x, y = part.at
    if isinstance(part, Mark):
        return Mark((x, y + by), part.series, part.tip, part.hollow, part.look)
    return Text((x, y + by), part.text, part.anchor, part.look)
