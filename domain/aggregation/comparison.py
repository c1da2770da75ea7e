"""Flushes of one group under two documents side by side: what is the same, and what differs by how
much.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal

from domain.aggregation.document import Operation
from domain.aggregation.numbers import Number, average
from domain.aggregation.operations import minus, plus
from domain.aggregation.rule import Rule

Status = Literal["same", "moved", "differs", "only_now", "only_what_if"]
"""`same`: the same flushes, value by value. `moved`: the same figures, flushed by another rule or
at another time. `differs`: other flushes, or others of their values. `only_now`, `only_what_if`:
one side has none.
"""
STATUSES: tuple[Status, ...] = ("same", "moved", "differs", "only_now", "only_what_if")
ADDITIVE = frozenset({"sum", "count"})

Record = Mapping[str, Any]
"""A flushed record, numbers as int and Decimal."""


@dataclass(frozen=True)
class Difference:
    """One result of a group: over all of its flushes on each side, and what-if less now where both
    are numbers (of a side without flushes a sum or a count is 0). None where flushes of an
    operation can't be combined."""

    now: Any
    what_if: Any
    difference: Number | None


@dataclass(frozen=True)
class Compared:
    """How the two sides of one group differ; `results` by name, only those that both sides have."""

    status: Status
    results: Mapping[str, Difference] = field(default_factory=dict)


def compare(
    now: Sequence[Record],
    what_if: Sequence[Record],
    now_operations: Mapping[str, Operation],
    operations: Mapping[str, Operation],
) -> Compared:
    """Compares the flushes of one group, each side in the order of its sequence. `…operations` are
    by the name of the result."""
    common = [name for name in operations if name in now_operations]
    status = _status(now, what_if, common)
    if status in ("same", "moved"):
        return Compared(status)
    results = {}
    for name in common:
        ours, theirs = operations[name], now_operations[name]
        before, after = combined(now, theirs), combined(what_if, ours)
        additive = {ours.operation, theirs.operation} <= ADDITIVE
        results[name] = Difference(before, after, _difference(before, after, additive))
    return Compared(status, results)


def operations_of(rule: Rule) -> dict[str, Operation]:
    """The operations of a document by the name of their result."""
    return {slot.operation.name: slot.operation for slot in rule.slots}


def _status(now: Sequence[Record], what_if: Sequence[Record], common: Sequence[str]) -> Status:
    if not what_if:
        return "only_now"
    if not now:
        return "only_what_if"
    before = {_made_of(record): record for record in now}
    after = {_made_of(record): record for record in what_if}
    if before.keys() != after.keys():
        return "differs"
    moved = False
    for made_of, record in before.items():
        other = after[made_of]
        if any(not same(record["values"].get(n), other["values"].get(n)) for n in common):
            return "differs"
        moved = moved or _how(record) != _how(other)
    return "moved" if moved else "same"


def _made_of(record: Record) -> tuple[Any, ...]:
    """The positions of its records. Not the id: that tells which of them came first, and of two
    partitions' records of the same instant either may."""
    sources = record["explain"]["sources"]
    return tuple(
        sorted((s["topic"], s["partition"], s["first"], s["last"], s["count"]) for s in sources)
    )


def _how(record: Record) -> tuple[Any, ...]:
    explain, meta = record["explain"], record["meta"]
    return meta["flushType"], explain["rule"], explain["due"]


def same(left: Any, right: Any) -> bool:
    """Equal as JSON values are: 1 and 1.0 are, 1 and true are not."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    return bool(left == right)


def combined(records: Sequence[Record], operation: Operation) -> Any:
    """A result over several flushes of a group; None when it can't be had from them."""
    name = operation.name
    if operation.operation == "average" and len(records) > 1:
        return _averaged([record["parts"].get(name) for record in records], operation.scale)
    given = [record["values"].get(name) for record in records]
    given = [value for value in given if value is not None]
    if len(records) <= 1:
        return given[0] if given else None
    combine = _COMBINE.get(operation.operation)
    return combine(given) if combine is not None and given else None


def _added(values: Sequence[Number]) -> Number | None:
    total: Number | None = None
    for value in values:
        total = plus(total, value)
    return total


def _averaged(parts: Sequence[Mapping[str, Any] | None], scale: int) -> Any:
    held = [part for part in parts if part is not None and part["n"]]
    if not held:
        return None
    total, number = _added([part["sum"] for part in held]), sum(part["n"] for part in held)
    # what was taken back counts below nothing, and may be all there is
    return average(total or 0, number, scale) if number > 0 else None


_COMBINE: Mapping[str, Callable[[Sequence[Any]], Any]] = {
    "sum": _added,
    "count": _added,
    "max": max,
    "min": min,
    "date_max": max,
    "date_min": min,
    "carry_first": lambda values: values[0],
    "carry_last": lambda values: values[-1],
}


def _difference(before: Any, after: Any, additive: bool) -> Number | None:
    if _is_number(before) and _is_number(after):
        return minus(after, before)
    if additive and before is None and _is_number(after):
        return minus(after, None)
    if additive and after is None and _is_number(before):
        return minus(None, before)
    return None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | Decimal) and not isinstance(value, bool)
