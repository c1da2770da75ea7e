"""Days, slots and working time of a zone, as instants.

A day is `YYYYMMDD`, a slot (start, end) in minutes since midnight, `[start, end)`; 1440 is the
next midnight. A time that daylight saving skips is the first instant after the gap; of a time that
comes twice a start is the first, an end the second.

Nothing here is outside of the calendar's years 1 to 9999: what would be is their first or last day
or instant. So what was taken with a far day can be read, whatever is reckoned from it.
"""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from functools import lru_cache

from domain.aggregation.instants import MAX_INSTANT_MS, MIN_INSTANT_MS
from domain.aggregation.zones import first_instant_at, local_time, zone
from domain.campaigns.document import Flow
from domain.campaigns.rows import NO_SLOT

Slot = tuple[int, int]

_SLOT = re.compile(r"([01][0-9]|2[0-4]):([0-5][0-9])-([01][0-9]|2[0-4]):([0-5][0-9])")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
# How far the next day of work is looked for: more than any run of holidays, less than for ever.
_SEARCH_DAYS = 800
NEVER_MS = MAX_INSTANT_MS  # for a flow that never works again
FIRST_DAY, LAST_DAY = "00010101", "99991231"  # of the calendar
LAST_TAKEN = "90001231"
"""The last day that is taken from outside: days and durations can be added to it."""


def day_of(zone_name: str, ms: int) -> str:
    """The local date at the instant."""
    try:
        return day_key(local_time(zone_name, ms))
    except OverflowError:
        return FIRST_DAY if ms < 0 else LAST_DAY


def day_key(day: date) -> str:
    """`20251103`; of years before 1000, too, in eight digits, so that days sort as text."""
    return f"{day.year:04}{day.month:02}{day.day:02}"


def date_of(day: str) -> date:
    return date(int(day[:4]), int(day[4:6]), int(day[6:]))


@lru_cache(4096)
def day_after(day: str, days: int = 1) -> str:
    """The day that many days later."""
    try:
        return day_key(date_of(day) + timedelta(days=days))
    except OverflowError:
        return FIRST_DAY if days < 0 else LAST_DAY


def day_text(day: str) -> str:
    """`2025-11-03` of `20251103`."""
    return f"{day[:4]}-{day[4:6]}-{day[6:]}"


def parse_day(text: object) -> str | None:
    """`20251103` of `2025-11-03`; None for what is no date."""
    if not isinstance(text, str) or not _DAY.fullmatch(text):
        return None
    try:
        date.fromisoformat(text)
    except ValueError:
        return None
    return text.replace("-", "")


@lru_cache(16384)
def instant(zone_name: str, day: str, minute: int, end: bool = False) -> int:
    """When the zone's clock shows that minute of the day; `end`: as the end of something."""
    base = date_of(day)
    try:
        wall = datetime(base.year, base.month, base.day) + timedelta(minutes=minute)
        first = first_instant_at(zone_name, wall)
    except OverflowError:
        return MIN_INSTANT_MS if base.year == 1 else MAX_INSTANT_MS
    if end:
        rules = zone(zone_name)
        before = wall.replace(tzinfo=rules, fold=0).utcoffset() or timedelta()
        after = wall.replace(tzinfo=rules, fold=1).utcoffset() or timedelta()
        if after < before:  # it comes twice
            first += int((before - after).total_seconds()) * 1000
    return first


def parse_slot(text: object) -> Slot | None:
    """(start, end) of `10:00-12:00`; None for what is no slot. The end may be 24:00."""
    match = _SLOT.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        return None
    hours, minutes, end_hours, end_minutes = map(int, match.groups())
    start, end = hours * 60 + minutes, end_hours * 60 + end_minutes
    return (start, end) if start < end <= 1440 else None


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


def slot_text(slot: Slot) -> str:
    """`10:00-12:00`."""
    return f"{_clock(slot[0])}-{_clock(slot[1])}"


def slot_key(slot: Slot) -> str:
    """`1000_1200`, as ids have it."""
    return slot_text(slot).replace(":", "").replace("-", "_")


def slot_shown(key: str) -> str | None:
    """`10:00-12:00` of `1000_1200`; None of `-`."""
    if key == NO_SLOT:
        return None
    return f"{key[:2]}:{key[2:4]}-{key[5:7]}:{key[7:]}"


def works_on(flow: Flow, day: str) -> bool:
    """Whether the flow works on that date at all."""
    return date_of(day).weekday() in flow.working_time.days and day_text(day) not in flow.holidays


def working_window(flow: Flow, day: str, zone_name: str) -> tuple[int, int]:
    """The instants of the day's working time, whether or not it is a day of work."""
    hours = flow.working_time
    return instant(zone_name, day, hours.start), instant(zone_name, day, hours.end, True)


@lru_cache(1024)
def _working(flow: Flow, zone_name: str, day: str) -> tuple[int, int, str]:
    for _ in range(_SEARCH_DAYS):
        start, end = working_window(flow, day, zone_name)
        if works_on(flow, day) and start < end:
            return start, end, day
        if day == LAST_DAY:
            break
        day = day_after(day)
    return NEVER_MS, NEVER_MS, day


def working_at(flow: Flow, zone_name: str, ms: int) -> tuple[int, int, str]:
    """(start, end, day) of the working time that `ms` is in, or of the next one after it."""
    found = _working(flow, zone_name, day_of(zone_name, ms))
    if ms < found[1]:
        return found
    if found[2] == LAST_DAY:
        return NEVER_MS, NEVER_MS, LAST_DAY
    return _working(flow, zone_name, day_after(found[2]))
