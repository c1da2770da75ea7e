"""The operations of an aggregator: what each takes from a record, how it folds, what it prints.

A new operation is one entry of OPERATIONS. Its `step` is Python source, because a document is
compiled once into one fold function (see `fold.py`): `{v}` is the value taken from the record,
`{a}` (and `{b}`) its accumulators, `{t}` the event time. Accumulators start as None (the second one
of `average` as 0) and hold what MessagePack can hold, decimals as text at rest.
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

import msgspec

from domain.aggregation.document import Operation
from domain.aggregation.instants import print_instant
from domain.aggregation.numbers import EXACT, Number, average

Takes = Literal["number", "present", "raw", "instant"]


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
    into a value.
    """

    takes: Takes
    step: str
    result: Callable[[list[Any], Operation], Any]
    slots: int = 1
    numeric: bool = False
    instant: bool = False


def _first(slots: list[Any], _: Operation) -> Any:
    return slots[0]


def _average(slots: list[Any], operation: Operation) -> Any:
    return average(slots[0], slots[1], operation.scale) if slots[1] else None


def _carried(slots: list[Any], _: Operation) -> Any:
    return None if slots[0] is None else exact_json(slots[0][1])


def _instant(slots: list[Any], _: Operation) -> Any:
    return None if slots[0] is None else print_instant(slots[0])


OPERATIONS: dict[str, Rule] = {
    "sum": Rule("number", ADD, _first, numeric=True),
    "max": Rule(
        "number",
        "if {a} is None or {v} > {a}: {a} = {v}\n",
        _first,
        numeric=True,
    ),
    "min": Rule(
        "number",
        "if {a} is None or {v} < {a}: {a} = {v}\n",
        _first,
        numeric=True,
    ),
    "average": Rule(
        "number",
        ADD + "{b} = ({b} or 0) + 1\n",
        _average,
        slots=2,
        numeric=True,
    ),
    "count": Rule(
        "present", "{a} = ({a} or 0) + 1\n", lambda slots, _: slots[0] or 0, numeric=True
    ),
    "carry_first": Rule("raw", "if {a} is None or {t} < {a}[0]: {a} = [{t}, {v}]\n", _carried),
    "carry_last": Rule("raw", "if {a} is None or {t} >= {a}[0]: {a} = [{t}, {v}]\n", _carried),
    "date_max": Rule(
        "instant",
        "if {a} is None or {v} > {a}: {a} = {v}\n",
        _instant,
        instant=True,
    ),
    "date_min": Rule(
        "instant",
        "if {a} is None or {v} < {a}: {a} = {v}\n",
        _instant,
        instant=True,
    ),
}

_decoder = msgspec.json.Decoder(float_hook=Decimal)


def exact_json(text: bytes) -> Any:
    """A JSON value with its numbers exact (int or Decimal).

    For text that was let in before. The limits of records don't hold here: a key prints 1E-1000
    with more digits than a record may have.
    """
    return _decoder.decode(text)
