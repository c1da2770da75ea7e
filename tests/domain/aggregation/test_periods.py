"""Periods against a look at the wall clock every minute."""

import itertools
from datetime import date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.aggregation.instants import print_instant
from domain.aggregation.periods import (
    Calendar,
    Interval,
    NoSuchPeriod,
    Unit,
    calendar,
    known_zone,
)
from domain.aggregation.zones import UnknownZone, zone_names
from domain.errors import Reject
from tests.domain.aggregation.wall_clocks import ODD_TIMES, instant, looks

LENGTHS = {"day": 10, "month": 7, "year": 4}
DATED: list[Unit] = ["day", "month", "year"]
UNITS: list[Unit] = ["hour", *DATED]


def seen(unit: Unit, zone: str, around: str, step_s: int) -> list[tuple[int, str]]:
    """(epoch ms, label) every step: of the latest date shown so far, or of hour and offset."""
    found = []
    latest = date.min
    for ms, wall in looks(zone, instant(around), 30, step_s):
        latest = max(latest, wall.date())
        if unit == "hour":
            offset = wall.isoformat()[19:]
            label = wall.isoformat()[:13] + ("Z" if offset == "+00:00" else offset)
        else:
            label = latest.isoformat()[: LENGTHS[unit]]
        found.append((ms, label))
    return found


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize(("zone", "around", "step_s"), ODD_TIMES)
def test_labels_and_bounds_are_what_the_clock_shows(
    zone: str, around: str, step_s: int, unit: Unit
) -> None:
    looked = seen(unit, zone, around, step_s)
    found = Calendar(unit, zone)
    assert [(ms, found.interval(ms).label) for ms, _ in looked] == looked
    changes = [later[0] for earlier, later in itertools.pairwise(looked) if earlier[1] != later[1]]
    intervals = sorted({found.interval(ms) for ms, _ in looked}, key=lambda i: i.start_ms)
    assert [interval.start_ms for interval in intervals[1:]] == changes
    assert [interval.end_ms for interval in intervals[:-1]] == changes
    # a calendar that has looked at nothing yet finds each by its label alone
    assert [Calendar(unit, zone).from_label(each.label) for each in intervals] == intervals


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(sorted(zone_names())),
    st.integers(instant("1850-01-01T00:00Z"), instant("2150-01-01T00:00Z")),
    st.sampled_from(UNITS),
)
def test_the_periods_of_any_zone_partition_time(zone: str, ms: int, unit: Unit) -> None:
    found = Calendar(unit, zone)
    interval = found.interval(ms)
    assert interval.start_ms <= ms < interval.end_ms
    assert found.interval(interval.start_ms) == found.interval(interval.end_ms - 1) == interval
    assert found.interval(interval.start_ms - 1).end_ms == interval.start_ms
    assert found.interval(interval.end_ms).start_ms == interval.end_ms
    assert found.from_label(interval.label) == Calendar(unit, zone).from_label(interval.label)
    assert found.from_label(interval.label) == interval


@pytest.mark.parametrize(
    ("unit", "zone", "at", "label", "start", "end"),
    [
        ("year", "UTC", "2024-09-03T10:15Z", "2024", "2024-01-01T00:00", "2025-01-01T00:00"),
        ("month", "UTC", "2024-09-03T10:15Z", "2024-09", "2024-09-01T00:00", "2024-10-01T00:00"),
        (
            "month",
            "Asia/Kathmandu",
            "2024-08-31T18:15Z",
            "2024-09",
            "2024-08-31T18:15",
            "2024-09-30T18:15",
        ),
        (
            "hour",
            "Europe/Stockholm",
            "2024-10-27T00:30Z",
            "2024-10-27T02+02:00",
            "2024-10-27T00:00",
            "2024-10-27T01:00",
        ),
        (
            "hour",
            "Europe/Stockholm",
            "2024-10-27T01:30Z",
            "2024-10-27T02+01:00",
            "2024-10-27T01:00",
            "2024-10-27T02:00",
        ),
        (
            "hour",
            "Europe/London",
            "2024-10-27T01:30Z",
            "2024-10-27T01Z",
            "2024-10-27T01:00",
            "2024-10-27T02:00",
        ),
        (
            "hour",
            "Australia/Lord_Howe",
            "2024-04-06T15:10Z",
            "2024-04-07T01+10:30",
            "2024-04-06T15:00",
            "2024-04-06T15:30",
        ),
        (
            "hour",
            "America/St_Johns",
            "2024-07-01T00:00Z",
            "2024-06-30T21-02:30",
            "2024-06-30T23:30",
            "2024-07-01T00:30",
        ),
        (
            "day",
            "America/Sao_Paulo",
            "2018-11-04T03:00Z",
            "2018-11-04",
            "2018-11-04T03:00",
            "2018-11-05T02:00",
        ),
    ],
)
def test_a_period_of_the_book(
    unit: Unit, zone: str, at: str, label: str, start: str, end: str
) -> None:
    interval = calendar(unit, zone).interval(instant(at))
    printed = [print_instant(ms)[:16] for ms in interval[1:]]
    assert (interval.label, *printed) == (label, start, end)


