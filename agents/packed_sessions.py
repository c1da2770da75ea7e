"""Packed rows with their numbers in columns: between `tables/packed.py` and the rules of
`domain/aggregation/columns.py`.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from domain.aggregation.columns import Plan, Sessions
from domain.aggregation.number_columns import Flags, Ints, Numbers
from tables.packed import Shape, decimals, ints, number

MOST_SHORT = 1 << 16  # versions and partitions have two bytes in a row
MOST_COUNT = 1 << 32
Woken = tuple[bytes, int, int]
"""(key, when it would have been looked at, when it is to be)"""


def kept_rows(keys: list[bytes], rows: list[bytes], kept: Flags) -> dict[bytes, bytes]:
    """Those of the rows that are kept, by key."""
    if kept.all():
        return dict(zip(keys, rows, strict=True))
    return {key: row for key, row, yes in zip(keys, rows, kept.tolist(), strict=True) if yes}


def moved(keys: list[bytes], later: Flags, before: Ints, after: Ints) -> list[Woken]:
    """What of the due index changes, for those that are to be looked at another time."""
    at = np.flatnonzero(later)
    of = [keys[each] for each in at.tolist()]
    return list(zip(of, before[at].tolist(), after[at].tolist(), strict=True))


def sessions_of(shape: Shape, numbers: NDArray[Any], plan: Plan) -> Sessions:
    """The open sessions of the rows."""
    held = [
        None if letter == "n" else number(letter, numbers, f"a{at}")
        for at, letter in enumerate(shape.kinds)
    ]
    first, last, count = (ints(numbers, name) for name in ("first", "last", "count"))
    return Sessions(first, last, count, held, accepted_of(shape, numbers, plan, shape.kinds))


def accepted_of(
    shape: Shape, numbers: NDArray[Any], plan: Plan, kinds: str
) -> list[tuple[int, str, Numbers]]:
    """What was ever added to the sums that a session of these `kinds` has (see `Sessions`)."""
    if shape.history is None:
        return []
    letters = dict(shape.history[0])
    return [
        (at, name, number(letters[name], numbers, f"accepted_sums:{name}"))
        for at, name in plan.rule.sums
        if kinds[at] != "n"
    ]


def accepts(shape: Shape, plan: Plan, kinds: str) -> bool:
    """Whether the rows' history has all sums that a session of these `kinds` adds to."""
    if shape.history is None:
        return True
    summed = {name for name, _ in shape.history[0]}
    return all(name in summed for at, name in plan.rule.sums if kinds[at] != "n")


def write(numbers: NDArray[Any], sessions: Sessions) -> Flags:
    """Puts sessions into the rows; returns which of them are too large for that."""
    numbers["first"], numbers["last"] = sessions.first, sessions.last
    numbers["count"] = sessions.count.astype(np.uint32)
    for at, column in enumerate(sessions.accumulators):
        if column is not None:
            put(numbers, f"a{at}", column)
    for _, name, column in sessions.accepted:
        put(numbers, f"accepted_sums:{name}", column)
    large: Flags = sessions.count >= MOST_COUNT
    return large


def put(numbers: NDArray[Any], name: str, column: Numbers) -> None:
    """Puts a column of numbers into the rows."""
    if column.places is None:
        numbers[name] = column.units
    else:
        numbers[name] = decimals(column.units, column.places)


def carry(to: NDArray[Any], of: NDArray[Any]) -> None:
    """Puts what rows of both shapes have from one into the other."""
    there = set(to.dtype.names or ())
    for name in of.dtype.names or ():
        if name in there:
            to[name] = of[name]
