"""Numbers and buckets in words, as charts and tables of figures show them."""

from math import floor, log10

from domain.metrics.grains import Grain


def figure(value: float | None, empty: str = "–") -> str:
    """With thousands separators and four digits at least: 1204551 -> "1,204,551", 0.03333."""
    if value is None:
        return empty
    if value == 0 or (float(value).is_integer() and abs(value) < 1e15):
        return f"{int(value):,}"
    size = floor(log10(abs(value)))
    if not -4 <= size < 15:
        return f"{value:.4g}"
    return f"{value:,.{max(0, 3 - size)}f}".rstrip("0").rstrip(".") if size < 3 else f"{value:,.1f}"


def short(value: float) -> str:
    """For an axis: 12000000 -> "12M"."""
    for unit, name in ((1e12, "T"), (1e9, "G"), (1e6, "M")):
        if abs(value) >= unit:
            return f"{figure(value / unit)}{name}"
    return figure(value)


def signed(value: float | None) -> str:
    """A difference: with its sign."""
    text = figure(value)
    return f"+{text}" if value is not None and value > 0 else text.replace("-", "−")


def percent(ratio: float | None) -> str:
    """A ratio of a difference: 0.2 -> "+20 %"; nothing when there is none."""
    return "" if ratio is None else f"{signed(round(100 * ratio, 1))} %"


def bucket(grain: Grain, start: str) -> str:
    """A bucket by its start, an instant as the API prints it, in its own zone."""
    day = start[:10]
    if grain == "hour":
        return f"{day} {start[11:16]}"
    if grain in ("day", "week"):
        return day
    if grain == "quarter":
        return f"{day[:4]} Q{(int(day[5:7]) + 2) // 3}"
    return day[:7] if grain == "month" else day[:4]
