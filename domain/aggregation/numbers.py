"""Exact decimal numbers: reading, adding up, printing.

A number is an `int`, or a `Decimal` when it was written with a point or an exponent; never a
`float`. Admitted are at most 1,000 digits and exponents within +-1,000, so a sum of 10^12 of them
lies between 10^2012 and steps of 10^-2000: `EXACT` is wide enough for all of it, and raises
instead of rounding should that ever not hold.
"""

from __future__ import annotations

import decimal
import re
from collections.abc import Sequence
from decimal import Decimal
from typing import TypeAlias

import msgspec

from domain.errors import Reject

Number: TypeAlias = int | Decimal

MAX_DIGITS = 1_000  # spec section 4; all written digits before an exponent count
MAX_EXPONENT = 1_000

EXACT = decimal.Context(
    prec=5_000,  # 4,012 needed, see above
    rounding=decimal.ROUND_HALF_EVEN,
    Emin=-20_000,
    Emax=20_000,
    traps=[
        decimal.Inexact,
        decimal.InvalidOperation,
        decimal.DivisionByZero,
        decimal.Overflow,
        decimal.Underflow,
        decimal.FloatOperation,
    ],
)

_GRAMMAR = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?(?:[eE]([+-]?[0-9]+))?")
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,30})").fullmatch
_INT_LIMIT = 10**MAX_DIGITS  # the first int with too many digits
_SHORT = 40  # characters up to which text without an exponent can't break a limit


