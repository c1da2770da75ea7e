"""Readers of the values that documents of several kinds share; `base` says what a reader is."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from difflib import get_close_matches
from typing import Literal, TypeVar

from config.documents.base import MISSING, At, Reader, nearest, section
from domain.aggregation.numbers import MAX_DIGITS, MAX_EXPONENT, Number
from domain.aggregation.schedule import Frequency
from domain.aggregation.zones import known_zone, zone_names

T = TypeVar("T")

MAX_DAYS = 36_525  # a hundred years: every due time can still be printed
_NAME = re.compile(r"[a-z0-9-]{1,100}")
_TOPIC = re.compile(r"[a-zA-Z0-9._-]{1,249}")  # what Kafka takes
_AT = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")
# Topics whose records mean something to the product itself.
_OWN_TOPICS = ("config", "dead-letters", "sink-dead-letters")
_EVERY: tuple[Literal["day", "month"], ...] = ("day", "month")
_UNIT_MS = {"seconds": 1_000, "minutes": 60_000, "hours": 3_600_000, "days": 86_400_000}


def name(value: object, at: At) -> str | None:
    """The name of a document."""
    if isinstance(value, str) and _NAME.fullmatch(value):
        return value
    at.refuse(value, "a name of a-z, 0-9 and -, 1 to 100 characters")
    return None


def topic(value: object, at: At) -> str | None:
    """The name of a topic for users' records, without the installation's prefix."""
    if not isinstance(value, str) or not _TOPIC.fullmatch(value) or value in (".", ".."):
        at.refuse(value, "a topic name of a-z, A-Z, 0-9, `.`, `_` and `-`, 1 to 249 long")
        return None
    if value in _OWN_TOPICS:
        at.refuse(value, f"a topic other than the product's own {', '.join(_OWN_TOPICS)}")
        return None
    return value


def text(value: object, at: At) -> str | None:
    """Text of at least one character, without control characters, that UTF-8 can hold."""
    if isinstance(value, str) and 0 < len(value) <= 250 and value.isprintable():
        return value
    at.refuse(value, "printable text of 1 to 250 characters")
    return None


def path(value: object, at: At) -> str | None:
    """A dotted path into a record."""
    if isinstance(value, str) and value != "*" and all(value.split(".")):
        return text(value, at)
    at.refuse(value, "a dotted path into the record, like product.code")
    return None


def boolean(value: object, at: At) -> bool | None:
    """true or false."""
    if isinstance(value, bool):
        return value
    at.refuse(value, "true or false")
    return None


def number(value: object) -> Number | None:
    """The exact number that a document's value is, None for any other value."""
    if isinstance(value, bool):
        return None
    if isinstance(value, float):  # a decoder that is not ours: its shortest text is what was meant
        value = Decimal(repr(value))
    if isinstance(value, Decimal):
        if not value.is_finite():
            return None
        _, digits, exponent = value.as_tuple()
        wide = len(digits) > MAX_DIGITS or abs(int(exponent)) > MAX_DIGITS + MAX_EXPONENT
        return None if wide else value
    return value if isinstance(value, int) and abs(value) < 10**MAX_DIGITS else None


def whole(low: int, high: int) -> Reader[int]:
    """Whole numbers from `low` to `high`; 35.0 is 35."""

    def read(value: object, at: At) -> int | None:
        found = number(value)
        if found is not None and low <= found <= high and found == int(found):
            return int(found)
        at.refuse(value, f"a whole number from {low} to {high}")
        return None

    return read


def choice(choices: Sequence[T]) -> Reader[T]:
    """One of some texts."""

    def read(value: object, at: At) -> T | None:
        for allowed in choices:
            if allowed == value:
                return allowed
        at.refuse(value, nearest(str(value), map(str, choices)))
        return None

    return read


def each(
    value: object, at: At, reader: Callable[[object, At], T], of: str, *, empty: bool = False
) -> list[T]:
    """What `reader` makes of every item of a list, in place; no items when it is no list."""
    if not isinstance(value, list | tuple) or not (value or empty):
        at.refuse(value, f"a list of {of}{'' if empty else ', at least one'}")
        return []
    return [reader(item, at.item(index)) for index, item in enumerate(value)]


def several(
    reader: Reader[T], of: str, *, empty: bool = False, most: int | None = None
) -> Reader[tuple[T, ...]]:
    """A list of what `reader` takes, of so many at most."""

    def read(value: object, at: At) -> tuple[T, ...] | None:
        if most is not None and isinstance(value, list | tuple) and len(value) > most:
            at.refuse(f"{len(value)} {of}", f"at most {most} {of}")
            return None
        before = len(at.problems)
        items = each(value, at, reader, of, empty=empty)
        found = tuple(item for item in items if item is not None)
        return found if len(at.problems) == before else None

    return read


def once(reader: Reader[T], of: str, *, empty: bool = False) -> Reader[tuple[T, ...]]:
    """As `several`, and none of them twice."""

    def read(value: object, at: At) -> tuple[T, ...] | None:
        before = len(at.problems)
        found: list[T] = []
        for index, item in enumerate(each(value, at, reader, of, empty=empty)):
            if item is not None and item in found:
                at.item(index).refuse(item, f"each of the {of} once")
            elif item is not None:
                found.append(item)
        return tuple(found) if len(at.problems) == before else None

    return read


def timezone(value: object, at: At) -> str | None:
    """A time zone of the IANA database."""
    if isinstance(value, str) and known_zone(value):
        return value
    close = get_close_matches(str(value), zone_names(), n=1)
    at.refuse(value, f"an IANA time zone like {close[0] if close else 'Europe/Stockholm'}")
    return None


def duration(value: object, at: At) -> int | None:
    """Milliseconds of `{hours: 1, minutes: 30}`: whole numbers, added up, more than 0."""
    parts = section(value, at, "seconds, minutes, hours, days")
    if parts is None:
        return None
    before = len(at.problems)
    total = 0
    for unit, unit_ms in _UNIT_MS.items():
        count = parts.optional(unit, whole(0, MAX_DAYS * 86_400_000 // unit_ms))
        total += (count or 0) * unit_ms
    parts.close()
    if len(at.problems) > before:
        return None
    if not 0 < total <= MAX_DAYS * 86_400_000:
        at.refuse(value, f"seconds, minutes, hours, days: in all 1 s to {MAX_DAYS} days")
        return None
    return total


def frequency(value: object, at: At) -> Frequency | None:
    """`{every: day, at: "12:00", timezone: …}` or `{every: month, day: 10, at: …}`; else UTC."""
    parts = section(value, at, "every, at, timezone and, for a month, day")
    if parts is None:
        return None
    before = len(at.problems)
    every = parts.required("every", choice(_EVERY), "day or month")
    monthly = every != "day"  # also when it is neither: then that is the one problem
    day = parts.only_with("day", whole(1, 31), monthly, "with `every: month`")
    if every == "month" and not parts.has("day"):
        at.key("day").refuse(MISSING, "the day of the month, 1 to 31")
    minutes = parts.required("at", minute_of_day, 'a time like "12:00"')
    zone_name = parts.defaulted("timezone", timezone, "UTC")
    parts.close()
    if len(at.problems) > before or every is None or minutes is None:
        return None
    return Frequency(every, minutes, day, zone_name)


def minute_of_day(value: object, at: At) -> int | None:
    """Minutes since midnight of "HH:MM"."""
    match = _AT.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        at.refuse(value, 'a time from "00:00" to "23:59", as text')
        return None
    return int(match.group(1)) * 60 + int(match.group(2))
