"""Folds many keys of a chunk at once, in columns; what can't be is left for the fold of one key.

See `domain/aggregation/columns.py` for the rules, `tables/packed.py` for the rows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.chunks import Chunk
from agents.packed_sessions import (
    MOST_COUNT,
    MOST_SHORT,
    Woken,
    accepted_of,
    accepts,
    carry,
    kept_rows,
    moved,
    sessions_of,
    write,
)
from domain.aggregation.columns import (
    Folded,
    Plan,
    Records,
    begin_columns,
    fold_columns,
    kinds_of,
    records_of,
)
from domain.aggregation.fold import Fold
from domain.aggregation.number_columns import Flags, Numbers
from tables.changes import Changes
from tables.packed import LOOKS, Layout, Shape, Shapes, ints
from tables.shard import Shard
from tables.sights import known
from tables.staged import stage_packed

LEAST_KEYS = 32  # below that, one at a time is faster
Groups = Mapping[bytes, Sequence[Any]]


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

    def fold(self, groups: Groups, at_rest: Mapping[bytes, Any]) -> dict[bytes, Sequence[Any]]:
        """Folds and stages what it can into rows (`at_rest`); returns the others."""
        rule, partition = self.plan.rule, self.chunk.partition
        left: dict[bytes, Sequence[Any]] = {}
        if rule.version >= MOST_SHORT or not 0 <= partition < MOST_SHORT:
            return dict(groups)
        if self.plan.event_id is not None:
            groups, left = self._first_sights(groups, self.plan.event_id)
        new: list[bytes] = []
        found: dict[int, list[bytes]] = {}
        for key in groups:
            row = at_rest[key]
            if row is None and not self.shard.gone:
                new.append(key)
            elif row.__class__ is bytes:
                found.setdefault(len(row), []).append(key)
            else:
                left[key] = groups[key]
        for length, keys in found.items():
            for shape in self.shapes.by_length.get(length, [])[:LOOKS]:
                if len(keys) >= self.least_keys and self._suits(shape):
                    held = self._closed if shape.topic is None else self._held
                    keys = held(shape, keys, at_rest, groups, left)
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
        if shape.topic is None:
            return True
        if shape.topic != self.chunk.topic or len(shape.kinds) != plan.rule.width:
            return False
        if any(shape.kinds[at] == "d" for at in plan.counters):
            return False
        for at in plan.averages:
            if (shape.kinds[at] == "n") != (shape.kinds[at + 1] == "n"):
                return False
        return accepts(shape, plan, shape.kinds)

    def _held(
        self,
        shape: Shape,
        keys: list[bytes],
        at_rest: Mapping[bytes, Any],
        groups: Groups,
        left: dict[bytes, Sequence[Any]],
    ) -> list[bytes]:
        """Folds into rows of the shape; returns the keys of others."""
        keys, others, held, numbers = shape.among(keys, at_rest)
        if len(keys) < self.least_keys:
            return keys + others
        records = records_of(self.plan, [groups[key] for key in keys])
        bad = self._refused(shape, numbers, records)
        sessions = sessions_of(shape, numbers, self.plan)
        folded = fold_columns(self.plan, records, sessions)
        bad |= folded.bad
        touched = np.maximum(ints(numbers, "touched"), sessions.last)
        numbers["touched"] = touched
        numbers["last_offset"] = records.last_offset
        numbers["records"] += records.count.astype(np.uint32)
        if shape.history is not None:
            bad |= _accept(numbers, records)
        wake, due = ints(numbers, "wake"), ints(numbers, "due")
        sooner = np.minimum(touched + self.plan.rule.ttl_ms, due)
        woken = (wake == 0) | (sooner < wake)
        numbers["wake"] = np.where(woken, sooner, wake)
        bad |= write(numbers, sessions)
        rows = kept_rows(keys, shape.cut(held), ~bad)
        self._stage(rows, groups, moved(keys, ~bad & woken, wake, sooner))
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
        return bad | self._sent_again(shape, numbers, records)

    def _sent_again(self, shape: Shape, numbers: NDArray[Any], records: Records) -> Flags:
        """Rows that know from before their session that a record was applied."""
        chunk, bad = self.chunk, np.zeros(len(numbers), bool)
        for at, topic in enumerate(shape.applied):
            if topic == chunk.topic:
                bad |= (numbers[f"applied_partition{at}"] == chunk.partition) & (
                    numbers[f"applied_offset{at}"] >= records.first_offset
                )
        return bad

    def _closed(
        self,
        shape: Shape,
        keys: list[bytes],
        at_rest: Mapping[bytes, Any],
        groups: Groups,
        left: dict[bytes, Sequence[Any]],
    ) -> list[bytes]:
        """Begins sessions in rows of the shape, which have none; returns the keys of others."""
        keys, others, _, numbers = shape.among(keys, at_rest)
        if len(keys) < self.least_keys:
            return keys + others
        self._begin(keys, groups, left, (shape, numbers))
        return others

    def _begin(
        self,
        keys: list[bytes],
        groups: Groups,
        left: dict[bytes, Sequence[Any]],
        closed: tuple[Shape, NDArray[Any]] | None = None,
    ) -> None:
        """Begins sessions for keys of which nothing is known, or in the rows of `closed`."""
        plan, rule, topic = self.plan, self.plan.rule, self.chunk.topic
        records = records_of(plan, [groups[key] for key in keys])
        kinds = kinds_of(plan, records)
        layout: Layout = (topic, (), kinds, None)
        accepted: list[tuple[int, str, Numbers]] = []
        if closed is not None:
            if not accepts(closed[0], plan, kinds):
                left.update((key, groups[key]) for key in keys)
                return
            layout = (topic, closed[0].applied, kinds, closed[0].history)
            accepted = accepted_of(*closed, plan, kinds)
        shape = self.shapes.of(layout)
        sessions, folded = begin_columns(plan, records, kinds, accepted)
        due = np.array([rule.due(began, None) for began in records.began.tolist()], np.int64)
        bad = folded.bad | (records.high >= due)
        held, numbers = shape.new(len(keys))
        if closed is not None:
            carry(numbers, closed[1])
            bad |= self._sent_again(shape, numbers, records)
            bad |= _accept(numbers, records)
        numbers["version"] = numbers["due_version"] = rule.version
        numbers["created"], numbers["due"] = records.began, due
        numbers["partition"] = self.chunk.partition
        numbers["first_offset"] = records.first_offset
        numbers["last_offset"] = records.last_offset
        numbers["records"] = records.count.astype(np.uint32)
        touched = np.maximum(sessions.last, ints(numbers, "touched"))
        numbers["touched"] = touched
        wake, sooner = ints(numbers, "wake"), np.minimum(touched + rule.ttl_ms, due)
        woken = (wake == 0) | (sooner < wake)
        numbers["wake"] = np.where(woken, sooner, wake)
        bad |= write(numbers, sessions)
        rows = kept_rows(keys, shape.cut(held), ~bad)
        self._stage(rows, groups, moved(keys, ~bad & woken, wake, sooner))
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


def _accept(numbers: NDArray[Any], records: Records) -> Flags:
    """Counts records in histories; returns which of them are too large for that."""
    accepted = ints(numbers, "accepted") + records.count
    numbers["accepted"] = accepted.astype(np.uint32)
    large: Flags = accepted >= MOST_COUNT
    return large
