"""Schedules against a look at the wall clock every minute."""

import itertools
from calendar import monthrange
from datetime import datetime, time, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.aggregation.instants import print_instant
from domain.aggregation.schedule import Frequency, first_instant_at, next_fire, next_fires
from domain.aggregation.zones import zone_names
from tests.domain.aggregation.wall_clocks import ODD_TIMES, instant, looks


def is_on(frequency: Frequency, wall: datetime) -> bool:
    """Whether a wall-clock time is one that the frequency names."""
    last = monthrange(wall.year, wall.month)[1]
    return wall.time() == time(*divmod(frequency.at_minutes, 60)) and (
        frequency.day is None or wall.day == min(frequency.day, last)
    )


def seen(frequency: Frequency, around: str, step_s: int, hours: int = 60) -> list[int]:
    """The instants at which the clock reaches such a time, or has jumped over it, once each."""
    found = []
    latest: datetime | None = None
    for ms, now in looks(frequency.timezone, instant(around), hours, step_s):
        wall = now.replace(tzinfo=None)
        reached = latest or wall
        while reached < wall:
            reached += timedelta(minutes=1) - timedelta(seconds=reached.second)
            if reached <= wall and is_on(frequency, reached):
                found.append(ms)
        latest = max(latest or wall, wall)
    return sorted(set(found))


@pytest.mark.parametrize("at", ["00:00", "00:15", "01:45", "02:15", "02:30", "23:30"])
@pytest.mark.parametrize(
    ("zone", "around", "step_s"), [case for case in ODD_TIMES if case[2] == 60]
)
def test_every_day_fires_when_the_clock_gets_there(
    zone: str, around: str, step_s: int, at: str
) -> None:
    hour, minute = map(int, at.split(":"))
    frequency = Frequency("day", hour * 60 + minute, None, zone)
    expected = seen(frequency, around, step_s)
    assert len(expected) >= 3
    assert next_fires(frequency, expected[0], len(expected) - 1) == expected[1:]
    for before, fire in itertools.pairwise(expected):
        for after_ms in (before, before + 1, fire - 1):
            assert next_fire(frequency, after_ms) == fire


