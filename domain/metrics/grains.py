"""The buckets of each grain in a time zone, as intervals of quarters of an hour.

Values are kept by quarter of an hour UTC; a quarter belongs to the bucket in which it begins. That
is exact for every offset of today's zones, as these are whole quarters. Weeks begin on Monday.
"""

from __future__ import annotations

from calendar import monthrange
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Literal, TypeAlias, get_args

from domain.aggregation.periods import calendar
from domain.aggregation.zones import first_instant_at, offset_ms

Grain: TypeAlias = Literal["hour", "day", "week", "month", "quarter", "year"]
GRAINS: tuple[Grain, ...] = get_args(Grain)
Overlay: TypeAlias = Literal["week", "month", "year"]
OVERLAYS: tuple[Overlay, ...] = get_args(Overlay)
QUARTER_MS = 900_000

LOWER: dict[Grain, Grain | None] = {
    "hour": None,
    "day": "hour",
    "week": "day",
    "month": "day",
    "quarter": "month",
    "year": "quarter",
}
"""The grain whose buckets make up one of this grain; None: quarters of an hour."""


@lru_cache(maxsize=65_536)
def bounds(grain: Grain, zone: str, ms: int) -> tuple[int, int]:
    """[start, end) in epoch ms of the bucket that the instant is in. Raises Reject outside of the
    years 1 to 9999."""
    if grain == "hour":
        found = calendar("hour", zone).interval(ms)
        return found.start_ms, found.end_ms
    day = date.fromisoformat(calendar("day", zone).interval(ms).label)
    first = _first(grain, day)
    start, end = _begin(zone, first), _begin(zone, _next(grain, first))
    return start, end


def day_of(zone: str, ms: int) -> date:
    """The zone's date at the instant."""
    return date.fromisoformat(calendar("day", zone).interval(ms).label)


def _first(grain: Grain, day: date) -> date:
    if grain == "week":
        return day - timedelta(days=day.weekday())
    if grain == "month":
        return day.replace(day=1)
    if grain == "quarter":
        return day.replace(month=(day.month - 1) // 3 * 3 + 1, day=1)
    return day.replace(month=1, day=1) if grain == "year" else day


def _next(grain: Grain, first: date) -> date:
    days = {"day": 1, "week": 7, "month": 32, "quarter": 93, "year": 366}[grain]
    return _first(grain, first + timedelta(days=days))


def _begin(zone: str, day: date) -> int:
    return first_instant_at(zone, datetime.combine(day, time()))


def begins(zone: str, day: date) -> int:
    """The first instant of the date in the zone."""
    return _begin(zone, day)


def buckets(grain: Grain, zone: str, from_ms: int, to_ms: int, limit: int) -> list[tuple[int, int]]:
    """The buckets that begin before `to_ms` and end after `from_ms`, at most `limit` of them."""
    found: list[tuple[int, int]] = []
    at = from_ms
    while at < to_ms and len(found) < limit:
        start, end = bounds(grain, zone, at)
        found.append((start, end))
        at = end
    return found


def earlier(overlay: Overlay, grain: Grain, zone: str, start_ms: int) -> int:
    """The start of the bucket that this one is laid over: 7 days back, or the same day of the
    month or year before, else that month's last day; an hour keeps its wall-clock time."""
    offset = offset_ms(zone, start_ms)
    wall = datetime(1970, 1, 1) + timedelta(milliseconds=start_ms + offset)
    if grain != "hour":
        day = day_of(zone, start_ms)
        if grain == "week" and overlay == "year":
            return bounds(grain, zone, begins(zone, _week_before(day)))[0]
        return bounds(grain, zone, begins(zone, _before(overlay, day)))[0]
    day = _before(overlay, wall.date())
    at = first_instant_at(zone, datetime.combine(day, wall.time()))
    found = bounds("hour", zone, at)
    if offset_ms(zone, found[1]) == offset != offset_ms(zone, found[0]):
        again = bounds("hour", zone, found[1])  # the second of an hour that comes twice
        if _wall(zone, again[0]) == _wall(zone, found[0]):
            return again[0]
    return found[0]


def _wall(zone: str, ms: int) -> int:
    return ms + offset_ms(zone, ms)


def _before(overlay: Overlay, day: date) -> date:
    if overlay == "week":
        return day - timedelta(days=7)
    year, month = (day.year - 1, day.month) if overlay == "year" else _month_before(day)
    return date(year, month, min(day.day, monthrange(year, month)[1]))


def _month_before(day: date) -> tuple[int, int]:
    return (day.year - 1, 12) if day.month == 1 else (day.year, day.month - 1)


def _week_before(monday: date) -> date:
    """The week of the same number in the ISO year before; week 53, where that has none, is 52."""
    year, week, _ = monday.isocalendar()
    last = date(year - 1, 12, 28).isocalendar()[1]
    return date.fromisocalendar(year - 1, min(week, last), 1)


def text_of(zone: str, ms: int) -> str:
    """An instant with the zone's offset: `2024-03-31T00:00:00+01:00`; `Z` for none."""
    offset = offset_ms(zone, ms)
    wall = datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=ms + offset)
    written = wall.replace(tzinfo=None).isoformat(
        timespec="milliseconds" if ms % 1000 else "seconds"
    )
    if offset == 0:
        return f"{written}Z"
    minutes = abs(offset) // 60_000
    return f"{written}{'-' if offset < 0 else '+'}{minutes // 60:02}:{minutes % 60:02}"
