"""The standard deviation of a population, from exact sums, rounded once.

sigma = sqrt(n * squares - sum^2) / n, where `squares` is the sum of the squares. What a square root
can't give exactly is decided in integers, so the result is the nearest number with `scale` digits
after the point, half to even.
"""

import decimal
from decimal import Decimal
from fractions import Fraction
from math import isqrt
from typing import Any

from domain.aggregation.numbers import EXACT, Number

SQUARES = decimal.Context(
    # 1,000 digits and exponents of 1,000 make squares between 10^4000 and steps of 10^-4000, and
    # 10^12 of them need 8,012 digits.
    prec=10_000,
    Emin=-20_000,
    Emax=20_000,
    traps=EXACT.traps,
)


def plus_square(total: Number | None, value: Number) -> Number:
    """The exact sum of squares with one more; None is the empty sum."""
    if value.__class__ is int:
        square: Number = value * value
        if total is None:
            return square
        if total.__class__ is int:
            return total + square
        return SQUARES.add(total, square)
    square = SQUARES.multiply(value, value)
    return square if total is None else SQUARES.add(total, square)


def deviation(n: int, total: Number, squares: Number, scale: int) -> Decimal | None:
    """The standard deviation of `n` numbers with that sum and sum of squares, rounded half-even to
    `scale` digits after the point; None without numbers.
    """
    if n < 1:
        return None
    mean = Fraction(*total.as_integer_ratio()) / n
    variance = Fraction(*squares.as_integer_ratio()) / n - mean * mean
    wanted, divisor = variance.numerator * 10 ** (2 * scale), variance.denominator
    root = isqrt(wanted // divisor)
    # root <= exact < root + 1; which side of root + 1/2 tells (2 root + 1)^2 beside 4 exact^2
    half, twice = (2 * root + 1) ** 2 * divisor, 4 * wanted
    if twice > half or (twice == half and root % 2):
        root += 1
    return SQUARES.scaleb(Decimal(root), -scale)


def parts_of(slots: list[Any]) -> dict[str, Any]:
    """`parts` of a flush: add them up over flushes to combine these."""
    return {"n": slots[0] or 0, "sum": slots[1], "squares": slots[2]}
