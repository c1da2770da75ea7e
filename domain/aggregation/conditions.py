"""Conditions and filters as Python expressions over the values that a compiled rule has at hand."""

import operator
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from domain.aggregation.document import All, Any_, Compare, Condition, Not
from domain.aggregation.instants import parse_instant

Predicate = Callable[[Any], bool]
_ORDER = {">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le}


def same(left: Any, right: Any) -> bool:
    """Equality of JSON values that keeps types: 1 and 1.0 are equal; 1, "1" and true are not."""
    number = (int, Decimal)
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, number) and isinstance(right, number):
        return bool(left == right)
    return type(left) is type(right) and bool(left == right)


def predicate(compare: Compare, *, epoch: bool = False) -> Predicate:
    """The test that `compare` makes of one value; an absent or null value passes no test.

    `epoch`: the values are instants already, as epoch milliseconds. In a record a number is none.
    """
    wanted: Any = compare.value
    if compare.op == "exists":
        return lambda value: value is not None
    if compare.op in _ORDER:
        order = _ORDER[compare.op]
        if compare.kind == "instant":

            def instants(value: Any) -> bool:
                found = value if epoch else parse_instant(value)
                return found is not None and order(found, wanted)

            return instants
        return lambda value: (
            isinstance(value, int | Decimal)
            and not isinstance(value, bool)
            and order(value, wanted)
        )
    if compare.kind == "instant":
        return _same_instant(compare)
    tests: dict[str, Predicate] = {
        "==": lambda value: value is not None and same(value, wanted),
        "!=": lambda value: value is not None and not same(value, wanted),
        "in": lambda value: value is not None and any(same(value, item) for item in wanted),
        "not_in": lambda value: value is not None and not any(same(value, item) for item in wanted),
        "contains": lambda value: (
            any(same(item, wanted) for item in value)
            if isinstance(value, list)
            else isinstance(value, str) and isinstance(wanted, str) and wanted in value
        ),
        "starts_with": lambda value: isinstance(value, str) and value.startswith(wanted),
    }
    return tests[compare.op]


def _same_instant(compare: Compare) -> Predicate:
    """Equality with an instant, however its text is written."""
    wanted = set(compare.value) if isinstance(compare.value, list | tuple) else {compare.value}
    equal = compare.op in ("==", "in")

    def test(value: Any) -> bool:
        if value is None:
            return False
        found = parse_instant(value) if isinstance(value, str) else value
        return (found in wanted) is equal

    return test


def expression(condition: Condition, leaf: Callable[[Compare], str]) -> str:
    """The condition as a Python expression, every comparison in it as `leaf` writes it."""
    if isinstance(condition, Compare):
        return leaf(condition)
    if isinstance(condition, Not):
        return f"(not {expression(condition.item, leaf)})"
    joined = {All: " and ", Any_: " or "}[type(condition)].join(
        expression(item, leaf) for item in condition.items
    )
    return f"({joined})"


def fields(condition: Condition) -> list[str]:
    """Every field that the condition names, in order."""
    if isinstance(condition, Compare):
        return [condition.field]
    items = [condition.item] if isinstance(condition, Not) else condition.items
    return [name for item in items for name in fields(item)]


def text(condition: Condition) -> str:
    """The condition in words, as `explain.rule` shows it."""
    if isinstance(condition, Compare):
        return f"{condition.field} {condition.op}" + (
            "" if condition.op == "exists" else f" {condition.value}"
        )
    if isinstance(condition, Not):
        return f"not ({text(condition.item)})"
    word = " and " if isinstance(condition, All) else " or "
    return word.join(
        text(item) if isinstance(item, Compare) else f"({text(item)})" for item in condition.items
    )
