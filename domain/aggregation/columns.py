"""The fold of many keys at once, in columns: what `compiled.py` does for one key, for documents
that need no more than sums, extremes and counts.

It takes sessions that are open, not due and of the same version, or begins new ones; whatever is
out of the ordinary is told apart (`bad`), unchanged, for the fold of one key. Both give the same
figures; a decimal may have more zeros behind its point here.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain
from operator import itemgetter
from typing import Any

import numpy as np

from domain.aggregation.number_columns import Flags, Ints, Numbers, add, exact_sum, scaled, taken
from domain.aggregation.numbers import Number
from domain.aggregation.rule import Rule

MOST_RECORDS = 64  # of a key: that many numbers below LIMIT can't leave 64 bits
_NUMBERS = ("sum", "max", "min", "average")


@dataclass(frozen=True)
class Step:
    """One operation: its accumulator, and which of the values of a record it takes."""

    operation: str
    at: int
    value: int


@dataclass(frozen=True)
class Plan:
    """How a rule is folded in columns."""

    rule: Rule
    steps: tuple[Step, ...]
    numbers: frozenset[int]
    """Which values are numbers; the others tell whether something is present."""
    counters: tuple[int, ...]
    """Accumulators that count, and are never decimals."""
    averages: tuple[int, ...]
    """The first accumulators of averages; behind each stands its counter."""
    event_id: int | None
    """Which value is the event's id. A known one, or one that comes twice, is not for columns."""


def plan_of(rule: Rule) -> Plan | None:
    """None for documents that are folded by the key."""
    document = rule.document
    timeout = document.flush.timeout
    if document.flush.conditions is not None:
        return None
    if timeout is not None and timeout.kind == "timestamp_field":
        return None
    places = {(item.kind, item.field): at for at, item in enumerate(rule.inputs)}
    steps = []
    for slot in rule.slots:
        operation = slot.operation
        if operation.field == "*":
            continue
        if operation.operation in _NUMBERS:
            value = places["number", operation.field]
        elif operation.operation == "count":
            value = places["present", operation.field]
        else:
            return None
        steps.append(Step(operation.operation, slot.at, value))
    numbers = frozenset(step.value for step in steps if step.operation in _NUMBERS)
    counters = [step.at for step in steps if step.operation == "count"]
    averages = [step.at for step in steps if step.operation == "average"]
    counters += [at + 1 for at in averages]
    event_id = places.get(("event_id", document.event_id or ""))
    return Plan(rule, tuple(steps), numbers, tuple(counters), tuple(averages), event_id)


@dataclass
class Records:
    """Records by key, one after the other: `starts` is where those of a key begin (None: each key
    has one). Arrays without a word are by key.
    """

    starts: Ints | None
    count: Ints
    key_of: Ints | None
    """By record, its key."""
    first_offset: Ints
    last_offset: Ints
    began: Ints
    """The timestamp of the first one."""
    low: Ints
    high: Ints
    numbers: dict[int, Numbers]
    """By record, of each value."""
    present: dict[int, Ints]
    absent: dict[int, Flags]
    """By key, of numbers that some records lack: whether all of its records do. Those of which
    only some do are `bad`."""
    bad: Flags

    def by_key(self, flags: Flags) -> Flags:
        """Whether any record of a key has it."""
        return flags if self.starts is None else np.logical_or.reduceat(flags, self.starts)

    def all_whole(self, value: int) -> Flags:
        """By key, whether the numbers are ints."""
        return ~self.by_key(~self._whole(value))

    def any_whole(self, value: int) -> Flags:
        """By key, whether one of the numbers is an int."""
        return self.by_key(self._whole(value))

    def _whole(self, value: int) -> Flags:
        found = self.numbers[value]
        if found.whole is not None:
            return found.whole
        return np.full(len(found.units), found.places is None)


