"""Wall-clock schedules: "every day at 12:00 in Stockholm" as instants."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Literal

from domain.aggregation.zones import first_instant_at, local_time

__all__ = ["Frequency", "first_instant_at", "next_fire", "next_fires"]


@dataclass(frozen=True, slots=True)
class Frequency:
    """A wall-clock time that comes back.

    at_minutes: minute of the day, 0 to 1439. day: 1 to 31 for "month" (the last day of a month
    that is shorter), None for "day". timezone: an IANA name.
    """

    every: Literal["day", "month"]
    at_minutes: int
    day: int | None
    timezone: str

    def text(self) -> str:
        """In words: "every month day 10 at 00:00 UTC"."""
        day = "" if self.day is None else f" day {self.day}"
        hour, minute = divmod(self.at_minutes, 60)
        return f"every {self.every}{day} at {hour:02}:{minute:02} {self.timezone}"


def next_fire(frequency: Frequency, after_ms: int) -> int:
    """Epoch ms of the first such wall-clock time strictly after `after_ms`.

    A time that daylight saving skips fires at the first instant after the gap; a repeated one
    fires once, the first time. Raises OverflowError beyond the year 9999.
    """
    return next(_fires(frequency, after_ms))


def next_fires(frequency: Frequency, after_ms: int, n: int) -> list[int]:
    """The next `n` of them, rising."""
    fires = _fires(frequency, after_ms)
    return [next(fires) for _ in range(n)]


def _fires(frequency: Frequency, after_ms: int) -> Iterator[int]:
    last = after_ms
    for day in _days(frequency, local_time(frequency.timezone, after_ms).date()):
        wall = datetime.combine(day, time(*divmod(frequency.at_minutes, 60)))
        fire = first_instant_at(frequency.timezone, wall)
        if fire > last:  # not so: before `after_ms`, or a day that its zone never had
            yield fire
            last = fire


def _days(frequency: Frequency, around: date) -> Iterator[date]:
    """The days it falls on, from `around` or the first of its month on.

    What the wall clock shows it has reached, so no time of an earlier day is still to come.
    """
    if frequency.day is None:
        day = around
        while True:
            yield day
            day += timedelta(days=1)
    months = around.year * 12 + around.month - 1  # since the year 0
    while months < 120_000:
        year, month = months // 12, months % 12 + 1
        yield date(year, month, min(frequency.day, monthrange(year, month)[1]))
        months += 1
    raise OverflowError("no month after the year 9999")
