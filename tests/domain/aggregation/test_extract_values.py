"""Which values a record gives to be folded."""

from decimal import Decimal
from hashlib import blake2b
from typing import Any

import pytest

from domain.aggregation.extract import (
    Input,
    inputs_of,
    number_paths,
    paths_of,
    record_tests,
)
from tests.domain.aggregation.extracting import (
    COUNT,
    ENDS,
    FILTER,
    MONTH,
    ZONED,
    document,
    extracted,
)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("5", 5),
        ("-5", -5),
        ('"5"', 5),
        ("0.1", Decimal("0.1")),
        ('"1.50"', Decimal("1.50")),
        ("null", None),
        (str(2**63 - 1), 2**63 - 1),
        (str(2**63), Decimal(2**63)),
        (str(1 - 2**63), 1 - 2**63),
        (str(-(2**63)), Decimal(-(2**63))),
        (f'"{2**63 - 1}"', 2**63 - 1),
        (f'"{2**63}"', Decimal(2**63)),
        (f'"{1 - 2**63}"', 1 - 2**63),
        (f'"{-(2**63)}"', Decimal(-(2**63))),
        (str(2**80), Decimal(2**80)),
    ],
)
def test_a_number_is_exact_and_what_messagepack_can_hold(text: str, number: Any) -> None:
    of = document([{"field": "x", "operation": "sum"}])
    ((_, (found,)),) = extracted(of, f'{{"account":"a","x":{text}}}'.encode())
    assert found == number
    assert found.__class__ is number.__class__


@pytest.mark.parametrize("text", ["true", '"x"', '""', '" 1"', "{}", "[1]", "1e1001", "9" * 1001])
def test_what_is_no_number_is_refused_with_its_field(text: str) -> None:
    of = document([{"field": "x", "operation": "max"}])
    ((reason, detail),) = extracted(of, f'{{"account":"a","x":{text}}}'.encode())
    assert reason == "not_a_number"
    assert detail.startswith("x: ")


def test_values_are_taken_as_their_operations_want_them() -> None:
    of = document(
        [
            {"field": "x", "operation": "sum"},
            {"field": "x", "operation": "max"},
            {"field": "x", "operation": "count"},
            {"field": "cell", "operation": "carry_last"},
            {"field": "at", "operation": "date_max"},
            {"field": "user", "operation": "unique_count"},
            *COUNT,
        ],
        event_time="when", event_id="id", flush=ENDS,
    )  # fmt: skip
    text = (
        b'{"account":"a","x":5,"cell":{ "a": 1.50 },"at":"1970-01-01T00:00:01.5009Z","user":"u",'
        b'"when":"1970-01-01T00:00:02Z","ends":"1970-01-01T00:00:03Z","id":7}'
    )
    (full, empty, nulls) = extracted(
        of, text, {"account": "a", "id": "7"},
        {"account": "a", "id": True, "x": None, "cell": None, "at": None, "user": None,
         "when": None, "ends": None},
    )  # fmt: skip

    def hashed(text: bytes, size: int) -> bytes:
        return blake2b(text, digest_size=size).digest()

    user = int.from_bytes(hashed(b'"u"', 8), "big")
    assert full[1] == (5, True, b'{ "a": 1.50 }', 1_500, user, 2_000, 3_000, hashed(b"7", 16))
    assert empty[1] == (None, False, None, None, None, None, None, hashed(b'"7"', 16))
    assert nulls[1] == (None, False, None, None, None, None, None, hashed(b"true", 16))


@pytest.mark.parametrize(
    ("ends", "due"),
    [("soon", None), (5, None), ([], None), (True, None), ("1970-01-01T00:00:01Z", 1_000)],
)
def test_an_unreadable_timeout_is_as_none(ends: Any, due: int | None) -> None:
    assert extracted(document(flush=ENDS), {"account": "a", "ends": ends}) == [(b'["a"]', (due,))]


@pytest.mark.parametrize(
    "changes",
    [
        {"event_time": "at"},
        {"aggregate": [{"field": "at", "operation": "date_min"}]},
    ],
)
@pytest.mark.parametrize("at", ["2024-09-01", 5, [], True])
def test_an_unreadable_instant_is_refused(changes: dict[str, Any], at: Any) -> None:
    refusal = "not_an_instant", "at is no ISO 8601 date and time"
    of = document(**{"aggregate": COUNT, **changes})
    assert extracted(of, {"account": "a", "at": at}) == [refusal]


def test_a_distinct_value_that_can_not_be_read_is_refused_with_its_field() -> None:
    of = document([{"field": "x", "operation": "unique_count"}])
    ((reason, detail),) = extracted(of, b'{"account":"a","x":1e2000}')
    assert reason == "not_a_number"
    assert detail.startswith("x: ")


