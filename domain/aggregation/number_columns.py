"""Numbers of many rows at once, exact: whole ones as int64, decimals as an int64 and how many of
its digits stand behind the point.

What doesn't fit is told apart (`bad`) and is for those who take numbers one at a time. Every number
here lies below 10^17, so one step of a sum can't leave 64 bits.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

from domain.aggregation.numbers import EXACT, Number

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
Chars = NDArray[np.uint8]

WIDTH = 20  # characters of a decimal at rest, blanks before it
MOST_PLACES = 9
DIGITS = 17
LIMIT: int = 10**DIGITS
POWERS: Ints = np.array([10**n for n in range(DIGITS + 1)], dtype=np.int64)
_LARGEST: Ints = (LIMIT - 1) // POWERS  # what may be multiplied by that power
_ZERO, _POINT, _MINUS, _BLANK = 48, 46, 45, 32


_LETTERS = {int: "i", Decimal: "d", type(None): "n"}


def letters(values: Iterable[Any]) -> str:
    """The kinds of values, a letter each: i for int, d for Decimal, n for None, else ?."""
    return "".join([_LETTERS.get(value.__class__, "?") for value in values])


@dataclass(slots=True)
class Numbers:
    """`units` / 10^`places`; without `places` all are whole, of class int. Those that are `whole`
    among decimals are ints too. `bad` ones have no meaning, `absent` ones are 0 and whole.
    """

    units: Ints
    places: Ints | None = None
    whole: Flags | None = None
    bad: Flags | None = None
    absent: Flags | None = None


def taken(values: Sequence[Any]) -> Numbers:
    """Values as records give them: int, Decimal, its text, or None."""
    kinds = set(map(type, values))
    if kinds == {int}:
        try:
            units = np.array(values, dtype=np.int64)
        except OverflowError:
            pass
        else:
            bad = (units >= LIMIT) | (units <= -LIMIT)
            return Numbers(units, bad=bad if bad.any() else None)
    if kinds == {str}:
        return _parsed(values)
    if kinds == {Decimal}:
        return _parsed(list(map(str, values)))
    numbers = _parsed(["0" if value is None else str(value) for value in values])
    numbers.whole = np.array([value is None or value.__class__ is int for value in values], bool)
    if None in values:
        numbers.absent = np.array([value is None for value in values], bool)
    return numbers


def _parsed(texts: Sequence[str]) -> Numbers:
    longest = max(map(len, texts))
    if longest > WIDTH:
        texts = ["x" if len(text) > WIDTH else text for text in texts]
        longest = WIDTH
    try:
        chars = np.array(texts, dtype=f"S{longest}")
    except UnicodeEncodeError:
        chars = np.array(["x"] * len(texts), dtype=f"S{longest}")
    return parse(chars.view(np.uint8).reshape(len(texts), longest))


def parse(chars: Chars) -> Numbers:
    """Decimals as text, one a row, with blanks before them or zero bytes behind. No exponents."""
    n = len(chars)
    units, places = np.zeros(n, np.int64), np.zeros(n, np.int64)
    digits, bad = np.zeros(n, np.int64), np.zeros(n, bool)
    minus, behind = np.zeros(n, bool), np.zeros(n, bool)
    for char in np.ascontiguousarray(chars.T):
        digit = char - np.uint8(_ZERO)
        is_digit = digit < 10
        if is_digit.all():
            units = units * 10 + digit
            digits += 1
            places += behind
            continue
        if not is_digit.any():
            if (char == _BLANK).all():
                continue
        else:
            units = np.where(is_digit, units * 10 + digit, units)
            digits += is_digit & (units != 0)
            places += is_digit & behind
        behind |= char == _POINT
        minus |= char == _MINUS
        bad |= ~is_digit & (char != _POINT) & (char != _MINUS) & (char != _BLANK) & (char != 0)
    bad |= (digits > DIGITS) | (places > MOST_PLACES)
    if bad.any():
        units[bad] = places[bad] = 0
    np.negative(units, out=units, where=minus)
    return Numbers(units, places, None, bad if bad.any() else None)


def printed(units: Ints, places: Ints) -> Chars:
    """The inverse of `parse`: WIDTH characters each, the last one a digit."""
    n = len(units)
    rest = np.abs(units)
    digits = np.empty((DIGITS + 1, n), np.uint8)
    length = np.zeros(n, np.int64)
    for at in range(DIGITS + 1):
        if not rest.any():
            digits[at:] = 0
            break
        quotient = rest // 10
        digits[at] = rest - quotient * 10
        length[rest != 0] = at + 1
        rest = quotient
    digits += _ZERO
    np.maximum(length, places + 1, out=length)
    out = np.full((WIDTH, n), _BLANK, np.uint8)
    for point in set(places.tolist()):
        of = None if point == places.min() == places.max() else np.flatnonzero(places == point)
        part = digits if of is None else digits[:, of]
        long = length if of is None else length[of]
        lines = np.full((WIDTH, part.shape[1]), _BLANK, np.uint8)
        last = WIDTH - 1
        for at in range(point):
            lines[last - at] = part[at]
        if point:
            last -= 1
            lines[last + 1 - point] = _POINT
        for at in range(point, min(DIGITS + 1, last + 1)):
            kept = at < long
            if not kept.any():
                break
            lines[last - at] = np.where(kept, part[at], _BLANK)
        if of is None:
            out = lines
        else:
            out[:, of] = lines
    below = np.flatnonzero(units < 0)
    out[WIDTH - 1 - length[below] - (places[below] > 0), below] = _MINUS
    return np.ascontiguousarray(out.T)


def scaled(units: Ints, by: Ints) -> tuple[Ints, Flags]:
    """units * 10^by, and which of them are too large for that."""
    if not by.any():
        return units, np.zeros(len(units), bool)
    return units * POWERS[by], np.abs(units) > _LARGEST[by]


def add(held: Numbers, rise: Numbers, bad: Flags) -> None:
    """Adds in place. A decimal makes a decimal of an int, which is not for here (`bad`)."""
    for each in (held, rise):
        bad |= (each.units >= LIMIT) | (each.units <= -LIMIT)
    if held.places is None:
        if rise.places is not None:
            bad |= True
        held.units = held.units + rise.units
    else:
        behind = np.zeros_like(held.places) if rise.places is None else rise.places
        places = np.maximum(held.places, behind)
        units, large = scaled(held.units, places - held.places)
        more, also = scaled(rise.units, places - behind)
        bad |= large | also
        held.units, held.places = units + more, places
    bad |= (held.units >= LIMIT) | (held.units <= -LIMIT)


def exact_sum(units: Ints, places: Ints | None) -> Number:
    """The exact sum: an int of whole numbers, else a Decimal with as many places as any has."""
    if places is None:
        return _sum(units)
    found = Decimal(0)
    for point in sorted(set(places.tolist())):
        part = Decimal(_sum(units[places == point]))
        found = EXACT.add(found, EXACT.scaleb(part, -point))
    return found


def _sum(units: Ints) -> int:
    """Exact whatever it comes to."""
    high = units >> 32
    return (int(high.sum()) << 32) + int((units - (high << 32)).sum())
