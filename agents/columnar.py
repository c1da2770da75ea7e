"""Folds many keys of a chunk at once, in columns; what can't be is left for the fold of one key.

See `domain/aggregation/columns.py` for the rules, `tables/packed.py` for the rows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.chunks import Chunk
from domain.aggregation.columns import (
    Folded,
    Plan,
    Records,
    Sessions,
    begin_columns,
    fold_columns,
    kinds_of,
    records_of,
)
from domain.aggregation.fold import Fold
from domain.aggregation.number_columns import WIDTH, Flags, Ints, Numbers, parse
from tables.changes import Changes
from tables.packed import Shape, Shapes, decimals
from tables.shard import Shard
from tables.sights import known
from tables.staged import stage_packed

LEAST_KEYS = 32  # below that, one at a time is faster
_MOST_SHORT = 1 << 16  # versions and partitions have two bytes in a row
_MOST_COUNT = 1 << 32
Groups = Mapping[bytes, Sequence[Any]]
Woken = tuple[bytes, int, int]
"""(key, when it would have been looked at, when it is to be)"""


@dataclass
class Columnar:
    """One chunk under way: `cached` rows stay in memory after the commit."""

    shard: Shard
    changes: Changes
    chunk: Chunk
    ctx: Fold
    plan: Plan
    shapes: Shapes
    cached: bool
    least_keys: int = LEAST_KEYS

    def fold(self, groups: Groups) -> dict[bytes, Sequence[Any]]:
        """Folds and stages what it can; returns the others."""
        rule, partition = self.plan.rule, self.chunk.partition
        left: dict[bytes, Sequence[Any]] = {}
        if rule.version >= _MOST_SHORT or not 0 <= partition < _MOST_SHORT:
            return dict(groups)
        if self.plan.event_id is not None:
            groups, left = self._first_sights(groups, self.plan.event_id)
        new: list[bytes] = []
        found: dict[int, list[bytes]] = {}
        at_rest = self.shard.at_rest(list(groups))
        for key, row in at_rest.items():
            if row is None and not self.shard.gone:
                new.append(key)
            elif row.__class__ is bytes:
                found.setdefault(len(row), []).append(key)
            else:
                left[key] = groups[key]
        for length, keys in found.items():
            for shape in self.shapes.by_length.get(length, ()):
                if len(keys) >= self.least_keys and self._suits(shape):
                    keys = self._held(shape, keys, at_rest, groups, left)
            left.update((key, groups[key]) for key in keys)
        if len(new) >= self.least_keys:
            self._begin(new, groups, left)
        else:
            left.update((key, groups[key]) for key in new)
        return left

    def _first_sights(
        self, groups: Groups, at: int
    ) -> tuple[dict[bytes, Sequence[Any]], dict[bytes, Sequence[Any]]]:
        """Keys whose events were never seen, and the others."""
        first: dict[bytes, Sequence[Any]] = {}
        others: dict[bytes, Sequence[Any]] = {}
        told = known(self.shard.store, groups, at)
        for key, entries in groups.items():
            twice = len(entries) > 1 and len({entry[2][at] for entry in entries}) < len(entries)
            (others if twice or key in told else first)[key] = entries
        return first, others

    def _suits(self, shape: Shape) -> bool:
        """Whether rows of the shape can be folded with this chunk."""
        plan = self.plan
        if shape.topic != self.chunk.topic or len(shape.kinds) != plan.rule.width:
            return False
        if any(shape.kinds[at] == "d" for at in plan.counters):
            return False
        for at in plan.averages:
            if (shape.kinds[at] == "n") != (shape.kinds[at + 1] == "n"):
                return False
        if shape.history is None:
            return True
        summed = {name for name, _ in shape.history[0]}
        return all(name in summed for at, name in plan.rule.sums if shape.kinds[at] != "n")

    def _held(
        self,
        shape: Shape,
        keys: list[bytes],
        at_rest: Mapping[bytes, Any],
        groups: Groups,
        left: dict[bytes, Sequence[Any]],
    ) -> list[bytes]:
        """Folds into rows of the shape; returns the keys of others."""
        held, numbers, alike = shape.rows([at_rest[key] for key in keys])
        others: list[bytes] = []
        if not alike.all():
            others = [key for key, same in zip(keys, alike.tolist(), strict=True) if not same]
            keys = [key for key, same in zip(keys, alike.tolist(), strict=True) if same]
            if len(keys) < self.least_keys:
                return keys + others
            held, numbers, _ = shape.rows([at_rest[key] for key in keys])
        records = records_of(self.plan, [groups[key] for key in keys])
        bad = self._refused(shape, numbers, records)
        sessions = _sessions(shape, numbers, self.plan)
        folded = fold_columns(self.plan, records, sessions)
        bad |= folded.bad
        touched = np.maximum(_ints(numbers, "touched"), sessions.last)
        numbers["touched"] = touched
        numbers["last_offset"] = records.last_offset
        numbers["records"] += records.count.astype(np.uint32)
        if shape.history is not None:
            accepted = _ints(numbers, "accepted") + records.count
            bad |= accepted >= _MOST_COUNT
            numbers["accepted"] = accepted.astype(np.uint32)
        wake, due = _ints(numbers, "wake"), _ints(numbers, "due")
        sooner = np.minimum(touched + self.plan.rule.ttl_ms, due)
        woken = (wake == 0) | (sooner < wake)
        numbers["wake"] = np.where(woken, sooner, wake)
        bad |= _write(numbers, sessions)
        rows = _kept(keys, shape.cut(held), ~bad)
        self._stage(rows, groups, _moved(keys, ~bad & woken, wake, sooner))
        self._note(records, folded, ~bad, 0)
        if bad.any():
            left.update(
                (key, groups[key]) for key, no in zip(keys, bad.tolist(), strict=True) if no
            )
        return others

    def _refused(self, shape: Shape, numbers: NDArray[Any], records: Records) -> Flags:
        """Rows that take more than a look at columns."""
        chunk = self.chunk
        bad: Flags = (
            (numbers["version"] != self.plan.rule.version)
            | (numbers["partition"] != chunk.partition)
            | (numbers["last_offset"] >= records.first_offset)
            | (numbers["due"] <= records.high)
        )
        for at, topic in enumerate(shape.applied):
            if topic == chunk.topic:
                bad |= (numbers[f"applied_partition{at}"] == chunk.partition) & (
                    numbers[f"applied_offset{at}"] >= records.first_offset
                )
        return bad

    def _begin(self, keys: list[bytes], groups: Groups, left: dict[bytes, Sequence[Any]]) -> None:
        """Begins sessions for keys of which nothing is known."""
        plan, rule = self.plan, self.plan.rule
        records = records_of(plan, [groups[key] for key in keys])
        kinds = kinds_of(plan, records)
        shape = self.shapes.of((self.chunk.topic, (), kinds, None))
        sessions, folded = begin_columns(plan, records, kinds)
        due = np.array([rule.due(began, None) for began in records.began.tolist()], np.int64)
        bad = folded.bad | (records.high >= due)
        held, numbers = shape.new(len(keys))
        numbers["version"] = numbers["due_version"] = rule.version
        numbers["created"], numbers["due"] = records.began, due
        numbers["partition"] = self.chunk.partition
        numbers["first_offset"] = records.first_offset
        numbers["last_offset"] = records.last_offset
        numbers["records"] = records.count.astype(np.uint32)
        touched = np.maximum(sessions.last, 0)
        wake = np.minimum(touched + rule.ttl_ms, due)
        numbers["touched"], numbers["wake"] = touched, wake
        bad |= _write(numbers, sessions)
        rows = _kept(keys, shape.cut(held), ~bad)
        self._stage(rows, groups, _moved(keys, ~bad, np.zeros_like(wake), wake))
        self._note(records, folded, ~bad, int(np.count_nonzero(~bad)))
        if bad.any():
            left.update(
                (key, groups[key]) for key, no in zip(keys, bad.tolist(), strict=True) if no
            )

    def _stage(self, rows: dict[bytes, bytes], groups: Groups, woken: list[Woken]) -> None:
        at, rule, chunk = self.plan.event_id, self.plan.rule, self.chunk
        seen: dict[bytes, list[Any]] = {}
        if at is not None:
            for key in rows:
                flat: list[Any] = []
                for offset, timestamp, values in groups[key]:
                    flat += (values[at], offset, timestamp)
                seen[key] = [chunk.topic, chunk.partition, rule.dedup_ms, flat, 0, 0]
        since = self.shard.marks.blocks + 1
        stage_packed(self.changes, rows, woken, seen, since=since, cached=self.cached)

    def _note(self, records: Records, folded: Folded, kept: Flags, sessions: int) -> None:
        if kept.any():
            rises = [folded.rise(at, kept) for at, _ in self.plan.rule.sums]
            self.ctx.noted(int(records.count[kept].sum()), sessions, rises)


def _kept(keys: list[bytes], rows: list[bytes], kept: Flags) -> dict[bytes, bytes]:
    if kept.all():
        return dict(zip(keys, rows, strict=True))
    return {key: row for key, row, yes in zip(keys, rows, kept.tolist(), strict=True) if yes}


def _moved(keys: list[bytes], moved: Flags, before: Ints, after: Ints) -> list[Woken]:
    at = np.flatnonzero(moved)
    of = [keys[each] for each in at.tolist()]
    return list(zip(of, before[at].tolist(), after[at].tolist(), strict=True))


def _ints(numbers: NDArray[Any], name: str) -> Ints:
    found: Ints = numbers[name].astype(np.int64)
    return found


def _number(letter: str, numbers: NDArray[Any], name: str) -> Numbers:
    if letter == "i":
        return Numbers(_ints(numbers, name))
    chars = np.ascontiguousarray(numbers[name]).view(np.uint8).reshape(len(numbers), WIDTH)
    return parse(chars)


def _sessions(shape: Shape, numbers: NDArray[Any], plan: Plan) -> Sessions:
    accepted = []
    if shape.history is not None:
        letters = dict(shape.history[0])
        accepted = [
            (at, name, _number(letters[name], numbers, f"accepted_sums:{name}"))
            for at, name in plan.rule.sums
            if shape.kinds[at] != "n"
        ]
    held = [
        None if letter == "n" else _number(letter, numbers, f"a{at}")
        for at, letter in enumerate(shape.kinds)
    ]
    first, last, count = (_ints(numbers, name) for name in ("first", "last", "count"))
    return Sessions(first, last, count, held, accepted)


def _write(numbers: NDArray[Any], sessions: Sessions) -> Flags:
    """Puts sessions into the rows; returns which of them are too large for that."""
    numbers["first"], numbers["last"] = sessions.first, sessions.last
    numbers["count"] = sessions.count.astype(np.uint32)
    for at, column in enumerate(sessions.accumulators):
        if column is not None:
            _put(numbers, f"a{at}", column)
    for _, name, column in sessions.accepted:
        _put(numbers, f"accepted_sums:{name}", column)
    large: Flags = sessions.count >= _MOST_COUNT
    return large


def _put(numbers: NDArray[Any], name: str, column: Numbers) -> None:
    if column.places is None:
        numbers[name] = column.units
    else:
        numbers[name] = decimals(column.units, column.places)
