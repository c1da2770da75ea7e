"""What a document says in words, and which of its versions and comparisons are the same."""

from decimal import Decimal
from typing import Any

import pytest

from domain.aggregation.document import (
    Aggregator,
    Compare,
    Flush,
    Group,
    Operation,
    PeriodSpec,
    Timeout,
    duration_text,
    result_name,
)
from domain.aggregation.schedule import Frequency

HOUR_MS = 3_600_000


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (1, "1s"),
        (59, "59s"),
        (60, "1m"),
        (3600, "1h"),
        (86_400, "1d"),
        (90_061, "1d 1h 1m 1s"),
        (95_400, "1d 2h 30m"),
        (10 * 86_400 + 5, "10d 5s"),
        (0, "0s"),
    ],
)
def test_a_duration_is_told_by_its_largest_units(seconds: int, text: str) -> None:
    assert duration_text(seconds * 1000) == text


@pytest.mark.parametrize(
    ("timeout", "text"),
    [
        (Timeout("duration", duration_ms=HOUR_MS), "duration 1h"),
        (
            Timeout("frequency", frequency=Frequency("month", 0, 10, "UTC")),
            "every month day 10 at 00:00 UTC",
        ),
        (Timeout("timestamp_field", field="ends"), "timestamp_field ends"),
        (
            Timeout("timestamp_field", field="ends", default_timeout_ms=HOUR_MS),
            "timestamp_field ends",
        ),
    ],
)
def test_the_rule_of_a_timeout_in_words(timeout: Timeout, text: str) -> None:
    assert timeout.text() == text


@pytest.mark.parametrize(
    ("field", "operation", "name"),
    [("bytes", "sum", "sum_bytes"), ("a.b", "max", "max_a.b"), ("*", "count", "count")],
)
def test_a_result_is_named_by_operation_and_field(field: str, operation: str, name: str) -> None:
    assert result_name(field, operation) == name


def grouping(*fields: str, periods: tuple[PeriodSpec, ...] = (), **changes: Any) -> str:
    return Aggregator(
        name="acc", group=Group(fields, periods), flush=Flush("timeout"),
        aggregate=(Operation("*", "count", "count"),), **changes,
    ).group_spec()  # fmt: skip


def test_a_group_specification_is_its_fields_and_periods_in_order() -> None:
    day = PeriodSpec("at", "day")
    zoned = PeriodSpec("at", "day", None, "zone")
    assert grouping("a", "b") == '[["a","b"],[]]'
    assert grouping("a", periods=(day,)) == '[["a"],[["at","day","UTC",null]]]'
    assert grouping("a", periods=(zoned,)) == '[["a"],[["at","day",null,"zone"]]]'
    assert grouping("a", ttl_days=1) == grouping("a")


THIS = Compare("x", ">", 1, "number")


@pytest.mark.parametrize(
    "other", [Compare("x", ">", Decimal("1.0"), "number"), Compare("x", ">", 1, "number")]
)
def test_equal_comparisons(other: Compare) -> None:
    assert other == THIS
    assert hash(other) == hash(THIS)


@pytest.mark.parametrize(
    "other",
    [
        Compare("y", ">", 1, "number"),
        Compare("x", "<", 1, "number"),
        Compare("x", ">", 2, "number"),
        Compare("x", ">", 1, "instant"),
        Compare("x", ">", True, "number"),
        Compare("x", ">", "1", "number"),
        ("x", ">", "number", b"1"),
    ],
)
def test_different_comparisons(other: object) -> None:
    assert other != THIS
    assert other != THIS
    assert len({other, THIS}) == 2
