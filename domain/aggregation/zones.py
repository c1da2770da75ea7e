"""Time zones, from the pinned `tzdata` package and not from the machine.

So every worker, and every replay on another machine, cuts the same days. The data is read from
the package once per zone; nothing else here touches the outside.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.resources import files
from zoneinfo import ZoneInfo

from domain.aggregation.instants import MAX_INSTANT_MS, MIN_INSTANT_MS
from domain.errors import SluiceError

_EPOCH = datetime(1970, 1, 1)
_SECOND = timedelta(seconds=1)
_MS = timedelta(milliseconds=1)


class UnknownZone(SluiceError):
    """No time zone of the IANA database has that name."""

    def __init__(self, name: object) -> None:
        self.name = name
        super().__init__(f"{name!r} is no time zone, expected an IANA name like Europe/Stockholm")


@cache
def zone_names() -> frozenset[str]:
    """Every name and alias of the IANA database."""
    return frozenset(files("tzdata").joinpath("zones").read_text("utf-8").split())


def known_zone(name: object) -> bool:
    """Whether `name` is one of them, letter by letter."""
    return name.__class__ is str and name in zone_names()


@cache
def zone(name: str) -> ZoneInfo:
    """Its rules. Raises UnknownZone."""
    if not known_zone(name):
        raise UnknownZone(name)
    with files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as data:
        return ZoneInfo.from_file(data, key=name)


def local_time(zone_name: str, ms: int) -> datetime:
    """The wall clock of the zone (naive, but with its `fold`) at the instant.

    Raises OverflowError outside of the years 1 to 9999.
    """
    instant = (_EPOCH + timedelta(milliseconds=ms)).replace(tzinfo=UTC)
    return instant.astimezone(zone(zone_name)).replace(tzinfo=None)


def offset_ms(zone_name: str, ms: int) -> int:
    """What the zone's wall clock is ahead of UTC at the instant, in milliseconds."""
    return (local_time(zone_name, ms) - _EPOCH) // _MS - ms


def first_instant_at(zone_name: str, wall: datetime) -> int:
    """Epoch ms of the first instant at which the zone's wall clock is at or past `wall` (naive).

    A time that is skipped: the first instant after the gap. A repeated one: its first time.
    Raises OverflowError outside of the years 1 to 9999.
    """
    rules = zone(zone_name)
    before = _offset_s(wall.replace(tzinfo=rules, fold=0))
    after = _offset_s(wall.replace(tzinfo=rules, fold=1))
    # Whole seconds from here on; what is below a second is on no clock change's edge.
    wall_s, rest = divmod(wall - _EPOCH, _SECOND)
    if after <= before:  # everyday, or repeated: `before` is the offset of the first time
        return _within_years((wall_s - before) * 1000 + rest // _MS)
    # Skipped. The change lies in (low, high], and the clock after it is past `wall`.
    low, high = wall_s - after, wall_s - before
    while high - low > 1:
        middle = (low + high) // 2
        if offset_ms(zone_name, middle * 1000) > before * 1000:
            high = middle
        else:
            low = middle
    return _within_years(high * 1000)


def _within_years(ms: int) -> int:
    if MIN_INSTANT_MS <= ms <= MAX_INSTANT_MS:
        return ms
    raise OverflowError("an instant outside of the years 1 to 9999")


def _offset_s(moment: datetime) -> int:
    offset = moment.utcoffset()
    return 0 if offset is None else offset // _SECOND
