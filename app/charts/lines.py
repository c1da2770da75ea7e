"""Lines and scatters: a mark for each bucket, a gap where there is no value."""

from app.charts.charted import Charted, Value
from app.charts.drawing import SERIES_MAX, Drawing, Mark, Part, Path
from app.charts.figures import figure
from app.charts.frame import Frame, frame
from app.charts.says import says
from app.charts.scales import thinned

MARKS_PX = 14  # marks stand no closer on a line
POINTS_MAX = 1200  # of a series: about two for each pixel


def lines(chart: Charted, width: float, height: float) -> Drawing:
    """A line a series, over the thin ones of the time before."""
    made = frame(chart, width, height, zero=False)
    parts = made.parts
    for n, one in enumerate(chart.series[:SERIES_MAX]):
        parts += [Path(line, "before", n) for line in _stretches(made, one.before) if len(line) > 1]
        parts += [Path(line, "line", n) for line in _stretches(made, one.values) if len(line) > 1]
    every = max(1, int(MARKS_PX / made.step) + 1)
    for n, one in enumerate(chart.series[:SERIES_MAX]):
        for at, value in enumerate(one.values):
            alone = _alone(one.values, at)
            if value is not None and ((len(one.values) - 1 - at) % every == 0 or alone):
                parts.append(_mark(chart, made, n, at, value))
    return Drawing(width, height, says(chart), tuple(parts))


def scatter(chart: Charted, width: float, height: float) -> Drawing:
    """A mark a bucket, and a faint one for the time before."""
    made = frame(chart, width, height, zero=False)
    parts = made.parts
    for n, one in enumerate(chart.series[:SERIES_MAX]):
        for at in thinned(one.before, POINTS_MAX) if one.before else ():
            value = one.before[at]
            if value is not None:
                parts.append(Mark((made.x(at), made.y(value)), n, hollow=True, look="faint"))
        for at in thinned(one.values, POINTS_MAX):
            value = one.values[at]
            if value is not None:
                parts.append(_mark(chart, made, n, at, value))
    return Drawing(width, height, says(chart), tuple(parts))


def _alone(values: tuple[Value, ...], at: int) -> bool:
    """Whether no line reaches the value."""
    around = [values[n] for n in (at - 1, at + 1) if 0 <= n < len(values)]
    return all(value is None for value in around)


def _mark(chart: Charted, made: Frame, n: int, at: int, value: float) -> Part:
    partial = chart.partial[at]
    tip = f"{chart.series[n].name or chart.title}, {chart.buckets[at]}: {figure(value)}"
    return Mark((made.x(at), made.y(value)), n, f"{tip} so far" if partial else tip, partial)


def _stretches(made: Frame, values: tuple[Value, ...]) -> list[tuple[tuple[float, float], ...]]:
    found: list[list[tuple[float, float]]] = [[]]
    for at in thinned(values, POINTS_MAX) if values else ():
        value = values[at]
        if value is None:
            found.append([])
        else:
            found[-1].append((made.x(at), made.y(value)))
    return [tuple(line) for line in found if line]
