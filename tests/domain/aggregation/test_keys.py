"""Which keys a search by group values looks at."""

from typing import Any

import pytest

from config.documents.aggregator import load_aggregator
from domain.aggregation.keys import candidates, matches, places, search, searches, within
from domain.aggregation.rule import Rule, compile_rule
from tests.app.facade.house import aggregator


def rule(fields: list[str], *periods: dict[str, Any], version: int = 1) -> Rule:
    group = {"fields": fields, "periods": list(periods)}
    return compile_rule(load_aggregator(aggregator(group=group)), version)


DAY = {"field": "at", "period": "day", "timezone": "UTC"}
ZONED = {"field": "at", "period": "day", "timezone_field": "zone"}


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("x", [b'"x"']),
        ("5", [b'"5"', b"5"]),
        ("-0.5", [b'"-0.5"', b"-0.5"]),
        ("1.0", [b'"1.0"']),  # the number 1 prints as 1
        ("true", [b'"true"', b"true"]),
        ("false", [b'"false"', b"false"]),
        ("FALSE", [b'"FALSE"']),
        ("null", [b'"null"', b"null"]),
        ('a"b', [b'"a\\"b"']),
    ],
)
def test_a_text_stands_for_itself_and_for_the_json_that_it_is(
    text: str, values: list[bytes]
) -> None:
    assert list(candidates(text)) == values


def test_all_values_make_single_keys() -> None:
    of = rule(["a", "b"])
    found = search(of, {"a": "x", "b": "5"})
    assert found is not None
    keys = [first.removeprefix(of.prefix) for first, _ in found.ranges]
    assert keys == [b'["x","5"]', b'["x",5]']
    assert [end for _, end in found.ranges] == [first + b"\0" for first, _ in found.ranges]
    assert found.tests == ()


def test_leading_values_make_a_range_and_the_rest_is_tested() -> None:
    of = rule(["a", "b", "c"])
    found = search(of, {"a": "x", "c": "z"})
    assert found is not None
    assert found.ranges == (within(of.prefix + b'["x",'),)
    assert found.tests == ((2, (b'"z"',)),)
    assert matches(b'["x",1,"z"]', found.tests)
    assert not matches(b'["x","z",1]', found.tests)


def test_a_period_is_found_by_its_label_and_its_zone_is_left_open() -> None:
    of = rule(["a"], ZONED)
    assert places(of) == ["a", "at", ""]
    found = search(of, {"a": "x", "at": "2025-01-01"})
    assert found is not None
    assert found.ranges == (within(of.prefix + b'["x","2025-01-01",'),)


def test_a_field_that_the_specification_lacks_finds_nothing() -> None:
    assert search(rule(["a"]), {"b": "x"}) is None
    assert search(rule(["a"], ZONED), {"": "UTC"}) is None


def test_each_group_specification_is_looked_at_once() -> None:
    versions = [rule(["a"]), rule(["a"], version=2), rule(["a"], DAY, version=3)]
    assert len(searches(versions, {})) == 2
    assert len(searches(versions, {"at": "2025-01-01"})) == 1


@pytest.mark.parametrize("prefix", [b"a", b"a\xff", b"\xff\xff", b""])
def test_a_range_holds_what_begins_with_its_prefix_and_nothing_else(prefix: bytes) -> None:
    first, end = within(prefix)
    for inside in (prefix, prefix + b"\0", prefix + b"z\xff"):
        assert first <= inside < end
    if prefix == b"a":
        assert not first <= b"b" < end


def test_a_range_ends_before_the_next_prefix() -> None:
    assert within(b"a") == (b"a", b"b")
    assert within(b"aX") == (b"aX", b"aY")
    assert within(b"a\xff") == (b"a\xff", b"b")


def test_a_key_has_to_have_each_value_that_is_tested() -> None:
    assert matches(b'["x"]', ())
    assert matches(b'["x"]', ((0, (b"1", b'"x"')),))
    assert not matches(b'["x"]', ((1, (b'"x"',)),))
    assert not matches(b'["x"]', ((0, (b'"x"',)), (1, (b'"x"',))))