@pytest.mark.parametrize(
    ("unit", "zone", "label"),
    [
        ("day", "Pacific/Apia", "2011-12-30"),
        ("day", "UTC", "2023-02-29"),
        ("day", "UTC", "2024-09"),
        ("month", "UTC", "2024-13"),
        ("month", "UTC", "2024-9"),
        ("year", "UTC", "0000"),
        ("year", "UTC", "24"),
        ("hour", "Europe/Stockholm", "2024-10-27T02"),
        ("hour", "Europe/Stockholm", "2024-10-27T02Z"),
        ("hour", "Europe/Stockholm", "2024-03-31T02+01:00"),
        ("hour", "Europe/Stockholm", "2024-10-27T24+01:00"),
        ("hour", "UTC", "2024-10-27T02+00:00"),
    ],
)
def test_a_label_without_a_period_is_refused(unit: Unit, zone: str, label: str) -> None:
    with pytest.raises(NoSuchPeriod, match=unit):
        Calendar(unit, zone).from_label(label)


@pytest.mark.parametrize(
    ("unit", "label", "example"),
    [
        ("hour", "2024-03-31T02+01:00", "2024-10-27T02+02:00"),
        ("day", "2023-02-29", "2024-09-03"),
        ("month", "2024-9", "2024-09"),
        ("year", "24", "2024"),
    ],
)
def test_a_refused_label_is_told_with_one_that_would_be_right(
    unit: Unit, label: str, example: str
) -> None:
    with pytest.raises(NoSuchPeriod) as caught:
        Calendar(unit, "Europe/Stockholm").from_label(label)
    error = caught.value
    assert (error.label, error.unit, error.zone_name) == (label, unit, "Europe/Stockholm")
    told = f"{label!r} is no {unit} in Europe/Stockholm, expected one like {example}"
    assert str(error) == told


@pytest.mark.parametrize(
    ("unit", "zone", "at"),
    [
        ("year", "UTC", "9999-06-01T00:00Z"),
        ("month", "UTC", "9999-12-31T23:59:59.999Z"),
        ("day", "Europe/Stockholm", "9999-12-31T23:30Z"),
        ("hour", "Pacific/Auckland", "9999-12-31T23:59:59.999Z"),
        ("hour", "America/New_York", "0001-01-01T00:00Z"),
        ("year", "Europe/Stockholm", "0001-06-01T00:00Z"),
    ],
)
def test_a_period_beyond_four_digit_years_is_rejected(unit: Unit, zone: str, at: str) -> None:
    with pytest.raises(Reject) as caught:
        Calendar(unit, zone).interval(instant(at))
    assert caught.value.reason == "not_an_instant"
    assert caught.value.detail == f"its {unit} is not within the years 1 to 9999 in {zone}"


@pytest.mark.parametrize("at", ["0001-01-01T00:00Z", "9999-12-31T22:59:59.999Z"])
def test_the_first_and_the_last_hour_but_one_are_periods(at: str) -> None:
    found = Calendar("hour", "UTC").interval(instant(at))
    assert found.label == at[:13] + "Z"
    assert found.end_ms - found.start_ms == 3_600_000


def test_the_cache_forgets_and_stays_right(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("domain.aggregation.periods._BUCKETS_MAX", 2)
    found = Calendar("hour", "UTC")
    first = instant("2024-09-03T00:00Z")
    labels = [found.interval(first + hour * 3_600_000).label for hour in range(24)]
    assert labels == [f"2024-09-03T{hour:02}Z" for hour in range(24)]
    assert len(found._buckets) <= 2


def test_a_bucket_with_a_boundary_in_it_gives_both_sides() -> None:
    found = Calendar("day", "America/St_Johns")  # 1920: 3 h 30 min 52 s behind
    boundary = instant("1920-01-15T03:30:52Z")
    sides = [found.interval(boundary + ms).label for ms in (-1, 0, -1, 0)]
    assert sides == ["1920-01-14", "1920-01-15"] * 2


@pytest.mark.parametrize("name", ["Europe/Stockholm", "UTC", "Asia/Kathmandu", "Etc/GMT+5"])
def test_an_iana_name_is_a_zone(name: str) -> None:
    assert known_zone(name)
    assert calendar("day", name) is calendar("day", name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "europe/stockholm",
        "Europe",
        "Mars/Olympus",
        "../UTC",
        "/etc/localtime",
        "+02:00",
        1,
        None,
    ],
)
def test_anything_else_is_no_zone(name: object) -> None:
    assert not known_zone(name)
    with pytest.raises(UnknownZone, match="expected an IANA name"):
        Calendar("day", str(name))


def test_a_month_is_as_long_as_its_days() -> None:
    found = Calendar("month", "UTC")
    for month in range(1, 13):
        first = datetime(2023, month, 1)
        interval = found.from_label(f"2023-{month:02}")
        days = timedelta(milliseconds=interval.end_ms - interval.start_ms).days
        assert (first + timedelta(days=days)).day == 1
        assert interval == Interval(f"2023-{month:02}", *interval[1:])


@pytest.mark.parametrize("unit", UNITS)
def test_a_period_is_worked_out_once(unit: Unit) -> None:
    found = Calendar(unit, "Europe/Stockholm")
    first = instant("2024-09-03T10:00Z")
    made = found.interval(first)
    for later_ms in (0, 1, 60_000, 1_800_000):  # in its quarter of an hour, and in another
        assert found.interval(first + later_ms) is made
    assert found.interval(made.start_ms) is made
    assert found.interval(made.end_ms - 1) is made
    assert found.interval(made.start_ms - 1) is not made
    assert found.interval(made.end_ms) is not made
    assert found.interval(first) is made
