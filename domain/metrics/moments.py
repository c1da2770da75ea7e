"""Times as APIs write them."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta

from domain.aggregation.instants import MAX_INSTANT_MS, MIN_INSTANT_MS, parse_instant
from domain.aggregation.zones import zone

DAY = timedelta(days=1)
_DATE = re.compile(r"[0-9]{4}-?[0-9]{2}-?[0-9]{2}")
_SECONDS_BELOW = 100_000_000_000  # as milliseconds that is March 1973, as seconds the year 5138


def moment_ms(value: object, zone_name: str = "UTC") -> int | None:
    """Epoch milliseconds of an ISO instant, of a date (`2026-03-31`, `20260331`: its first moment
    in the zone), or of an epoch number of seconds or milliseconds; None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        found = int(value * 1000) if abs(value) < _SECONDS_BELOW else int(value)
        return found if MIN_INSTANT_MS <= found <= MAX_INSTANT_MS else None
    if not isinstance(value, str):
        return None
    day = read_date(value)
    return parse_instant(value) if day is None else day_ms(day, zone_name)


def read_date(text: str) -> date | None:
    """The day of `2026-03-31` or `20260331`."""
    if not _DATE.fullmatch(text):
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def day_ms(day: date, zone_name: str = "UTC") -> int:
    """The first moment of a day in a zone."""
    at = datetime(day.year, day.month, day.day, tzinfo=zone(zone_name))
    return int(at.timestamp()) * 1000


def day_of(ms: int, zone_name: str = "UTC") -> date:
    """The day of a moment in a zone."""
    return datetime.fromtimestamp(ms / 1000, UTC).astimezone(zone(zone_name)).date()


def days(first: date, end: date) -> list[date]:
    """The days from `first` to before `end`."""
    return [first + DAY * number for number in range((end - first).days)]
