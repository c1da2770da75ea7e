"""Partial figures of any set of values: merged in any order they are the same, to the last digit.

A double counts as the decimal number that it is printed as, so sums and sums of squares are exact;
mean, M2 and standard deviation follow from them and are rounded once, when they are shown. Taking
values out again is exact for count and sums; what is lost of min, max and last is looked up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from fractions import Fraction
from math import isqrt, sqrt
from typing import Any

import msgspec

from domain.aggregation.deviation import SQUARES, plus_square
from domain.aggregation.numbers import Number, add

Last = tuple[int, int, Number]
"""(ts in ms, version, value): of two values the greater one is the later."""


class Partial:
    """Figures of `count` values; without any, min, max and last are None."""

    __slots__ = ("count", "last", "max", "min", "squares", "sum")

    def __init__(self) -> None:
        self.count = 0
        self.sum: Number = 0
        self.squares: Number = 0
        self.min: Number | None = None
        self.max: Number | None = None
        self.last: Last | None = None

    def add(self, ts: int, version: int, value: Number) -> None:
        """Adds one value."""
        self.count += 1
        self.sum = add(self.sum, value)
        self.squares = plus_square(self.squares, value)
        if self.min is None or value < self.min:
            self.min = value
        if self.max is None or value > self.max:
            self.max = value
        if self.last is None or (ts, version, value) > self.last:
            self.last = (ts, version, value)

    def merge(self, other: Partial) -> None:
        """Adds all values of another."""
        if not other.count:
            return
        self.count += other.count
        self.sum = add(self.sum, other.sum)
        self.squares = _add_squares(self.squares, other.squares)
        self._extremes(other)

    def _extremes(self, other: Partial) -> None:
        if other.min is not None and (self.min is None or other.min < self.min):
            self.min = other.min
        if other.max is not None and (self.max is None or other.max > self.max):
            self.max = other.max
        if other.last is not None and (self.last is None or other.last > self.last):
            self.last = other.last

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Partial) and _fields(self) == _fields(other)

    def looks_as(self, other: Partial) -> bool:
        """Whether both show the same figures: only when the last value came may differ."""
        mine, others = _fields(self), _fields(other)
        last, its_last = self.last and self.last[2], other.last and other.last[2]
        return last == its_last and all(
            left == right
            for name, left, right in zip(Partial.__slots__, mine, others, strict=True)
            if name != "last"
        )

    __hash__ = None  # type: ignore[assignment]  # it changes

    def __repr__(self) -> str:
        return f"Partial{_fields(self)}"

    # What is shown

    @property
    def mean(self) -> int | float | None:
        """Rounded once."""
        if self.count and self.sum.__class__ is int:  # the same, much sooner
            whole, rest = divmod(self.sum, self.count)
            return shown(Fraction(self.sum, self.count)) if rest else int(whole)
        return shown(Fraction(self.sum) / self.count) if self.count else None

    @property
    def m2(self) -> Fraction:
        """The sum of the squared distances from the mean, exactly."""
        if not self.count:
            return Fraction(0)
        return Fraction(self.squares) - Fraction(self.sum) ** 2 / self.count

    @property
    def stddev(self) -> int | float | None:
        """Of the population."""
        if self.count and self.sum.__class__ is int and self.squares.__class__ is int:
            squared = self.squares * self.count - self.sum * self.sum
            return shown(_root(Fraction(squared, self.count**2)))
        return shown(_root(self.m2 / self.count)) if self.count else None


def _fields(partial: Partial) -> tuple[Any, ...]:
    return tuple(getattr(partial, name) for name in Partial.__slots__)


def merged(partials: Iterable[Partial]) -> Partial:
    """All values of all of them."""
    found = Partial()
    for partial in partials:
        found.merge(partial)
    return found


def replaced(
    before: Partial, minus: Partial, plus: Partial, again: Callable[[], Partial]
) -> Partial:
    """`before` without the values of `minus`, which were in it, and with those of `plus`.

    `again` gives the figures of all values as they are now: asked for only when an extreme or the
    last one was taken out and nothing that came takes its place.
    """
    if minus.count and (
        _lost(before.min, minus.min, plus.min, -1)
        or _lost(before.max, minus.max, plus.max, 1)
        or _lost(before.last, minus.last, plus.last, 1)
    ):
        return again()
    after = Partial()
    after.count = before.count - minus.count + plus.count
    after.sum = add(add(before.sum, plus.sum), -minus.sum)
    after.squares = _add_squares(_add_squares(before.squares, plus.squares), minus.squares, -1)
    for each in (before, plus):
        after._extremes(each)
    return after


def _lost(before: Any, minus: Any, plus: Any, side: int) -> bool:
    """Whether what was at the edge is gone, and not replaced by something at least as far out."""
    if minus != before:
        return False
    return plus is None or (plus > before if side < 0 else plus < before)


def _add_squares(left: Number, right: Number, sign: int = 1) -> Number:
    if isinstance(left, int) and isinstance(right, int):
        return left + sign * right
    return SQUARES.add(left, right) if sign > 0 else SQUARES.subtract(left, right)


def exact(value: int | float) -> Number:
    """The number that a value stands for: a double is what it is printed as."""
    return value if isinstance(value, int) else Decimal(repr(value))


def shown(number: Number | Fraction | float | None) -> int | float | None:
    """A number for JSON: whole ones without a point, others as the nearest double, or without
    what is behind the point where that is beyond a double.
    """
    if number is None or isinstance(number, int):
        return number
    if isinstance(number, float):
        return int(number) if number.is_integer() and abs(number) < 1 << 53 else number
    if number == int(number):
        return int(number)
    try:
        return float(number)
    except OverflowError:
        return int(number)


def _root(square: Fraction) -> int | float:
    """The square root, rounded once where a double holds the square."""
    try:
        return sqrt(square)
    except OverflowError:
        return isqrt(int(square))


# At rest: [count, sum, squares, min, max, last ts, last version, last value], numbers as text.

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Any]).decode


def packed(partial: Partial) -> list[Any]:
    """Plain data."""
    if not partial.count or partial.last is None:
        return []
    at, version, value = partial.last
    numbers = (partial.sum, partial.squares, partial.min, partial.max)
    return [partial.count, *map(str, numbers), at, version, str(value)]


def unpacked(data: list[Any]) -> Partial:
    """The inverse of `packed`."""
    partial = Partial()
    if data:
        partial.count = data[0]
        partial.sum = number_of_text(data[1])
        partial.squares = number_of_text(data[2])
        partial.min = number_of_text(data[3])
        partial.max = number_of_text(data[4])
        partial.last = (data[5], data[6], number_of_text(data[7]))
    return partial


def number_of_text(text: str) -> Number:
    """The inverse of `str` of a number."""
    if text.isdigit():
        return int(text)
    return Decimal(text) if not text.lstrip("-").isdigit() else int(text)


def to_bytes(partial: Partial) -> bytes:
    """A partial at rest."""
    return _encode(packed(partial))


def from_bytes(data: bytes | None) -> Partial:
    """The inverse; without data an empty one."""
    return unpacked(_decode(data)) if data else Partial()
