"""Events on `impression-events`."""

import json

import pytest

from domain.errors import Reject
from domain.impressions.events import ImpressionEvent, asked

LOAD = {"type": "load", "file": "s3://bucket/day.csv.gz"}


def test_a_load_is_read_with_its_date() -> None:
    found = asked(json.dumps({**LOAD, "date": "2025-11-03", "replace": True}).encode())
    assert found == ImpressionEvent("load", LOAD["file"], "2025-11-03", True)


@pytest.mark.parametrize("member", ["dat", "Date", "replaces"])
def test_a_member_that_there_is_not_is_named(member: str) -> None:
    with pytest.raises(Reject) as caught:
        asked(json.dumps({**LOAD, member: "2025-11-03"}).encode())
    assert caught.value.reason == "bad_event"
    assert repr(member) in caught.value.detail
    assert "date" in caught.value.detail


def test_the_products_own_events_are_passed_over_whatever_they_hold() -> None:
    assert asked(b'{"type": "progress", "done": 1, "more": 2}') is None
