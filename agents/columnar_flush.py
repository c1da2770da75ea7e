"""Flushes many due sessions of one tick at once, in columns; what can't be is left for the fold of
one key.

The same is decided as by `Fold.close`, and records are what `domain/aggregation/flush.py` makes.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.packed_sessions import MOST_COUNT, MOST_SHORT, carry, put
from domain.aggregation.flush_columns import Ended, FlushText, Kind, print_instants
from domain.aggregation.instants import PRINTED
from domain.aggregation.number_columns import Flags, Ints, Numbers, add, exact_sum
from domain.aggregation.operations import minus
from domain.aggregation.totals import Totals
from tables.changes import Changes
from tables.packed import LOOKS, MOST_ELEMENTS, Shape, Shapes, ints, number
from tables.shard import Shard
from tables.staged import Flushed, stage_flushed

TIMEOUT = "TIMEOUT"
Due = tuple[int, bytes]
"""(instant, row key), as they stand in the due index."""
TextOf = Callable[[Kind], FlushText | None]
Summed = tuple[int, str, str, Numbers]
"""(accumulator, field, kind, sums by row)"""


@dataclass
class ColumnarFlush:
    """One tick under way. `text_of` gives how sessions of a kind are written; those without are
    left."""

    shard: Shard
    changes: Changes
    shapes: Shapes
    text_of: TextOf
    now: int
    least: int

    def flush(self, due: Sequence[Due], at_rest: Mapping[bytes, Any]) -> list[Due]:
        """Flushes and stages what it can; returns the others, in their order."""
        alike: dict[tuple[int, bytes], list[int]] = {}
        for at, (_, key) in enumerate(due):
            row = at_rest[key]
            if row.__class__ is bytes and len(row) in self.shapes.by_length:
                alike.setdefault((len(row), key[: key.index(b"\0")]), []).append(at)
        done: set[int] = set()
        for (length, name), places in alike.items():
            for shape in self.shapes.by_length[length][:LOOKS]:
                if shape.topic is not None and len(places) >= self.least:
                    flushed, places = self._alike(name.decode(), shape, places, due, at_rest)
                    done.update(flushed)
        return [one for at, one in enumerate(due) if at not in done]

    def _alike(
        self, name: str, shape: Shape, places: list[int], due: Sequence[Due],
        at_rest: Mapping[bytes, Any],
    ) -> tuple[list[int], list[int]]:  # fmt: skip
        """Flushes those whose rows are of the shape; the places of what it flushed, and of rows of
        other shapes."""
        _, numbers, same = shape.rows([at_rest[due[at][1]] for at in places])
        index = np.array([due[at][0] for at in places], np.int64)
        ready = same & (numbers["wake"] == index) & (numbers["due"] <= self.now)
        versions = [ints(numbers, each) for each in ("version", "due_version")]
        done: list[int] = []
        for of in set(zip(*(each[ready].tolist() for each in versions), strict=True)):
            chosen = np.flatnonzero(ready & (versions[0] == of[0]) & (versions[1] == of[1]))
            if len(chosen) >= self.least:
                text = self.text_of((name, *of, shape.topic or "", shape.kinds, TIMEOUT))
                if text is not None:
                    keys = [due[places[at]][1] for at in chosen.tolist()]
                    flushed = self._close(shape, keys, numbers[chosen], text)
                    done += (places[at] for at in chosen[flushed].tolist())
        return done, [places[at] for at in np.flatnonzero(~same).tolist()]

    def _close(
        self, shape: Shape, keys: list[bytes], numbers: NDArray[Any], text: FlushText
    ) -> Flags:
        """Ends the sessions; which of them it did."""
        rule = text.rule
        sums = [
            (at, name, shape.kinds[at], number(shape.kinds[at], numbers, f"a{at}"))
            for at, name in rule.sums
            if shape.kinds[at] != "n"
        ]
        closed = _closed(self.shapes, shape, sums)
        if closed is None:
            return np.zeros(len(keys), bool)
        held, after = closed.new(len(keys))
        carry(after, numbers)
        bad = _applied(after, numbers, shape) | _counted(after, numbers, shape)
        _summed(after, numbers, shape, sums, bad)
        sequence, wake = ints(numbers, "sequence") + 1, ints(numbers, "touched") + rule.ttl_ms
        for each in ("first", "last", "due"):
            bad |= (numbers[each] < PRINTED.start) | (numbers[each] >= PRINTED.stop)
        bad |= sequence >= MOST_SHORT
        bad |= numbers["due"] > wake  # its time to live was over before
        after["sequence"], after["wake"] = sequence.astype(np.uint16), wake
        of = np.flatnonzero(~bad)
        if len(of):
            rows, prefix, some = closed.cut(held), len(rule.prefix), numbers[of]
            kept = [keys[at] for at in of.tolist()]
            ended = _ended(shape, [key[prefix:] for key in kept], some)
            told = zip(
                kept, [rows[at] for at in of.tolist()], ended.keys, text.write(ended),
                some["wake"].tolist(), wake[of].tolist(), strict=True,
            )  # fmt: skip
            flushed = [Flushed(*one) for one in told]
            stage_flushed(self.changes, self.shard, rule.document.output.topic, flushed)
            self.changes.note(rule.name, _totals(ints(some, "count"), sums, of))
        return ~bad


def _ended(shape: Shape, keys: list[bytes], numbers: NDArray[Any]) -> Ended:
    first, last, due = (print_instants(ints(numbers, each)) for each in ("first", "last", "due"))
    return Ended(
        keys=keys,
        sequence=(ints(numbers, "sequence") + 1).tolist(),
        count=numbers["count"].tolist(),
        first=first,
        last=last,
        due=due,
        partition=numbers["partition"].tolist(),
        first_offset=numbers["first_offset"].tolist(),
        last_offset=numbers["last_offset"].tolist(),
        records=numbers["records"].tolist(),
        accumulators=[
            None if kind == "n" else numbers[f"a{at}"].tolist()
            for at, kind in enumerate(shape.kinds)
        ],
    )


def _closed(shapes: Shapes, shape: Shape, sums: Sequence[Summed]) -> Shape | None:
    """The shape of the rows afterwards."""
    topic, applied = shape.topic or "", shape.applied
    if applied.count(topic) > 1 or len(applied) == MOST_ELEMENTS:
        return None
    if topic not in applied:
        applied = (*applied, topic)
    if shape.history is None:
        told = tuple((name, kind) for _, name, kind, _ in sums)
        return shapes.of((None, applied, "", (told, told, (), ())))
    accepted, before, *others = shape.history
    flushed = dict(before)
    for _, name, kind, _ in sums:
        flushed[name] = "d" if "d" in (kind, flushed.get(name)) else "i"
    return shapes.of((None, applied, "", (accepted, tuple(flushed.items()), *others)))


def _applied(after: NDArray[Any], numbers: NDArray[Any], shape: Shape) -> Flags:
    """Notes the last offset of the session; which rows know of another partition of the topic."""
    partition, offset = numbers["partition"], ints(numbers, "last_offset")
    if shape.topic not in shape.applied:
        at = len(shape.applied)
        after[f"applied_partition{at}"], after[f"applied_offset{at}"] = partition, offset
        return np.zeros(len(numbers), bool)
    at = shape.applied.index(shape.topic)
    known = ints(numbers, f"applied_offset{at}")
    after[f"applied_offset{at}"] = np.maximum(known, offset)
    other: Flags = numbers[f"applied_partition{at}"] != partition
    return other


def _counted(after: NDArray[Any], numbers: NDArray[Any], shape: Shape) -> Flags:
    """Counts the session as flushed; which rows have too much for that."""
    count = ints(numbers, "count")
    if shape.history is None:
        after["accepted"] = count.astype(np.uint32)
    else:
        count += ints(numbers, "flushed")
    after["flushed"] = count.astype(np.uint32)
    large: Flags = count >= MOST_COUNT
    return large


def _summed(
    after: NDArray[Any], numbers: NDArray[Any], shape: Shape, sums: Sequence[Summed], bad: Flags
) -> None:
    """Adds the sums to those flushed before."""
    before = {} if shape.history is None else dict(shape.history[1])
    for at, name, kind, column in sums:
        place = f"flushed_sums:{name}"
        if shape.history is None:
            after[f"accepted_sums:{name}"] = numbers[f"a{at}"]
        if name not in before:
            after[place] = numbers[f"a{at}"]
            continue
        held = number(before[name], numbers, place)
        if kind == "d" and held.places is None:
            held.places = np.zeros_like(held.units)
        add(held, column, bad)
        put(after, place, held)


def _totals(count: Ints, sums: Sequence[Summed], of: Ints) -> Totals:
    """How the control totals change by those that were flushed."""
    totals, records = Totals(), int(count.sum())
    totals.sessions = -len(of)
    totals.flushes[TIMEOUT] = len(of)
    totals.add("open", -records)
    totals.add("flushed", records)
    for _, name, _, column in sums:
        places = None if column.places is None else column.places[of]
        value = exact_sum(column.units[of], places)
        totals.add_sum("open", name, minus(0, value))
        totals.add_sum("flushed", name, value)
    return totals