@pytest.mark.parametrize("event", [{}, {"id": None}, {"id": []}, {"id": {}}])
def test_a_record_without_an_event_id_is_refused(event: dict[str, Any]) -> None:
    refusal = "missing_event_id", "id is absent, null or not a single value"
    assert extracted(document(event_id="id"), {"account": "a", **event}) == [refusal]


@pytest.mark.parametrize(
    ("event", "text"),
    [("x", b'"x"'), (5, b"5"), (False, b"false"), (0, b"0"), ("", b'""'), (0.5, b"0.5")],
)
def test_an_event_id_is_any_single_value(event: Any, text: bytes) -> None:
    hashed = blake2b(text, digest_size=16).digest()
    found = extracted(document(event_id="id"), {"account": "a", "id": event})
    assert found == [(b'["a"]', (hashed,))]


def test_of_a_cloud_event_the_source_and_the_id_are_the_event_id() -> None:
    cloud = {"specversion": "1.0", "id": "1", "source": "/x", "type": "t"}
    hashed = blake2b(b'"/x\\u00001"', digest_size=16).digest()
    found = extracted(
        document(event_id="id"),
        {**cloud, "data": {"account": "a"}},
        {**cloud, "data": {"account": "a", "id": "other"}},
        {"account": "a", "id": "other"},
    )
    other = blake2b(b'"other"', digest_size=16).digest()
    assert [values for _, values in found] == [(hashed,), (hashed,), (other,)]


CONDITIONS = {
    "all": [
        {"field": "record.x", "op": ">", "value": 5},
        {"field": "account", "op": "==", "value": "a"},
        {"not": {"field": "record.gone", "op": "exists"}},
        {"field": "count", "op": ">", "value": 1},
    ]
}
BY_CONDITION = {
    "by": "timeout", "timeout": {"duration": {"hours": 1}}, "conditions": CONDITIONS,
}  # fmt: skip


def test_conditions_on_the_record_are_decided_with_its_values() -> None:
    of = document(flush=BY_CONDITION)
    assert [compare.field for compare in record_tests(of)] == ["record.x", "account", "record.gone"]
    assert extracted(
        of, {"account": "a", "x": 6}, {"account": "b", "x": 5}, {"account": "a", "gone": 0}
    ) == [
        (b'["a"]', (True, True, False)), (b'["b"]', (False, False, False)),
        (b'["a"]', (False, True, True)),
    ]  # fmt: skip
    assert record_tests(document()) == []


ALL = document(
    [
        {"field": "x", "operation": "sum"},
        {"field": "x", "operation": "count"},
        {"field": "y", "operation": "min"},
        {"field": "z", "operation": "count"},
        {"field": "cell", "operation": "carry_first"},
        {"field": "id", "operation": "carry_last"},
        {"field": "account", "operation": "max"},
    ],
    filter=FILTER, group={"fields": ["account"], "periods": [MONTH, ZONED]},
    keyed_by=["account"], event_time="when", event_id="id",
    flush={**ENDS, "conditions": {"field": "record.y", "op": ">", "value": 1}},
)  # fmt: skip


def test_what_is_asked_of_a_record_is_told_once() -> None:
    kinds = [(item.kind, item.field) for item in inputs_of(ALL)]
    assert kinds == [
        ("number", "x"), ("present", "x"), ("number", "y"), ("present", "z"), ("raw", "cell"),
        ("raw", "id"), ("number", "account"), ("event_time", "when"), ("due", "ends"),
        ("event_id", "id"), ("test", "record.y"),
    ]  # fmt: skip
    assert paths_of(ALL) == {
        "x": "any", "y": "any", "z": "any", "cell": "raw", "id": "any", "account": "any",
        "when": "any", "ends": "any", "type": "any", "at": "any", "until": "any", "zone": "any",
    }  # fmt: skip
    twice = document([{"field": "x", "operation": op} for op in ("sum", "max", "average")])
    assert inputs_of(twice) == (Input("number", "x"),)


def test_only_numbers_are_asked_of_some_paths() -> None:
    assert number_paths(ALL) == {"x"}  # y is tested too, account is a group value
    assert number_paths(document()) == set()


def test_a_field_may_be_within_an_object_named_record() -> None:
    summed, carried, counted = (
        {"field": "record.x", "operation": operation}
        for operation in ("sum", "carry_last", "count")
    )
    assert paths_of(document([summed])) == {"record.x": "any", "account": "any"}
    assert paths_of(document([carried])) == {"record.x": "raw", "account": "any"}
    assert number_paths(document([summed, counted])) == {"record.x"}
    assert number_paths(document([summed, carried])) == set()  # what is carried is kept as it came


def test_what_is_read_by_paths_is_raw_only_if_nothing_else_is_wanted() -> None:
    for order in (1, -1):
        of = document(
            [{"field": "x", "operation": "carry_last"}, {"field": "x", "operation": "count"}][
                ::order
            ]
        )
        assert paths_of(of) == {"x": "any", "account": "any"}
