"""Instants at which a wall clock gets somewhere, at the edges of what there is."""

from datetime import datetime

import pytest

from domain.aggregation.instants import MAX_INSTANT_MS, MIN_INSTANT_MS
from domain.aggregation.zones import UnknownZone, first_instant_at, local_time, offset_ms, zone
from tests.domain.aggregation.wall_clocks import instant


@pytest.mark.parametrize(
    ("zone_name", "wall", "at"),
    [
        ("UTC", "1970-01-01T00:00:00.001500", "1970-01-01T00:00:00.001Z"),
        ("Europe/Stockholm", "2024-07-01T12:00:00.250", "2024-07-01T10:00:00.250Z"),
        ("America/St_Johns", "1920-01-15T00:00:00", "1920-01-15T03:30:52Z"),
        # skipped: the first instant after the gap, wherever in it the time would be
        ("Europe/Stockholm", "2024-03-31T02:00:00", "2024-03-31T01:00:00Z"),
        ("Europe/Stockholm", "2024-03-31T02:00:01", "2024-03-31T01:00:00Z"),
        ("Europe/Stockholm", "2024-03-31T02:17:23", "2024-03-31T01:00:00Z"),
        ("Europe/Stockholm", "2024-03-31T02:44:44.5", "2024-03-31T01:00:00Z"),
        ("Europe/Stockholm", "2024-03-31T02:59:59", "2024-03-31T01:00:00Z"),
        ("Europe/Stockholm", "2024-03-31T03:00:00", "2024-03-31T01:00:00Z"),
        ("Pacific/Apia", "2011-12-30T00:00:00", "2011-12-30T10:00:00Z"),
        ("Pacific/Apia", "2011-12-30T19:23:17", "2011-12-30T10:00:00Z"),
        # repeated: its first time
        ("Europe/Stockholm", "2024-10-27T02:30:00", "2024-10-27T00:30:00Z"),
    ],
)
def test_the_first_instant_at_which_the_clock_is_there(zone_name: str, wall: str, at: str) -> None:
    found = first_instant_at(zone_name, datetime.fromisoformat(wall))
    assert found == instant(at)
    assert found.__class__ is int


def test_the_first_and_the_last_instant_are_within_the_years() -> None:
    assert first_instant_at("UTC", datetime(1, 1, 1)) == MIN_INSTANT_MS
    last = datetime(9999, 12, 31, 23, 59, 59, 999_000)
    assert first_instant_at("UTC", last) == MAX_INSTANT_MS


@pytest.mark.parametrize(
    ("zone_name", "wall"),
    [
        ("Asia/Tokyo", datetime(1, 1, 1)),
        ("America/New_York", datetime(9999, 12, 31, 23)),
    ],
)
def test_what_is_beyond_is_an_overflow(zone_name: str, wall: datetime) -> None:
    with pytest.raises(OverflowError, match=r"^an instant outside of the years 1 to 9999$"):
        first_instant_at(zone_name, wall)


def test_the_wall_clock_and_what_it_is_ahead() -> None:
    at = instant("2024-07-01T10:00:00.250Z")
    assert local_time("Europe/Stockholm", at) == datetime(2024, 7, 1, 12, 0, 0, 250_000)
    assert offset_ms("Europe/Stockholm", at) == 7_200_000
    assert offset_ms("America/St_Johns", instant("1920-01-15T03:30:52Z")) == -12_652_000
    assert local_time("Europe/Stockholm", instant("2024-10-27T00:30Z")).fold == 0
    assert local_time("Europe/Stockholm", instant("2024-10-27T01:30Z")).fold == 1


def test_an_unknown_zone_is_told() -> None:
    with pytest.raises(UnknownZone) as caught:
        zone("Mars/Olympus")
    assert caught.value.name == "Mars/Olympus"
    told = "'Mars/Olympus' is no time zone, expected an IANA name like Europe/Stockholm"
    assert str(caught.value) == told
    assert zone("Europe/Stockholm").key == "Europe/Stockholm"