def records_of(plan: Plan, groups: Sequence[Sequence[Any]]) -> Records:
    """Entries (offset, timestamp, values) of each key, in order; no key is without any."""
    lengths = list(map(len, groups))
    n = len(lengths)
    flat = list(chain.from_iterable(groups))
    offsets = np.fromiter(map(itemgetter(0), flat), np.int64, len(flat))
    timestamps = np.fromiter(map(itemgetter(1), flat), np.int64, len(flat))
    values = list(map(itemgetter(2), flat))
    numbers = {at: taken(list(map(itemgetter(at), values))) for at in plan.numbers}
    present = {
        step.value: np.fromiter(map(bool, map(itemgetter(step.value), values)), np.int64, len(flat))
        for step in plan.steps
        if step.operation == "count"
    }
    count = np.array(lengths, np.int64)
    if len(flat) == n:
        found = Records(
            None, count, None, offsets, offsets, timestamps, timestamps, timestamps, numbers,
            present, {}, np.zeros(n, bool),
        )  # fmt: skip
    else:
        ends = np.cumsum(count)
        starts = ends - count
        present = {at: np.add.reduceat(column, starts) for at, column in present.items()}
        found = Records(
            starts, count, np.repeat(np.arange(n), count), offsets[starts], offsets[ends - 1],
            timestamps[starts], np.minimum.reduceat(timestamps, starts),
            np.maximum.reduceat(timestamps, starts), numbers, present, {}, count > MOST_RECORDS,
        )  # fmt: skip
        later = np.ones(len(flat), bool)
        later[1:] = offsets[1:] > offsets[:-1]
        later[starts] = True
        found.bad |= found.by_key(~later)  # one was sent again, as it may be
    for at, column in numbers.items():
        if column.bad is not None:
            found.bad |= found.by_key(column.bad)
        if column.absent is not None:
            found.absent[at] = ~found.by_key(~column.absent)
            found.bad |= found.by_key(column.absent) & ~found.absent[at]
    return found


@dataclass
class Sessions:
    """What is folded into, by key. An accumulator without places is an int, None has nothing."""

    first: Ints
    last: Ints
    count: Ints
    accumulators: list[Numbers | None]
    accepted: list[tuple[int, str, Numbers]] = field(default_factory=list)
    """Of keys with a history: (accumulator, field, what was ever added to it)."""


@dataclass
class Folded:
    """What came of it: sessions and `rises` have no meaning where `bad`. `rises` are by
    accumulator.
    """

    bad: Flags
    rises: dict[int, Numbers]
    absent: dict[int, Flags]
    """By accumulator, keys whose sum got nothing."""

    def rise(self, at: int, kept: Flags) -> Number | None:
        """By how much the sum rose in those that are kept; None when nothing was added."""
        rise = self.rises.get(at)
        if at in self.absent:
            kept = kept & ~self.absent[at]
        if rise is None or not kept.any():
            return None
        return exact_sum(rise.units[kept], None if rise.places is None else rise.places[kept])


def fold_columns(plan: Plan, records: Records, sessions: Sessions) -> Folded:
    """Folds the records of open sessions into them, in place."""
    folded = _folded(plan, records, sessions, begun=False)
    np.minimum(sessions.first, records.low, out=sessions.first)
    np.maximum(sessions.last, records.high, out=sessions.last)
    sessions.count += records.count
    return folded


def begin_columns(
    plan: Plan, records: Records, kinds: str, accepted: list[tuple[int, str, Numbers]]
) -> tuple[Sessions, Folded]:
    """New sessions, with accumulators of those `kinds`: i, d for decimals, n for nothing yet."""
    n = len(records.count)
    accumulators = [
        None
        if kind == "n"
        else Numbers(np.zeros(n, np.int64), np.zeros(n, np.int64) if kind == "d" else None)
        for kind in kinds
    ]
    first, last, count = records.low.copy(), records.high.copy(), records.count.copy()
    sessions = Sessions(first, last, count, accumulators, accepted)
    return sessions, _folded(plan, records, sessions, begun=True)


