"""Documents of kind `digest`, when one is due, and what it tells of. No I/O, no clock.

A digest is due at a time of the day, every day or every Monday, in its zone; it tells of the day or
ISO week that was over then, against the one before. What is due is decided from the row alone, so
each period is told once, whatever is killed and however long nobody looked: only the latest.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from typing import ClassVar, Literal, NamedTuple, TypeAlias

import msgspec

from domain.aggregation.zones import first_instant_at
from domain.metrics.grains import begins, bounds, day_of

Every: TypeAlias = Literal["day", "week"]
DAY_MS = 86_400_000
TREND: Mapping[Every, int] = {"day": 14, "week": 13}
"""So many periods are drawn: two weeks, a quarter of a year."""


class DigestMetric(NamedTuple):
    """A metric to be told of, in all its series together."""

    metric: str
    where: Mapping[str, tuple[str, ...]]


class Digest(msgspec.Struct, frozen=True, kw_only=True):
    """One document. Of `metrics` and `dashboard` exactly one is there. at: minutes of the day."""

    kind: ClassVar[str] = "digest"

    name: str
    every: Every
    at: int
    timezone: str = "UTC"
    to: tuple[str, ...] = ()
    metrics: tuple[DigestMetric, ...] = ()
    dashboard: str = ""


class Period(NamedTuple):
    """[from_ms, to_ms). first: its first day in the zone."""

    first: date
    from_ms: int
    to_ms: int


class Sent(msgspec.Struct, array_like=True, frozen=True):
    """What a digest's row keeps. from_ms: since when it is in force; nothing that was due before is
    told. first: the first day of the last period that was told, "" before the first one; every: as
    it was then. made_ms: when. id: of its messages."""

    from_ms: int
    every: Every = "day"
    first: str = ""
    made_ms: int = 0
    id: str = ""


def period_at(every: Every, zone: str, ms: int) -> Period:
    """The day or week that the instant is in. Raises Reject outside of the years 1 to 9999."""
    from_ms, to_ms = bounds(every, zone, ms)
    return Period(day_of(zone, from_ms), from_ms, to_ms)


def period_of(every: Every, zone: str, day: date) -> Period:
    """The one that the date is in."""
    return period_at(every, zone, begins(zone, day))


def before(digest: Digest, period: Period) -> Period:
    """The period before."""
    return period_at(digest.every, digest.timezone, period.from_ms - 1)


def trend(digest: Digest, period: Period) -> date:
    """The first day of what is drawn, the period itself at its end."""
    days = (TREND[digest.every] - 1) * (7 if digest.every == "week" else 1)
    return max(period.first, date.min + timedelta(days=days)) - timedelta(days=days)


def latest_due(digest: Digest, now_ms: int) -> tuple[int, Period]:
    """(when it was due, what of) of the latest that has been due by now."""
    day = day_of(digest.timezone, now_ms)
    day -= timedelta(days=day.weekday() if digest.every == "week" else 0)
    due_ms = _due(digest, day)
    if due_ms > now_ms:
        day -= timedelta(days=7 if digest.every == "week" else 1)
        due_ms = _due(digest, day)
    return due_ms, period_at(digest.every, digest.timezone, begins(digest.timezone, day) - 1)


def next_due(digest: Digest, now_ms: int) -> int:
    """When it is due next."""
    day = day_of(digest.timezone, now_ms)
    day -= timedelta(days=day.weekday() if digest.every == "week" else 0)
    due_ms = _due(digest, day)
    while due_ms <= now_ms:
        day += timedelta(days=7 if digest.every == "week" else 1)
        due_ms = _due(digest, day)
    return due_ms


def _due(digest: Digest, day: date) -> int:
    at = datetime.combine(day, time(digest.at // 60, digest.at % 60))
    return first_instant_at(digest.timezone, at)


def to_tell(digest: Digest, sent: Sent, now_ms: int) -> Period | None:
    """The period that is to be told now, if any. One that was told, or an earlier one, is not told
    again, whatever the document says by now."""
    due_ms, period = latest_due(digest, now_ms)
    if due_ms <= sent.from_ms:
        return None
    told = sent.first if sent.every == digest.every else ""
    return None if period.first.isoformat() <= told else period


def told(digest: Digest, sent: Sent, period: Period, now_ms: int) -> Sent:
    """The row once that is told."""
    first = period.first.isoformat()
    return Sent(sent.from_ms, digest.every, first, now_ms, message_id(digest, period))


def message_id(digest: Digest, period: Period, again: str = "") -> str:
    """Of the messages of a period: the same whenever it is told. again: tells those apart that
    somebody asked for."""
    rest = f"/{again}" if again else ""
    return f"{of_digest(digest.name)}{digest.every}/{period.first.isoformat()}{rest}"


def of_digest(name: str) -> str:
    """How the ids of a digest's messages begin; no alert's do."""
    return f"digest:{name}/"


def period_words(every: Every, first: date, last: date) -> str:
    """A period as people say it: "Sunday 10 March 2024", "Week 10 of 2024, 4 to 10 March"."""
    if every == "day":
        return f"{_DAYS[first.weekday()]} {first.day} {_MONTHS[first.month - 1]} {first.year}"
    year, week, _ = first.isocalendar()
    start = f"{first.day}" if first.month == last.month else (
        f"{first.day} {_MONTHS[first.month - 1]}"
    )  # fmt: skip
    return f"Week {week} of {year}, {start} to {last.day} {_MONTHS[last.month - 1]}"


# not the machine's locale: mails of two workers must not differ
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip
