"""Figures of `viewing_percentage` that can be merged: count, sum, sum of squares, least, greatest.

Sums are pairs of floats, together exact to some 100 bits, so that no order of rows, files or loads
shows in the figures: what is told is the true sum, rounded once. The deviation is worked out of
them in whole numbers of any size.
"""

import math
from collections.abc import Iterable
from fractions import Fraction
from typing import NamedTuple

LARGEST = 1.7976931348623157e308  # of all floats
Pair = tuple[float, float]


class Figures(NamedTuple):
    """Of some rows. `sum + sum_rest` and `squares + squares_rest` are the two sums; without rows
    `least` and `greatest` are infinite."""

    rows: int = 0
    sum: float = 0.0
    sum_rest: float = 0.0
    squares: float = 0.0
    squares_rest: float = 0.0
    least: float = math.inf
    greatest: float = -math.inf

    @property
    def mean(self) -> float:
        """0 without rows."""
        return self.sum / self.rows if self.rows else 0.0

    @property
    def m2(self) -> float:
        """The sum of squared distances from the mean. Never negative."""
        if not self.rows:
            return 0.0
        total, bits = _scaled(self.sum, self.sum_rest)
        squares, square_bits = _scaled(self.squares, self.squares_rest)
        scale = max(2 * bits, square_bits)
        spread = self.rows * (squares << (scale - square_bits))
        spread -= total * total << (scale - 2 * bits)
        try:
            return max(spread, 0) / (self.rows << scale)  # rounded once
        except OverflowError:
            return LARGEST

    @property
    def stddev(self) -> float:
        """The population's standard deviation."""
        return math.sqrt(self.m2 / self.rows) if self.rows else 0.0

    def merged(self, other: "Figures") -> "Figures":
        """Of the rows of both."""
        sums = add_pairs((self.sum, self.sum_rest), (other.sum, other.sum_rest))
        squares = add_pairs((self.squares, self.squares_rest), (other.squares, other.squares_rest))
        return Figures(
            self.rows + other.rows, *sums, *squares,
            min(self.least, other.least), max(self.greatest, other.greatest),
        )  # fmt: skip


def merge(parts: Iterable[Figures]) -> Figures:
    """Of the rows of all of them."""
    found = Figures()
    for part in parts:
        found = found.merged(part)
    return found


def of_values(values: Iterable[float]) -> Figures:
    """Of these values, one by one, in fractions: for few values, and for those that are too large
    or too small for `agents/impressions/sums.py`."""
    rows, total, squares, least, greatest = 0, Fraction(0), Fraction(0), math.inf, -math.inf
    for value in values:
        exact = Fraction(value)
        rows, total, squares = rows + 1, total + exact, squares + exact * exact
        least, greatest = min(least, value), max(greatest, value)
    return Figures(rows, *as_pair(total), *as_pair(squares), least, greatest)


def as_pair(value: Fraction) -> Pair:
    """The two floats that come nearest."""
    high = rounded(value)
    return high, rounded(value - Fraction(high))


def rounded(value: Fraction) -> float:
    """The nearest float; the largest one where there is none so large."""
    try:
        return float(value)
    except OverflowError:
        return LARGEST if value > 0 else -LARGEST  # a float of it can't be had for its sign either


def add_pairs(one: Pair, other: Pair) -> Pair:
    """The sum of two pairs, good to 2**-104 (Dekker, Knuth; as in `sums.add_pairs`)."""
    high, rest = _two_sum(one[0], other[0])
    low, last = _two_sum(one[1], other[1])
    if not math.isfinite(high):
        return math.copysign(LARGEST, high), 0.0
    high, rest = _quick(high, rest + low)
    return _quick(high, rest + last)


def _scaled(high: float, rest: float) -> tuple[int, int]:
    """(number, bits): the sum of both is number / 2**bits. Faster than fractions, which look for a
    common divisor at every step."""
    one, one_divisor = high.as_integer_ratio()
    two, two_divisor = rest.as_integer_ratio()
    one_bits, two_bits = one_divisor.bit_length() - 1, two_divisor.bit_length() - 1
    bits = max(one_bits, two_bits)
    return (one << (bits - one_bits)) + (two << (bits - two_bits)), bits


def _two_sum(a: float, b: float) -> Pair:
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)


def _quick(a: float, b: float) -> Pair:
    total = a + b
    return total, b - (total - a)