def kinds_of(plan: Plan, records: Records) -> str:
    """The kinds of accumulators that suit most of the keys, were they new."""
    kinds = ["i"] * plan.rule.width
    for step in plan.steps:
        if step.operation == "count":
            if 2 * np.count_nonzero(records.present[step.value]) < len(records.count):
                kinds[step.at] = "n"
            continue
        whole, absent = records.all_whole(step.value), records.absent.get(step.value)
        there = np.ones_like(whole) if absent is None else ~absent
        number = np.count_nonzero(there)
        if 2 * number < len(whole):
            kinds[step.at] = "n"
            if step.operation == "average":
                kinds[step.at + 1] = "n"
        elif 2 * np.count_nonzero(whole & there) < number:
            kinds[step.at] = "d"
    return "".join(kinds)


def _folded(plan: Plan, records: Records, sessions: Sessions, *, begun: bool) -> Folded:
    folded = Folded(records.bad.copy(), {}, {})
    for step in plan.steps:
        held = sessions.accumulators[step.at]
        if step.operation == "count":
            there = records.present[step.value]
            if held is None:
                folded.bad |= there > 0
            else:
                if begun:
                    folded.bad |= there == 0  # nothing yet, which is another thing than 0
                held.units += there
            continue
        absent = records.absent.get(step.value)
        if held is None:
            folded.bad |= True if absent is None else ~absent
        else:
            _fold_number(step, records, held, folded, begun=begun)
            if absent is not None and begun:
                folded.bad |= absent
        counted = sessions.accumulators[step.at + 1] if step.operation == "average" else None
        if counted is not None:
            counted.units += records.count if absent is None else records.count * ~absent
    for at, _, accepted in sessions.accepted:
        add(accepted, folded.rises[at], folded.bad)
    return folded


def _fold_number(
    step: Step, records: Records, held: Numbers, folded: Folded, *, begun: bool
) -> None:
    absent = records.absent.get(step.value)
    if step.operation in ("sum", "average"):
        if begun:
            # a decimal at once, as the first is one
            folded.bad |= records.all_whole(step.value) != (held.places is None)
        rise = _sums(records, step.value, held, folded.bad)
        add(held, rise, folded.bad)
        folded.rises[step.at] = rise
        if absent is not None:
            folded.absent[step.at] = absent
        return
    units, places = held.units, held.places
    _extremes(step.operation, step.value, records, held, folded.bad, begun=begun)
    if absent is not None:
        held.units = np.where(absent, units, held.units)
        if places is not None and held.places is not None:
            held.places = np.where(absent, places, held.places)


def _sums(records: Records, value: int, held: Numbers, bad: Flags) -> Numbers:
    """What the records of each key come to: ints if `held` are, else decimals."""
    column, starts = records.numbers[value], records.starts
    if held.places is None or column.places is None:
        if held.places is None:
            bad |= ~records.all_whole(value)
        units = column.units if starts is None else np.add.reduceat(column.units, starts)
        return Numbers(units, None if held.places is None else np.zeros_like(units))
    if starts is None:
        return Numbers(column.units, column.places)
    places = np.maximum.reduceat(column.places, starts)
    units, large = scaled(column.units, places[records.key_of] - column.places)
    bad |= records.by_key(large)
    return Numbers(np.add.reduceat(units, starts), places)


def _extremes(
    operation: str, value: int, records: Records, held: Numbers, bad: Flags, *, begun: bool
) -> None:
    """Takes the largest or the smallest, in place. An int among decimals would stay one."""
    column, starts = records.numbers[value], records.starts
    better = np.maximum if operation == "max" else np.minimum
    if held.places is None:
        bad |= ~records.all_whole(value)
        units = column.units if starts is None else better.reduceat(column.units, starts)
        held.units = units.copy() if begun else better(held.units, units)
        return
    absent = records.absent.get(value)
    bad |= records.any_whole(value) if absent is None else records.any_whole(value) & ~absent
    if column.places is None:
        return
    if starts is None:
        units, places = column.units, column.places
    else:
        places = np.maximum.reduceat(column.places, starts)
        units, large = scaled(column.units, places[records.key_of] - column.places)
        bad |= records.by_key(large)
        units = better.reduceat(units, starts)
    if begun:
        held.units, held.places = units.copy(), places.copy()
        return
    most = np.maximum(held.places, places)
    mine, large = scaled(held.units, most - held.places)
    other, also = scaled(units, most - places)
    bad |= large | also
    held.units, held.places = better(mine, other), most
