"""Periods: the hour, day, month or year of a time zone that an instant falls in.

The intervals of one unit and zone partition time. A day, month or year begins at the first
instant at which the wall clock reaches its date; where a clock falls back over midnight the new
day therefore stays, and a day the zone skipped has no interval. An hour is a wall-clock hour at
one offset, so the hour that daylight saving repeats is two.
Labels: `2024`, `2024-09`, `2024-09-03`, `2024-10-27T02+02:00`, `2024-10-27T02Z`.
"""

from __future__ import annotations

import bisect
import re
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Literal, NamedTuple, TypeAlias

from domain.aggregation.instants import MAX_INSTANT_MS, MIN_INSTANT_MS
from domain.aggregation.zones import first_instant_at, known_zone, local_time, offset_ms, zone
from domain.errors import Reject, SluiceError

__all__ = ["Calendar", "Interval", "NoSuchPeriod", "Unit", "calendar", "known_zone"]

Unit: TypeAlias = Literal["hour", "day", "month", "year"]

_HOUR_MS = 3_600_000
_BUCKET_MS = 900_000  # offsets change at quarters of an hour, so one bucket has one interval
_BUCKETS_MAX = 8_192  # of one calendar; twelve weeks of quarters, about 1 MB
_LABELS = {
    "hour": re.compile(
        r"([0-9]{4}-[0-9]{2}-[0-9]{2})T([0-9]{2})"
        r"(?:Z|([+-])([0-9]{2}):([0-9]{2})(?::([0-9]{2}))?)"
    ),
    "day": re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}"),
    "month": re.compile(r"[0-9]{4}-[0-9]{2}"),
    "year": re.compile(r"[0-9]{4}"),
}


class Interval(NamedTuple):
    """One period: `start_ms` <= t < `end_ms`, epoch milliseconds."""

    label: str
    start_ms: int
    end_ms: int


class NoSuchPeriod(SluiceError):
    """A label that no instant of the calendar has."""

    def __init__(self, label: str, unit: Unit, zone_name: str) -> None:
        self.label = label
        self.unit = unit
        self.zone_name = zone_name
        example = {"hour": "2024-10-27T02+02:00", "day": "2024-09-03", "month": "2024-09"}
        super().__init__(
            f"{label!r} is no {unit} in {zone_name}, expected one like {example.get(unit, '2024')}"
        )


