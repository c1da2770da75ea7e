"""Buckets and what they are laid over, by calendar."""

from datetime import UTC, datetime
from itertools import pairwise

import pytest

from domain.aggregation.instants import parse_instant
from domain.metrics.grains import GRAINS, Grain, Overlay, bounds, buckets, earlier, text_of

ROME = "Europe/Rome"


def at(text: str) -> int:
    found = parse_instant(text)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("overlay", "grain", "start", "wanted"),
    [
        ("month", "day", "2023-03-31T00:00:00+02:00", "2023-02-28T00:00:00+01:00"),
        ("month", "day", "2024-03-31T00:00:00+01:00", "2024-02-29T00:00:00+01:00"),
        ("month", "day", "2024-05-31T00:00:00+02:00", "2024-04-30T00:00:00+02:00"),
        ("month", "day", "2024-01-15T00:00:00+01:00", "2023-12-15T00:00:00+01:00"),
        ("year", "day", "2024-02-29T00:00:00+01:00", "2023-02-28T00:00:00+01:00"),
        ("year", "day", "2025-02-28T00:00:00+01:00", "2024-02-28T00:00:00+01:00"),
        ("week", "day", "2024-04-03T00:00:00+02:00", "2024-03-27T00:00:00+01:00"),
        ("week", "hour", "2024-04-03T05:00:00+02:00", "2024-03-27T05:00:00+01:00"),
        ("week", "hour", "2024-04-07T02:00:00+02:00", "2024-03-31T03:00:00+02:00"),  # skipped
        ("week", "hour", "2024-11-03T02:00:00+01:00", "2024-10-27T02:00:00+01:00"),
        ("week", "week", "2021-01-04T00:00:00+01:00", "2020-12-28T00:00:00+01:00"),
        ("year", "week", "2020-12-28T00:00:00+01:00", "2019-12-23T00:00:00+01:00"),  # week 53
        ("year", "week", "2021-12-27T00:00:00+01:00", "2020-12-21T00:00:00+01:00"),  # week 52
        ("year", "month", "2024-02-01T00:00:00+01:00", "2023-02-01T00:00:00+01:00"),
        ("month", "month", "2024-03-01T00:00:00+01:00", "2024-02-01T00:00:00+01:00"),
        ("year", "quarter", "2024-04-01T00:00:00+02:00", "2023-04-01T00:00:00+02:00"),
        ("year", "year", "2024-01-01T00:00:00+01:00", "2023-01-01T00:00:00+01:00"),
    ],
)
def test_a_bucket_lies_over_the_one_of_the_calendar(
    overlay: Overlay, grain: Grain, start: str, wanted: str
) -> None:
    assert text_of(ROME, earlier(overlay, grain, ROME, at(start))) == wanted


@pytest.mark.parametrize("grain", GRAINS)
@pytest.mark.parametrize("zone", [ROME, "America/New_York", "Asia/Kathmandu", "Pacific/Apia"])
def test_buckets_follow_each_other_without_a_gap(grain: Grain, zone: str) -> None:
    found = buckets(grain, zone, at("2011-12-01T00:00Z"), at("2012-04-02T00:00Z"), 10_000)
    assert all(end == start for (_, end), (start, _) in pairwise(found))
    assert all(bounds(grain, zone, end - 1) == (start, end) for start, end in found)


def test_weeks_begin_on_monday_and_quarters_with_their_month() -> None:
    for start, _ in buckets("week", "UTC", at("2019-12-01T00:00Z"), at("2021-02-01T00:00Z"), 100):
        assert datetime.fromtimestamp(start / 1000, UTC).isocalendar()[2] == 1
    first = bounds("quarter", "UTC", at("2024-06-30T23:59Z"))
    assert [text_of("UTC", each) for each in first] == [
        "2024-04-01T00:00:00Z",
        "2024-07-01T00:00:00Z",
    ]


def test_an_instant_has_the_offset_of_its_zone() -> None:
    assert text_of("Asia/Kathmandu", 0) == "1970-01-01T05:30:00+05:30"
    assert text_of("America/New_York", 1) == "1969-12-31T19:00:00.001-05:00"
