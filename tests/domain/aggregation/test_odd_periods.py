"""Hours and days that a clock change cuts short, lengthens or moves, worked out by hand."""

import pytest

from domain.aggregation.periods import Calendar, Interval, Unit
from domain.errors import Reject
from tests.domain.aggregation.wall_clocks import instant


@pytest.mark.parametrize(
    ("unit", "zone", "label", "start", "end"),
    [
        # half an hour back at 15:00Z: only the end of this hour has the new offset
        ("hour", "Australia/Lord_Howe", "2024-04-07T01+11:00", "2024-04-06T14:00:00", "15:00:00"),
        ("hour", "Australia/Lord_Howe", "2024-04-07T01+10:30", "2024-04-06T15:00:00", "15:30:00"),
        # half an hour forward at 15:30Z
        ("hour", "Australia/Lord_Howe", "2024-10-06T01+10:30", "2024-10-05T14:30:00", "15:30:00"),
        ("hour", "Australia/Lord_Howe", "2024-10-06T02+11:00", "2024-10-05T15:30:00", "16:00:00"),
        # 00:01 falls back to 23:01 at 02:31Z
        ("hour", "America/St_Johns", "2010-11-06T23-02:30", "2010-11-07T01:30:00", "02:30:00"),
        ("hour", "America/St_Johns", "2010-11-07T00-02:30", "2010-11-07T02:30:00", "02:31:00"),
        ("hour", "America/St_Johns", "2010-11-06T23-03:30", "2010-11-07T02:31:00", "03:30:00"),
        # 00:01 jumps to 01:01 at 03:31Z
        ("hour", "America/St_Johns", "2010-03-14T00-03:30", "2010-03-14T03:30:00", "03:31:00"),
        ("hour", "America/St_Johns", "2010-03-14T01-02:30", "2010-03-14T03:31:00", "04:30:00"),
        # 23:30 jumps to midnight at 16:00Z
        ("hour", "Asia/Singapore", "1981-12-31T23+07:30", "1981-12-31T15:30:00", "16:00:00"),
        # 44 min 30 s behind
        ("hour", "Africa/Monrovia", "1972-01-01T00-00:44:30", "1972-01-01T00:44:30", "01:44:30"),
        ("hour", "Africa/Monrovia", "1972-01-06T23-00:44:30", "1972-01-06T23:44:30", "00:44:30"),
        ("hour", "Asia/Kathmandu", "2024-09-03T10+05:45", "2024-09-03T04:15:00", "05:15:00"),
        ("day", "America/St_Johns", "2010-11-06", "2010-11-06T02:30:00", "02:30:00"),
        ("day", "Pacific/Apia", "2011-12-29", "2011-12-29T10:00:00", "10:00:00"),
        ("day", "Pacific/Apia", "2011-12-31", "2011-12-30T10:00:00", "10:00:00"),
    ],
)
def test_a_period_is_found_by_its_label_and_by_each_of_its_instants(
    unit: Unit, zone: str, label: str, start: str, end: str
) -> None:
    first = instant(f"{start}Z")
    last = instant(f"{start[:11]}{end}Z")
    last += 86_400_000 if last <= first else 0
    expected = Interval(label, first, last)
    found = Calendar(unit, zone).from_label(label)
    assert found == expected
    assert [bound.__class__ for bound in found[1:]] == [int, int]
    for at in (first, first + 1, (first + last) // 2, last - 60_000, last - 1):
        assert Calendar(unit, zone).interval(at) == expected
    for outside in (first - 1, last):
        assert Calendar(unit, zone).interval(outside) != expected


def test_a_new_day_stays_when_the_clock_falls_back_over_its_midnight() -> None:
    for minute in range(30, 60):  # the clock shows the 6th from 02:31Z to 03:30Z
        found = Calendar("day", "America/St_Johns").interval(instant(f"2010-11-07T02:{minute}Z"))
        assert found.label == "2010-11-07"
        assert found.start_ms == instant("2010-11-07T02:30Z")
        assert found.end_ms == instant("2010-11-08T03:30Z")


@pytest.mark.parametrize(
    ("zone", "at"), [("Asia/Kolkata", "0001-01-01T00:00Z"), ("UTC", "9999-12-31T23:00Z")]
)
def test_an_hour_that_begins_or_ends_beyond_the_years_is_rejected(zone: str, at: str) -> None:
    with pytest.raises(Reject) as refused:
        Calendar("hour", zone).interval(instant(at))
    assert refused.value.reason == "not_an_instant"
