"""The operations of an aggregator: what each takes from a record, how it folds, what it prints.

A new operation is one entry of OPERATIONS. Its `step` is Python source, because a document is
compiled once into one fold function (see `fold.py`): `{v}` is the value taken from the record,
`{a}` (`{b}`, `{c}`) its accumulators, `{t}` the event time if the document has one, `{w}` that or
the broker timestamp. It may call what is in NAMES. Accumulators start as None (the second one of
`average` as 0) and hold what MessagePack can hold, decimals as text at rest; one that is something
else while records are folded is put into a row by the expression `rest`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

import msgspec

from domain.aggregation import deviation, distinct
from domain.aggregation.document import Operation
from domain.aggregation.instants import print_instant
from domain.aggregation.numbers import EXACT, Number, average

Takes = Literal["number", "present", "raw", "instant", "distinct"]


def plus(total: Number | None, value: Number | None) -> Number | None:
    """The exact sum; None is the empty sum."""
    if total is None:
        return value
    if value is None:
        return total
    if total.__class__ is int and value.__class__ is int:
        return total + value
    return EXACT.add(total, value)


def minus(total: Number | None, value: Number | None) -> Number:
    """The exact difference; None counts as 0."""
    if value is None:
        return 0 if total is None else total
    if total is None:
        total = 0
    if total.__class__ is int and value.__class__ is int:
        return total - value
    return EXACT.subtract(total, value)


ADD = """\
if kind is int and {a}.__class__ is int: {a} += {v}
elif kind is Decimal and {a} is not None: {a} = add({a}, {v})
else: {a} = plus({a}, {v})
"""


@dataclass(frozen=True)
class Rule:
    """How one operation works. `takes` says what the record must offer; `result` turns accumulators
    into a value, `parts` into what flushes are combined by. `compared`: a condition compares the
    accumulator itself, which is an `instant` in epoch milliseconds or a number.
    """

    takes: Takes
    step: str
    result: Callable[[list[Any], Operation], Any]
    slots: int = 1
    compared: bool = False
    instant: bool = False
    rest: str = "{a}"
    parts: Callable[[list[Any]], dict[str, Any]] | None = None
    estimate: Callable[[list[Any]], bool] | None = None
    """Whether the result is an estimate, if it can be."""
    additive: bool = False
    """Whether accumulators of opposite sign take a record back."""
    bulky: bool = False
    """Whether `parts` are too much for what only lists open sessions."""


def _first(slots: list[Any], _: Operation) -> Any:
    return slots[0]


def _average(slots: list[Any], operation: Operation) -> Any:
    return average(slots[0], slots[1], operation.scale) if slots[1] else None


def _average_parts(slots: list[Any]) -> dict[str, Any]:
    return {"sum": slots[0], "n": slots[1] or 0}


def _stddev(slots: list[Any], operation: Operation) -> Any:
    return deviation.deviation(slots[0], slots[1], slots[2], operation.scale) if slots[0] else None


def _carried(slots: list[Any], _: Operation) -> Any:
    return None if slots[0] is None else exact_json(slots[0][1])


def _instant(slots: list[Any], _: Operation) -> Any:
    return None if slots[0] is None else print_instant(slots[0])


def _carried_parts(slots: list[Any]) -> dict[str, Any]:
    return {"at": None if slots[0] is None else print_instant(slots[0][0])}


NAMES: dict[str, Any] = {
    "add": EXACT.add,
    "plus": plus,
    "minus": minus,
    "plus_square": deviation.plus_square,
    "noted": distinct.noted,
    "at_rest": distinct.at_rest,
}
"""What steps may call."""

OPERATIONS: dict[str, Rule] = {
    "sum": Rule("number", ADD, _first, compared=True, additive=True),
    "max": Rule(
        "number",
        "if {a} is None or {v} > {a}: {a} = {v}\n",
        _first,
        compared=True,
    ),
    "min": Rule(
        "number",
        "if {a} is None or {v} < {a}: {a} = {v}\n",
        _first,
        compared=True,
    ),
    "average": Rule(
        "number",
        ADD + "{b} = ({b} or 0) + 1\n",
        _average,
        slots=2,
        parts=_average_parts,
        additive=True,
    ),
    "count": Rule(
        "present", "{a} = ({a} or 0) + 1\n", lambda slots, _: slots[0] or 0, additive=True
    ),
    "carry_first": Rule("raw", "if {a} is None or {t} < {a}[0]: {a} = [{t}, {v}]\n", _carried),
    "carry_last": Rule("raw", "if {a} is None or {t} >= {a}[0]: {a} = [{t}, {v}]\n", _carried),
    "date_max": Rule(
        "instant",
        "if {a} is None or {v} > {a}: {a} = {v}\n",
        _instant,
        compared=True,
        instant=True,
    ),
    "date_min": Rule(
        "instant",
        "if {a} is None or {v} < {a}: {a} = {v}\n",
        _instant,
        compared=True,
        instant=True,
    ),
    "stddev": Rule(
        "number",
        "{a} = ({a} or 0) + 1\n" + ADD.replace("{a}", "{b}") + "{c} = plus_square({c}, {v})\n",
        _stddev,
        slots=3,
        parts=deviation.parts_of,
        additive=True,
    ),
    "unique_count": Rule(
        "distinct",
        "if {a}.__class__ is not dict or {v} not in {a}: {a} = noted({a}, {v})\n",
        lambda slots, _: distinct.unique(slots[0]),
        rest="at_rest({a})",
        parts=lambda slots: distinct.parts_of(slots[0]),
        estimate=lambda slots: distinct.is_estimate(slots[0]),
        bulky=True,
    ),
    "first": Rule(
        "raw",
        "if {a} is None or {w} < {a}[0]: {a} = [{w}, {v}]\n",
        _carried,
        parts=_carried_parts,
    ),
    "last": Rule(
        "raw",
        "if {a} is None or {w} >= {a}[0]: {a} = [{w}, {v}]\n",
        _carried,
        parts=_carried_parts,
    ),
}

_decoder = msgspec.json.Decoder(float_hook=Decimal)


def exact_json(text: bytes) -> Any:
    """A JSON value with its numbers exact (int or Decimal).

    For text that was let in before. The limits of records don't hold here: a key prints 1E-1000
    with more digits than a record may have.
    """
    return _decoder.decode(text)
