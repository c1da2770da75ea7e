"""What many rows of a changelog stand for, without a Row of each: rows of a shape are counted in
columns, all others one at a time.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from domain.aggregation.number_columns import exact_sum
from domain.aggregation.rule import Rule, split_row_key
from domain.aggregation.session import Session
from domain.aggregation.totals import Totals, contribution
from tables.codec import BARE, decode_row, resting, travelling
from tables.layout import ROW
from tables.out_of_service import Sums, sums_of
from tables.packed import LOOKS, Shape, Shapes, ints, number

_PLACES = ("in", "flushed", "expired", "deleted")  # of the sums that a history keeps
_COUNTS = {"in": "accepted"} | {
    name: name for name in ("flushed", "duplicates", "rejected", "expired", "deleted")
}
Item = tuple[bytes, bytes]
"""(key, body) as they stand in the store"""


@dataclass
class Read:
    """What came of rows: their instants to be looked at, and of those that brought something along
    `(key, body at rest, event ids, outputs)`.
    """

    wakes: list[tuple[int, bytes]] = field(default_factory=list)
    brought: list[tuple[bytes, bytes, Any, Any]] = field(default_factory=list)


class RowsAtOnce:
    """Adds what rows stand for to `totals`, by aggregator. `rule_of` as that of a Shard."""

    def __init__(self, totals: dict[str, Totals], rule_of: Callable[[str, int], Rule]) -> None:
        self._totals = totals
        self._rule_of = rule_of
        self._shapes = Shapes()
        self._met: list[Shape] = []

    def read(self, items: Sequence[Item]) -> Read:
        """Rows in the order of their keys."""
        read = Read()
        for name, part in _by_aggregator(items):
            left = part
            for shape in self._met:
                left = self._alike(name, shape, left, read)
            at = 0
            while at < len(left):
                met = self._one(name, left[at], read)
                at += 1
                if met is not None:
                    left, at = self._alike(name, met, left[at:], read), 0
        return read

    def _one(self, name: str, item: Item, read: Read) -> Shape | None:
        """Reads a row by itself; its shape if that is new."""
        key, body = item
        row = decode_row(body)
        if row.open is not None or row.history is not None:  # else a letter's: of no account
            self._note(name, contribution(row, self._sums_of(name, row.open)))
        if row.wake:
            read.wakes.append((row.wake, key[1:]))
        rest = resting(body, row)
        if row.seen or row.outputs:
            read.brought.append((key, rest, row.seen, row.outputs))
            row.seen = row.outputs = ()
        if len(self._met) >= LOOKS or self._shapes.pack(row) != rest:
            return None
        for shape in self._shapes.by_length[len(rest)]:
            if shape not in self._met and shape.rows([rest])[2].all():
                self._met.append(shape)
                return shape
        return None

    def _alike(self, name: str, shape: Shape, items: Sequence[Item], read: Read) -> Sequence[Item]:
        """Reads those of the shape; the others."""
        length = shape.length
        at_rest = length - len(BARE)
        of = [at for at, (_, body) in enumerate(items) if len(body) >= length]
        if not of:
            return items
        # what a row brings along stands behind its numbers
        rests = [items[at][1][:at_rest] + BARE for at in of]
        _, numbers, same = shape.rows(rests)
        mine = np.flatnonzero(same)
        if not len(mine):
            return items
        if len(mine) < len(of):
            numbers = numbers[mine]
        self._count(name, shape, numbers)
        for at, wake in zip(mine.tolist(), numbers["wake"].tolist(), strict=True):
            key, body = items[of[at]]
            if wake:
                read.wakes.append((wake, key[1:]))
            if len(body) > length:
                read.brought.append((key, rests[at], *travelling(body[at_rest:])))
        if len(mine) == len(items):
            return ()
        taken = {of[at] for at in mine.tolist()}
        return [item for at, item in enumerate(items) if at not in taken]

    def _count(self, name: str, shape: Shape, numbers: NDArray[Any]) -> None:
        """Counts rows of a shape."""
        if shape.topic is None:
            self._note(name, tally(shape, numbers, ()))
            return
        versions = numbers["version"]
        for version in set(versions.tolist()):
            of = numbers if (versions == version).all() else numbers[versions == version]
            self._note(name, tally(shape, of, sums_of(self._rule_of, name, version)))

    def _sums_of(self, name: str, session: Session | None) -> Sums:
        return () if session is None else sums_of(self._rule_of, name, session.version)

    def _note(self, name: str, totals: Totals) -> None:
        self._totals.setdefault(name, Totals()).merge(totals)


def tally(shape: Shape, numbers: NDArray[Any], sums: Sums) -> Totals:
    """What those rows of a shape stand for in the control totals, as `totals.contribution` has it
    of one.
    """
    totals = Totals()
    columns = [("open", name, shape.kinds[at], f"a{at}") for at, name in sums]
    for place, fields in zip(_PLACES, shape.history or (), strict=False):
        columns += [(place, of, kind, f"{_COUNTS[place]}_sums:{of}") for of, kind in fields]
    for place, name, kind, column in columns:
        if kind != "n":
            held = number(kind, numbers, column)
            totals.add_sum(place, name, exact_sum(held.units, held.places))
    if shape.topic is not None:
        totals.sessions = len(numbers)
        totals.add("open", int(ints(numbers, "count").sum()))
    if shape.history is None:
        totals.count["in"] = totals.count["open"]
        totals.sums["in"] = dict(totals.sums["open"])
        return totals
    for place, column in _COUNTS.items():
        totals.add(place, int(ints(numbers, column).sum()))
    return totals


def _by_aggregator(items: Sequence[Item]) -> Iterator[tuple[str, Sequence[Item]]]:
    """Rows in the order of their keys, those of each aggregator together."""
    at = 0
    while at < len(items):
        name = split_row_key(items[at][0][1:])[0]
        end = bisect_left(items, (ROW + name.encode() + b"\1",), at)
        yield name, items[at:end]
        at = end