class Calendar:
    """The periods of one unit in one zone. Raises UnknownZone for a zone that is none."""

    def __init__(self, unit: Unit, zone_name: str) -> None:
        zone(zone_name)
        self.unit: Unit = unit
        self.zone_name = zone_name
        # number of a quarter of an hour -> an interval that holds at least a part of it
        self._buckets: dict[int, Interval] = {}
        # starts of the intervals worked out so far, in order, and those by their starts
        self._starts: list[int] = []
        self._made: dict[int, Interval] = {}

    def interval(self, ms: int) -> Interval:
        """The period that the instant falls in.

        Raises Reject("not_an_instant") where the period is not wholly within the years 1 to 9999,
        as its ends could not be printed.
        """
        found = self._buckets.get(ms // _BUCKET_MS)
        if found is not None and found[1] <= ms < found[2]:
            return found
        if len(self._buckets) >= _BUCKETS_MAX:
            self._buckets.clear()
            self._starts.clear()
            self._made.clear()
        made = self._known(ms)
        if made is None:
            try:
                made = self._hour(ms) if self.unit == "hour" else self._dated(ms)
            except OverflowError as beyond:
                detail = f"its {self.unit} is not within the years 1 to 9999 in {self.zone_name}"
                raise Reject("not_an_instant", detail) from beyond
            bisect.insort(self._starts, made.start_ms)
            self._made[made.start_ms] = made
        self._buckets[ms // _BUCKET_MS] = made
        return made

    def _known(self, ms: int) -> Interval | None:
        """The interval of an instant if it was worked out for another one."""
        at = bisect.bisect_right(self._starts, ms)
        made = self._made[self._starts[at - 1]] if at else None
        return made if made is not None and ms < made.end_ms else None

    def from_label(self, label: str) -> Interval:
        """The period of that label. Raises NoSuchPeriod."""
        match = _LABELS[self.unit].fullmatch(label)
        try:
            if match is None:
                raise NoSuchPeriod(label, self.unit, self.zone_name)
            found = self.interval(self._inside(match))
        except (Reject, OverflowError, ValueError) as impossible:
            raise NoSuchPeriod(label, self.unit, self.zone_name) from impossible
        if found.label != label:
            raise NoSuchPeriod(label, self.unit, self.zone_name)
        return found

    def _inside(self, match: re.Match[str]) -> int:
        """An instant of the period that the label names, if there is such a period."""
        if self.unit != "hour":
            first = date.fromisoformat(match.group() + "-01-01"[len(match.group()) - 4 :])
            return first_instant_at(self.zone_name, datetime.combine(first, time()))
        day, hour, sign, hours, minutes, seconds = match.groups()
        wall = datetime.combine(date.fromisoformat(day), time(int(hour)))
        offset = timedelta(
            hours=int(hours or 0), minutes=int(minutes or 0), seconds=int(seconds or 0)
        )
        naive = wall - (-offset if sign == "-" else offset)
        start = (naive - datetime(1970, 1, 1)) // timedelta(milliseconds=1)
        at = offset // timedelta(milliseconds=1) * (-1 if sign == "-" else 1)
        # Daylight saving may leave only the hour's end, or only its beginning, at this offset.
        return start if offset_ms(self.zone_name, start) == at else start + _HOUR_MS - 1

    def _hour(self, ms: int) -> Interval:
        offset = offset_ms(self.zone_name, ms)
        start = (ms + offset) // _HOUR_MS * _HOUR_MS - offset
        end = start + _HOUR_MS
        wall = local_time(self.zone_name, ms)
        if start < MIN_INSTANT_MS or end > MAX_INSTANT_MS:
            raise OverflowError("an hour outside of the years 1 to 9999")
        return Interval(
            f"{wall.isoformat(timespec='hours')}{_offset_text(offset)}",
            self._change(start, ms, offset) if self._offset(start) != offset else start,
            self._change(ms, end, offset) if self._offset(end - 1) != offset else end,
        )

    def _offset(self, ms: int) -> int:
        return offset_ms(self.zone_name, ms)

    def _change(self, low: int, high: int, offset: int) -> int:
        """The first instant in (low, high] at which the offset has changed."""
        begins = self._offset(low) == offset
        while high - low > 1:
            middle = (low + high) // 2
            if (self._offset(middle) == offset) == begins:
                low = middle
            else:
                high = middle
        return high

    def _dated(self, ms: int) -> Interval:
        first = self._first(local_time(self.zone_name, ms).date())
        start = self._boundary(first)
        following = self._next(first)
        end = self._boundary(following)
        while end <= ms:  # the clock fell back over a midnight: the new day had begun
            first, start = following, end
            following = self._next(first)
            end = self._boundary(following)
        return Interval(first.isoformat()[: _LABEL_LENGTH[self.unit]], start, end)

    def _boundary(self, first: date) -> int:
        return first_instant_at(self.zone_name, datetime.combine(first, time()))

    def _first(self, day: date) -> date:
        """The first date of the unit that `day` is in."""
        if self.unit == "day":
            return day
        return day.replace(day=1) if self.unit == "month" else day.replace(month=1, day=1)

    def _next(self, first: date) -> date:
        # 32 and 366 days on is always within the next month and year.
        return self._first(first + timedelta(days={"day": 1, "month": 32}.get(self.unit, 366)))


_LABEL_LENGTH = {"day": 10, "month": 7, "year": 4}


@lru_cache(maxsize=512)
def calendar(unit: Unit, zone_name: str) -> Calendar:
    """The one calendar of that unit and zone, with its cache. Raises UnknownZone."""
    return Calendar(unit, zone_name)


def _offset_text(offset: int) -> str:
    if offset == 0:
        return "Z"
    minutes, seconds = divmod(abs(offset) // 1000, 60)
    text = f"{'-' if offset < 0 else '+'}{minutes // 60:02}:{minutes % 60:02}"
    return f"{text}:{seconds:02}" if seconds else text
