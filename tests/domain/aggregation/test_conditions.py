"""What each comparison says of a value, alone and joined: types are kept, what is absent passes
nothing.
"""

from decimal import Decimal
from typing import Any

import pytest

from domain.aggregation.conditions import expression, fields, predicate, same, text
from domain.aggregation.document import All, Any_, Compare, Condition, Not

NOON = 1_704_110_400_000  # 2024-01-01T12:00:00Z
NOON_TEXT, NOON_ABROAD = "2024-01-01T12:00:00Z", "2024-01-01T14:00:00+02:00"
LATER_TEXT = "2024-01-01T12:00:00.001Z"


def passes(op: Any, wanted: object, value: Any, kind: Any = "any", *, epoch: bool = False) -> bool:
    return predicate(Compare("x", op, wanted, kind), epoch=epoch)(value)


@pytest.mark.parametrize(
    ("left", "right", "equal"),
    [
        (1, Decimal("1.0"), True),
        (Decimal("1.5"), Decimal("1.50"), True),
        (1, 2, False),
        (1, "1", False),
        ("1", Decimal(1), False),
        (1, True, False),
        (True, 1, False),
        (False, 0, False),
        (True, True, True),
        (True, False, False),
        ("a", "a", True),
        ("a", "b", False),
        ([1], [1], True),
        ([1], "a", False),
    ],
)
def test_equality_keeps_types(left: Any, right: Any, equal: bool) -> None:
    assert same(left, right) is equal
    assert passes("==", right, left) is equal
    assert passes("!=", right, left) is (not equal)
    assert passes("in", ("other", right), left) is equal
    assert passes("not_in", ("other", right), left) is (not equal)
    assert passes("contains", right, ["other", left]) is equal


@pytest.mark.parametrize(
    "op", ["exists", "==", "!=", "in", "not_in", "contains", "starts_with", ">", ">=", "<", "<="]
)
@pytest.mark.parametrize("kind", ["any", "number", "instant"])
def test_what_is_absent_passes_no_test(op: str, kind: str) -> None:
    wanted: Any = {"in": (1,), "not_in": (1,), "contains": "a", "starts_with": "a"}.get(op, 1)
    if kind == "any" or op not in ("exists", "contains", "starts_with"):
        assert not passes(op, wanted, None, kind)
        assert not passes(op, wanted, None, kind, epoch=True)


def test_exists_is_all_that_is_not_null() -> None:
    values: list[Any] = [0, "", False, [], {}]
    assert all(passes("exists", None, value, None) for value in values)


@pytest.mark.parametrize(
    ("op", "found"),
    [
        (">", (False, False, True)),
        (">=", (False, True, True)),
        ("<", (True, False, False)),
        ("<=", (True, True, False)),
        ("==", (False, True, False)),
        ("!=", (True, False, True)),
    ],
)
def test_order_of_numbers_and_of_instants(op: str, found: tuple[bool, ...]) -> None:
    values = 1, Decimal("2.0"), Decimal("2.001")
    assert tuple(passes(op, 2, value, "number") for value in values) == found
    instants = "2024-01-01T11:59:59.999Z", NOON_ABROAD, LATER_TEXT
    assert tuple(passes(op, NOON, value, "instant") for value in instants) == found
    results = NOON - 1, NOON, NOON + 1
    assert tuple(passes(op, NOON, value, "instant", epoch=True) for value in results) == found


@pytest.mark.parametrize("value", ["3", True, [3], {"a": 3}])
def test_what_is_no_number_is_in_no_order(value: Any) -> None:
    assert not any(passes(op, 0, value, "number") for op in (">", ">=", "<", "<="))
    assert not any(passes(op, 9, value, "number") for op in (">", ">=", "<", "<="))


@pytest.mark.parametrize("value", ["noon", 3, True, [NOON_TEXT]])
def test_what_is_no_instant_is_in_no_order(value: Any) -> None:
    assert not any(passes(op, 0, value, "instant") for op in (">", ">=", "<", "<="))


def test_an_instant_equals_however_it_is_written() -> None:
    assert passes("in", (NOON, 5), NOON_ABROAD, "instant")
    assert not passes("in", (NOON, 5), LATER_TEXT, "instant")
    assert not passes("not_in", (NOON, 5), NOON_TEXT, "instant")
    assert passes("not_in", [NOON, 5], LATER_TEXT, "instant")
    assert passes("in", [NOON], NOON, "instant", epoch=True)


def test_text_contains_and_starts() -> None:
    assert passes("contains", "el", "cell")
    assert not passes("contains", "x", "cell")
    assert not passes("contains", 1, "1")
    assert not passes("contains", "1", 1)
    assert passes("starts_with", "ce", "cell")
    assert not passes("starts_with", "el", "cell")
    assert not passes("starts_with", "1", 1)


A, B, C = (Compare(name, "==", number, "any") for number, name in enumerate("abc"))
JOINED = All((A, Any_((B, Not(C)))))


@pytest.mark.parametrize("a", [True, False])
@pytest.mark.parametrize("b", [True, False])
@pytest.mark.parametrize("c", [True, False])
def test_joined_they_are_what_logic_says(a: bool, b: bool, c: bool) -> None:
    def says(condition: Condition) -> bool:
        return bool(eval(expression(condition, lambda leaf: leaf.field), {"a": a, "b": b, "c": c}))

    assert says(JOINED) is (a and (b or not c))
    assert says(Any_((All((A, B)), C))) is ((a and b) or c)
    assert says(Not(Any_((A, B)))) is not (a or b)


def test_fields_and_words_are_in_order() -> None:
    assert fields(JOINED) == ["a", "b", "c"]
    assert text(JOINED) == "a == 0 and (b == 1 or (not (c == 2)))"
    assert text(Any_((All((A, B)), C))) == "(a == 0 and b == 1) or c == 2"
    assert text(Compare("a", "exists", None, None)) == "a exists"
