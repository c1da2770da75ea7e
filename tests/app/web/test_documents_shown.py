"""Documents as people read them."""

from decimal import Decimal

import pytest
import yaml

from app.web.documents_shown import fires_of, group_fields, yaml_of
from config.documents.reading import parse_documents
from domain.aggregation.instants import parse_instant
from tests.app.web import made


def fires(at: str, every: dict[str, object], now: str) -> list[tuple[str, str]]:
    """(wall clock, note) of the next 12 fires."""
    frequency = {"at": at, "timezone": "Europe/Stockholm", **every}
    body = {**made.NIGHTLY, "flush": {"by": "timeout", "timeout": {"frequency": frequency}}}
    now_ms = parse_instant(now)
    assert now_ms is not None
    found = fires_of(body, now_ms)
    assert found is not None
    return [(fire.wall, fire.note) for fire in found.fires]


def test_a_schedule_fires_twelve_times() -> None:
    found = fires("12:00", {"every": "month", "day": 31}, "2026-01-15T00:00:00Z")
    assert len(found) == 12
    assert [wall for wall, _ in found][:2] == ["Sat 2026-01-31 12:00", "Sat 2026-02-28 12:00"]


def test_a_time_that_daylight_saving_skips_is_marked() -> None:
    found = fires("02:30", {"every": "day"}, "2026-03-27T12:00:00Z")
    assert found[1] == ("Sun 2026-03-29 03:00", "02:30 is skipped that day: clocks go forward")
    assert [note for _, note in found[:1] + found[2:]] == [""] * 11


def test_a_time_that_comes_twice_is_marked() -> None:
    found = fires("02:30", {"every": "day"}, "2026-10-23T12:00:00Z")
    assert found[1] == ("Sun 2026-10-25 02:30", "02:30 comes twice that day: fires the first time")
    assert found[2] == ("Mon 2026-10-26 02:30", "clocks have gone back 1 h")


def test_an_aggregator_without_a_schedule_has_no_fires() -> None:
    assert fires_of(made.DATA, made.NOW_MS) is None
    assert fires_of({"kind": "unheard of"}, made.NOW_MS) is None


def test_group_fields_are_followed_by_those_of_periods() -> None:
    assert group_fields(made.DATA) == ["account", "product.code", "timestamp"]


@pytest.mark.parametrize("body", [made.DATA, made.NIGHTLY])
def test_yaml_means_the_same_when_it_is_read_again(body: dict[str, object]) -> None:
    assert parse_documents(yaml_of(body), "shown")[0][0] == body


def test_numbers_are_numbers_in_yaml() -> None:
    text = yaml_of({"a": Decimal("0.10"), "b": "12:00", "c": "1"})
    assert yaml.safe_load(text) == {"a": 0.1, "b": "12:00", "c": "1"}
