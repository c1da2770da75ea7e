"""The figures of many groups at a time, in numpy: what `figures` does for one.

Values of a block are cut into slices on a common grid (Demmel, Nguyen: reproducible summation), so
wide that the sum of a slice is exact; sums of blocks are added up as pairs. Digits below 2**-70 of
the largest value of a block are added up as plain floats are.
"""

from typing import Any

import numpy as np

from domain.impressions.figures import Figures, of_values

Floats = np.ndarray[Any, np.dtype[np.float64]]
Places = np.ndarray[Any, np.dtype[np.intp]]
Pairs = tuple[Floats, Floats]

# Beyond these a square, or the grid below it, leaves the range of floats.
LARGE, SMALL = 1e100, 1e-100
_SPLIT = 134_217_729.0  # 2**27 + 1: halves the digits of a float
FIELDS = len(Figures._fields)


class Sums:
    """The figures of groups 0, 1, 2, …, as many as turn up."""

    def __init__(self) -> None:
        self._rows = np.zeros(0, np.int64)
        self._floats = np.zeros((FIELDS - 1, 0))
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def add(self, groups: Places, values: Floats, starts: Places) -> None:
        """Values sorted by group: those of `groups[i]` begin at `starts[i]`; each group once, at
        least one value each."""
        if not len(groups):
            return
        self._grow(int(groups.max()) + 1)
        counts, found = of_groups(values, starts)
        self._rows[groups] += counts
        mine = self._floats[:, groups]
        mine[0], mine[1] = add_pairs((mine[0], mine[1]), (found[0], found[1]))
        mine[2], mine[3] = add_pairs((mine[2], mine[3]), (found[2], found[3]))
        np.minimum(mine[4], found[4], out=mine[4])
        np.maximum(mine[5], found[5], out=mine[5])
        self._floats[:, groups] = mine

    def add_listed(self, groups: list[int], values: Floats, starts: Places) -> None:
        """`add`, of groups in a list."""
        self.add(np.array(groups, np.intp), values, starts)

    def figures(self, group: int) -> Figures:
        """Those of one group."""
        return Figures(int(self._rows[group]), *self._floats[:, group].tolist())

    def _grow(self, size: int) -> None:
        if size > len(self._rows):
            more = max(size, 2 * len(self._rows)) - len(self._rows)
            empty = np.zeros((FIELDS - 1, more))
            empty[4], empty[5] = np.inf, -np.inf
            self._rows = np.concatenate([self._rows, np.zeros(more, np.int64)])
            self._floats = np.concatenate([self._floats, empty], axis=1)
        self._size = max(self._size, size)


def of_groups(values: Floats, starts: Places) -> tuple[np.ndarray[Any, Any], Floats]:
    """(rows, the other fields of Figures one below the other) of each group of a block."""
    counts = np.diff(starts, append=len(values))
    sizes = np.abs(values)
    largest = float(sizes.max())
    smallest = float(np.min(sizes, where=sizes > 0, initial=np.inf))
    if largest > LARGE or smallest < SMALL:
        ends = [*starts[1:].tolist(), len(values)]
        every = [
            of_values(values[start:end].tolist())
            for start, end in zip(starts.tolist(), ends, strict=True)
        ]
        return counts, np.array([one[1:] for one in every]).T
    squares = values * values
    high = values * _SPLIT
    high -= high - values
    low = values - high
    rest = high * high
    rest -= squares
    rest += 2 * high * low
    rest += low * low
    square, square_rest = _sliced(squares, starts, largest * largest)
    square_rest += np.add.reduceat(rest, starts)
    found = np.empty((FIELDS - 1, len(starts)))
    found[0], found[1] = _sliced(values, starts, largest)
    found[2], found[3] = _quick(square, square_rest)
    found[4] = np.minimum.reduceat(values, starts)
    found[5] = np.maximum.reduceat(values, starts)
    return counts, found


def _sliced(values: Floats, starts: Places, largest: float) -> Pairs:
    """The sums of groups of values, none greater than `largest`."""
    bits = len(values).bit_length()
    top = int(np.frexp(largest)[1]) + 1  # the product of rounded factors may be one too low
    grid = 2.0 ** (top + bits - 52)
    first, values = _cut(values, grid)
    second, values = _cut(values, grid * 2.0 ** (bits - 52))
    high, rest = _two_sum(np.add.reduceat(first, starts), np.add.reduceat(second, starts))
    return _quick(high, rest + np.add.reduceat(values, starts))


def _cut(values: Floats, grid: float) -> Pairs:
    shift = 1.5 * 2.0**52 * grid
    kept = values + shift
    kept -= shift
    return kept, values - kept


def add_pairs(one: Pairs, other: Pairs) -> Pairs:
    """See `figures.add_pairs`."""
    high, rest = _two_sum(one[0], other[0])
    low, last = _two_sum(one[1], other[1])
    high, rest = _quick(high, rest + low)
    return _quick(high, rest + last)


def _two_sum(a: Floats, b: Floats) -> Pairs:
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)


def _quick(a: Floats, b: Floats) -> Pairs:
    total = a + b
    return total, b - (total - a)
