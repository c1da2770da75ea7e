"""Instants: ISO 8601 text to epoch milliseconds and back.

Read is the extended format, date and time: `2024-09-03T10:15`, with seconds and a fraction (after
a point or a comma) if you like, `T`, `t` or one blank between, `Z`, `z`, `+hh:mm`, `+hhmm` or
`+hh` behind; text without an offset is UTC. Years 0001 to 9999, also of the instant in UTC.
Not read: a date alone, epoch numbers, week and ordinal dates, hour 24, second 60.
"""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from functools import lru_cache

MIN_INSTANT_MS = -62_135_596_800_000  # 0001-01-01T00:00:00.000Z
MAX_INSTANT_MS = 253_402_300_799_999  # 9999-12-31T23:59:59.999Z

_SHAPE = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt ]([0-9]{2}):([0-9]{2})"
    r"(?::([0-9]{2})(?:[.,]([0-9]+))?)?"
    r"((?:[Zz]|([+-])([0-9]{2})(?::?([0-9]{2}))?)?)"
)
_EPOCH = datetime(1970, 1, 1)
_EPOCH_DAY = _EPOCH.toordinal()
_DAY_MS, _HOUR_MS, _MINUTE_MS = 86_400_000, 3_600_000, 60_000
_SECOND_MS = {f"{second:02}": second * 1000 for second in range(60)}
_MILLIS = {f".{ms:03}": ms for ms in range(1000)}
_CACHE_MAX = 50_000  # entries of each cache below: a month of minutes; about 5 MB
# What `_read` has accepted, cut in pieces that come again:
_minutes: dict[str, int] = {}  # "2024-09-03T10:15:" -> epoch ms of that minute in UTC
_offsets: dict[str, int] = {}  # "", "Z", "+02:00" -> ms that the offset is ahead of UTC
_rests: dict[str, int] = {}  # the same behind a fraction's third digit: "Z", "456+02:00"


def parse_instant(value: object) -> int | None:
    """Epoch milliseconds of the instant that `value` is the text of; None when it is none.

    What is finer than a millisecond is cut, towards the past.
    """
    if value.__class__ is not str:
        return None
    # Fast, when all pieces were seen before. Dictionaries know exactly the digits they hold,
    # where `int()` would take "+7" and "７" too.
    minute = _minutes.get(value[:17])
    if minute is not None:
        second = _SECOND_MS.get(value[17:19])
        if second is not None:
            offset = _offsets.get(value[19:])
            if offset is not None:
                return minute + second - offset
            millis = _MILLIS.get(value[19:23])
            if millis is not None:
                offset = _rests.get(value[23:])
                if offset is not None:
                    return minute + second + millis - offset
    return _read(value)


def _read(text: str) -> int | None:
    match = _SHAPE.fullmatch(text)
    if match is None:
        return None
    year, month, day, hour, minute, second, fraction, zone, sign, *off = match.groups()
    if hour > "23" or minute > "59" or (second is not None and second > "59"):
        return None
    try:
        days = date(int(year), int(month), int(day)).toordinal() - _EPOCH_DAY
    except ValueError:
        return None
    start = days * _DAY_MS + int(hour) * _HOUR_MS + int(minute) * _MINUTE_MS
    offset = 0
    if sign is not None:
        if off[0] > "23" or (off[1] or "0") > "59":
            return None
        offset = int(off[0]) * _HOUR_MS + int(off[1] or 0) * _MINUTE_MS
        offset = -offset if sign == "-" else offset
    rest = 0
    if second is not None:
        rest = _SECOND_MS[second]
        if fraction is not None:
            rest += int(fraction[:3].ljust(3, "0"))
    instant = start + rest - offset
    if not MIN_INSTANT_MS <= instant <= MAX_INSTANT_MS:
        return None
    if second is not None and "0001" < year < "9999":  # at the ends an offset may lead outside
        _remember(_minutes, text[:17], start)
        if fraction is None:
            _remember(_offsets, zone, offset)
        elif 3 <= len(fraction) <= 6:
            _remember(_rests, fraction[3:] + zone, offset)
    return instant


def _remember(cache: dict[str, int], piece: str, ms: int) -> None:
    if len(cache) >= _CACHE_MAX:
        cache.clear()
    cache[piece] = ms


PRINTED = range(-62_135_596_800_000, 253_402_300_800_000)
"""The years 1 to 9999 in epoch milliseconds: instants that can be printed."""


def print_instant(ms: int) -> str:
    """`YYYY-MM-DDTHH:MM:SS.mmmZ`; OverflowError outside of the years 1 to 9999."""
    second, rest = divmod(ms, 1000)
    return f"{_to_the_second(second)}.{rest:03d}Z"


@lru_cache(4096)  # what is printed together is of a few minutes
def _to_the_second(second: int) -> str:
    return (_EPOCH + timedelta(seconds=second)).isoformat(timespec="seconds")