@pytest.mark.parametrize("day", [1, 28, 29, 30, 31])
@pytest.mark.parametrize("around", ["2024-02-15T00:00Z", "2023-02-15T00:00Z", "2024-10-27T00:00Z"])
def test_every_month_fires_on_its_day_or_the_last(around: str, day: int) -> None:
    frequency = Frequency("month", 150, day, "Europe/Stockholm")
    expected = seen(frequency, around, 1800, hours=24 * 70)
    assert len(expected) >= 4
    assert next_fires(frequency, expected[0], len(expected) - 1) == expected[1:]
    assert next_fire(frequency, expected[1] - 1) == expected[1]


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(sorted(zone_names())),
    st.integers(instant("1950-01-01T00:00Z"), instant("2100-01-01T00:00Z")),
    st.integers(0, 1439),
    st.one_of(st.none(), st.integers(1, 31)),
)
def test_fires_of_any_zone_rise_and_are_found_from_before(
    zone: str, after_ms: int, minutes: int, day: int | None
) -> None:
    frequency = Frequency("day" if day is None else "month", minutes, day, zone)
    fires = next_fires(frequency, after_ms, 4)
    assert after_ms < fires[0]
    longest = 86_400_000 * (3 if day is None else 33)
    for earlier, later in itertools.pairwise([after_ms, *fires]):
        assert 0 < later - earlier <= longest
        assert next_fire(frequency, earlier) == later
        assert next_fire(frequency, (earlier + later) // 2) == later


@pytest.mark.parametrize(
    ("frequency", "after", "fires"),
    [
        (
            Frequency("day", 720, None, "Europe/Stockholm"),
            "2024-03-30T11:00Z",
            ["2024-03-31T10:00", "2024-04-01T10:00"],
        ),
        (
            Frequency("day", 150, None, "Europe/Stockholm"),  # 02:30 does not exist
            "2024-03-30T12:00Z",
            ["2024-03-31T01:00", "2024-04-01T00:30"],
        ),
        (
            Frequency("day", 150, None, "Europe/Stockholm"),  # 02:30 twice
            "2024-10-26T12:00Z",
            ["2024-10-27T00:30", "2024-10-28T01:30"],
        ),
        (
            Frequency("day", 0, None, "America/Sao_Paulo"),  # no midnight
            "2018-11-03T12:00Z",
            ["2018-11-04T03:00", "2018-11-05T02:00"],
        ),
        (
            Frequency("day", 0, None, "Pacific/Apia"),  # no 30 December
            "2011-12-29T12:00Z",
            ["2011-12-30T10:00", "2011-12-31T10:00"],
        ),
        (
            Frequency("month", 0, 10, "UTC"),
            "2024-01-10T00:00Z",
            ["2024-02-10T00:00", "2024-03-10T00:00"],
        ),
        (
            Frequency("month", 0, 31, "UTC"),
            "2024-01-31T00:00Z",
            ["2024-02-29T00:00", "2024-03-31T00:00", "2024-04-30T00:00"],
        ),
        (
            Frequency("month", 0, 30, "UTC"),
            "2022-12-31T00:00Z",
            ["2023-01-30T00:00", "2023-02-28T00:00", "2023-03-30T00:00"],
        ),
    ],
)
def test_a_schedule_of_the_book(frequency: Frequency, after: str, fires: list[str]) -> None:
    found = next_fires(frequency, instant(after), len(fires))
    assert [print_instant(ms)[:16] for ms in found] == fires


@pytest.mark.parametrize(
    ("zone", "wall", "first"),
    [
        ("UTC", datetime(2024, 9, 3, 10, 15, 7, 123_456), "2024-09-03T10:15:07.123Z"),
        ("Europe/Stockholm", datetime(2024, 3, 31, 2), "2024-03-31T01:00:00.000Z"),
        ("Europe/Stockholm", datetime(2024, 3, 31, 2, 59, 59), "2024-03-31T01:00:00.000Z"),
        ("Europe/Stockholm", datetime(2024, 3, 31, 3), "2024-03-31T01:00:00.000Z"),
        ("Europe/Stockholm", datetime(2024, 10, 27, 2, 30), "2024-10-27T00:30:00.000Z"),
        ("Australia/Lord_Howe", datetime(2024, 10, 6, 2, 10), "2024-10-05T15:30:00.000Z"),
        ("Australia/Lord_Howe", datetime(2024, 4, 7, 1, 45), "2024-04-06T14:45:00.000Z"),
        ("Africa/Monrovia", datetime(1972, 1, 7, 0, 30), "1972-01-07T00:44:30.000Z"),
        ("Pacific/Apia", datetime(2011, 12, 30, 18), "2011-12-30T10:00:00.000Z"),
        ("Asia/Kathmandu", datetime(1986, 1, 1), "1985-12-31T18:30:00.000Z"),
    ],
)
def test_a_wall_clock_time_is_reached_at(zone: str, wall: datetime, first: str) -> None:
    assert print_instant(first_instant_at(zone, wall)) == first


def test_a_schedule_says_itself_in_words() -> None:
    assert Frequency("day", 720, None, "Europe/Stockholm").text() == (
        "every day at 12:00 Europe/Stockholm"
    )
    assert Frequency("month", 5, 10, "UTC").text() == "every month day 10 at 00:05 UTC"


@pytest.mark.parametrize("day", [None, 31])
def test_the_end_of_time_is_an_error(day: int | None) -> None:
    frequency = Frequency("day" if day is None else "month", 0, day, "America/New_York")
    with pytest.raises(OverflowError):
        next_fires(frequency, instant("9999-12-30T00:00Z"), 3)
