"""Values and buckets to places: round marks on the axis, and which buckets are named."""

from collections.abc import Iterable
from math import ceil, floor, log10

from app.charts.drawing import text_px

MARKS = 4  # steps of an axis, about
LEAST = 1e-290  # nearer to 0 floats lose their digits
SAME = 1e-9  # values that differ by less than this part are one
NEAR = 0.4  # a lowest value above this part of the highest one: the axis need not begin at 0


def axis(values: Iterable[float], *, zero: bool) -> list[float]:
    """Round marks from below the lowest value to above the highest."""
    known = [value if abs(value) > LEAST else 0.0 for value in values]
    low, high = min(known, default=0.0), max(known, default=1.0)
    if zero or (0 <= low < high * NEAR) or (low * NEAR < high <= 0):
        low, high = min(low, 0.0), max(high, 0.0)
    size = max(abs(low), abs(high))
    if high - low <= size * SAME:
        low, high = (low - size * 0.1, high + size * 0.1) if size else (0.0, 1.0)
    step = _step((high - low) / MARKS)
    first, last = floor(low / step), ceil(high / step)
    digits = 12 - floor(log10(step))  # what is behind them is noise of binary fractions
    return [round(n * step, digits) for n in range(first, last + 1)]


def _step(rough: float) -> float:
    size = 10.0 ** floor(log10(rough))
    return next(factor * size for factor in (1, 2, 2.5, 5, 10) if factor * size >= rough * 0.999)


def stride(names: Iterable[str], buckets: int, width: float) -> int:
    """Every how many buckets there is room for a name."""
    widest = max((text_px(name) for name in names), default=0) + 16
    return max(1, ceil(widest * buckets / width)) if width > 0 else max(1, buckets)


def thinned(values: tuple[float | None, ...], most: int) -> list[int]:
    """Which values to draw when there are too many: the lowest and the highest of each stretch,
    the first and the last, and a gap as a gap."""
    size = ceil(2 * len(values) / most)
    if size <= 2:
        return list(range(len(values)))
    kept = {0, len(values) - 1}
    for start in range(0, len(values), size):
        part = range(start, min(start + size, len(values)))
        known = [(value, n) for n in part if (value := values[n]) is not None]
        if known:
            kept |= {min(known)[1], max(known)[1]}
        if len(known) < len(part):
            kept.add(next(n for n in part if values[n] is None))
    return sorted(kept)