class NotANumber:
    """A JSON number beyond the limits, as it was written. Equal when the text is."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, NotANumber) and other.text == self.text

    def __hash__(self) -> int:
        return hash(self.text)

    def __repr__(self) -> str:
        return f"NotANumber({_shortened(self.text)})"


def number_from_text(text: str) -> Number | None:
    """The number that `text` is by JSON's grammar, without blanks around it; else None.

    None too for more than 1,000 digits or an exponent beyond +-1,000. An int when there is
    neither point nor exponent.
    """
    if _INTEGER(text):  # the most frequent, and no groups to take out
        return int(text)
    match = _GRAMMAR.fullmatch(text)
    if match is None:
        return None
    fraction, exponent = match.groups()
    if exponent is None:
        if len(text) > MAX_DIGITS and _digits(text) > MAX_DIGITS:
            return None
        return int(text) if fraction is None else Decimal(text)
    # Leading zeros are JSON's grammar in an exponent: 1e0001000 is within the limit.
    if len(exponent.lstrip("+-0")) > 4 or abs(int(exponent)) > MAX_EXPONENT:
        return None
    if len(text) > MAX_DIGITS and _digits(re.split("[eE]", text)[0]) > MAX_DIGITS:
        return None
    return Decimal(text)


def float_hook(text: str) -> Number | NotANumber:
    """For `msgspec.json.Decoder(float_hook=...)`, which has checked the grammar already."""
    if len(text) < _SHORT and "e" not in text and "E" not in text:
        return Decimal(text)
    number = number_from_text(text)
    return NotANumber(text) if number is None else number


USUAL = decimal.Context(
    prec=90,
    Emin=-90,
    Emax=90,
    traps=[
        decimal.Inexact,
        decimal.Rounded,
        decimal.Subnormal,
        decimal.Clamped,
        decimal.Overflow,
        decimal.Underflow,
        decimal.InvalidOperation,
    ],
)
usual_float = USUAL.create_decimal
"""As `float_hook`, in a third of its time, for numbers that are far from every limit; raises
UnusualNumber for all others, which `float_hook` must then look at."""
UnusualNumber = decimal.DecimalException


def within_limits(value: object) -> bool:
    """Whether every number in a decoded JSON value is within the limits."""
    if isinstance(value, dict):
        return all(map(within_limits, value.values()))
    if isinstance(value, list | tuple):
        return all(map(within_limits, value))
    if isinstance(value, int):
        return bool(-_INT_LIMIT < value < _INT_LIMIT)
    return not isinstance(value, NotANumber)


def depth(value: object) -> int:
    """How many levels of arrays and objects a decoded JSON value has."""
    found = 0
    level = [value]
    while level := [
        inner
        for outer in level
        if isinstance(outer, dict | list | tuple)
        for inner in (outer.values() if isinstance(outer, dict) else outer)
    ]:
        found += 1
    return found


def number_of(value: object) -> Number | None:
    """The number that a decoded value is; None for None.

    Raises Reject("not_a_number") for everything else: booleans, other text, a float (it may
    have lost digits on its way), numbers beyond the limits.
    """
    if value.__class__ is int:
        if -_INT_LIMIT < value < _INT_LIMIT:
            return value
    elif value.__class__ is Decimal:
        if value.is_finite():
            return value
    elif value.__class__ is str:
        number = number_from_text(value)
        if number is not None:
            return number
    elif value is None:
        return None
    raise Reject("not_a_number", _why_not(value))


def add(left: Number, right: Number) -> Number:
    """The exact sum; an int when both are."""
    if left.__class__ is int and right.__class__ is int:
        return left + right
    return EXACT.add(left, right)


def subtract(left: Number, right: Number) -> Number:
    """The exact difference; an int when both are."""
    if left.__class__ is int and right.__class__ is int:
        return left - right
    return EXACT.subtract(left, right)


def average(total: Number, n: int, scale: int) -> Decimal:
    """`total / n` rounded half-even, once, to `scale` digits after the point. `n` > 0."""
    numerator, denominator = total.as_integer_ratio()
    denominator *= n
    quotient, rest = divmod(numerator * 10**scale, denominator)
    twice = rest * 2
    if twice > denominator or (twice == denominator and quotient % 2):
        quotient += 1
    return EXACT.scaleb(Decimal(quotient), -scale)


def plain(number: Number) -> str:
    """JSON number text without exponent or trailing zeros: 1.50 -> "1.5", 1E+3 -> "1000"."""
    if number.__class__ is int:
        return str(number)
    text = format(number, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def canonical(value: object) -> bytes:
    """Canonical JSON of one decoded value: equal values, and only those, have equal bytes.

    Compact, numbers by `plain`, text as UTF-8 with the fewest escapes; None, booleans, text,
    numbers, lists and tuples of these, and objects with their keys sorted (for evidence: a group
    value is never one). Raises Reject("not_a_number") for a number beyond the limits.
    """
    if value.__class__ in _PLAIN_KINDS:
        return msgspec.json.encode(value)
    if isinstance(value, Decimal | int):
        return plain(_admitted(value)).encode()
    if isinstance(value, list | tuple):
        return b"[" + b",".join(map(canonical, value)) + b"]"
    if isinstance(value, dict):
        items = (msgspec.json.encode(key) + b":" + canonical(value[key]) for key in sorted(value))
        return b"{" + b",".join(items) + b"}"
    raise Reject("not_a_number", _why_not(value))


def canonical_key(values: Sequence[object]) -> bytes:
    """`canonical` of the list of group values: the session key."""
    for value in values:
        if value.__class__ not in _FAST_KINDS:
            break
    else:
        return msgspec.json.encode(values)
    return canonical(list(values))


_PLAIN_KINDS = frozenset((str, bool, type(None)))
_FAST_KINDS = frozenset((str, bool, type(None), int))


def _admitted(value: Number) -> Number:
    number = number_of(value)
    if number is None:
        raise Reject("not_a_number", _why_not(value))
    return number


def _digits(text: str) -> int:
    return sum(map(str.isdigit, text))


def _shortened(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:40]}… ({len(text)} characters)"


def _why_not(value: object) -> str:
    """What a dead letter says about a value that is no number."""
    if isinstance(value, NotANumber):
        return f"{_shortened(value.text)} has more than 1,000 digits or an exponent beyond ±1,000"
    if isinstance(value, bool):
        return f"{str(value).lower()} is not a number"
    if isinstance(value, int):
        return "an integer of more than 1,000 digits"
    if isinstance(value, str):
        return f"text {_shortened(value)!r} is not a JSON number"
    if isinstance(value, dict | list):
        return f"an {'object' if isinstance(value, dict) else 'array'} is not a number"
    return f"{type(value).__name__} is not a number"
