"""Adds up what groups differ by: counts of everything, the first groups themselves."""

from collections.abc import Mapping, Sequence
from typing import Any

from app.facade.shown import open_session
from app.facade.sides import Sides
from app.history_shapes import GroupCompared, WhatIf
from domain.aggregation.comparison import ADDITIVE, STATUSES, Difference, compare, operations_of
from domain.aggregation.document import Operation
from domain.aggregation.operations import exact_json, minus, plus
from domain.aggregation.rule import Rule
from domain.errors import SluiceError
from tables.documents import Documents

SHOWN_GROUPS = 1_000
SHOWN_FLUSHES = 10  # of a group and side
SHOWN_OPEN = 100
MOST_FLUSHES = 20_000  # of a group and side: they are compared in memory


class GroupTooLarge(SluiceError):
    """One group has more flushes than can be compared (413)."""

    def __init__(self, key: str, number: int) -> None:
        super().__init__(
            f"the group {key} has {number:,} flushes since then, a preview compares "
            f"{MOST_FLUSHES:,} of a group at most; give a later --since"
        )


class Tally:
    """Takes one group after the other."""

    def __init__(self, rule: Rule, documents: Documents) -> None:
        self._rule = rule
        self._documents = documents
        self._operations = operations_of(rule)
        self._before: dict[str, Operation] = {}
        self._groups = dict.fromkeys(STATUSES, 0)
        self._items: list[GroupCompared] = []
        self._open: list[bytes] = []
        # result -> [now, what-if] of what adds up
        self._totals: dict[str, list[Any]] = {}

    def take(self, row_key: bytes, sides: Sides) -> None:
        """Compares one group. Raises GroupTooLarge."""
        happened, what_if, row = sides
        if max(len(happened), len(what_if)) > MOST_FLUSHES:
            key = row_key.split(b"\0", 2)[2].decode()
            raise GroupTooLarge(key, max(len(happened), len(what_if)))
        opened = None if row is None else open_session(row_key, row, lambda _n, _v: self._rule)
        if opened is not None and len(self._open) < SHOWN_OPEN:
            self._open.append(opened)
        if not happened and not what_if:
            return
        now = [exact_json(text) for text in happened]
        then = [exact_json(text) for text in what_if]
        before = self._operations_now(now)
        self._add(0, now, before)
        self._add(1, then, self._operations)
        compared = compare(now, then, before or self._operations, self._operations)
        self._groups[compared.status] += 1
        if compared.status != "same" and len(self._items) < SHOWN_GROUPS:
            self._items.append(
                GroupCompared(
                    compared.status, (now or then)[0], happened[:SHOWN_FLUSHES],
                    what_if[:SHOWN_FLUSHES], len(happened), len(what_if), opened, compared.results,
                )
            )  # fmt: skip

    def _operations_now(self, now: Sequence[Mapping[str, Any]]) -> dict[str, Operation]:
        """The operations of the results that the flushes have, by their newest version."""
        found: dict[str, Operation] = {}
        for version in sorted({record["version"] for record in now}):
            found |= operations_of(self._documents.rule(self._rule.name, version))
        self._before |= found
        return found

    def _add(
        self, side: int, records: Sequence[Mapping[str, Any]], operations: Mapping[str, Operation]
    ) -> None:
        for name, operation in operations.items():
            if operation.operation not in ADDITIVE:
                continue
            held = self._totals.setdefault(name, [None, None])
            for record in records:
                held[side] = plus(held[side], record["values"].get(name))

    def result(self, **counts: Any) -> WhatIf:
        """All of it; `counts` are the other fields."""
        before = self._before or self._operations
        common = [name for name in self._operations if name in before]
        totals = {
            name: Difference(now, then, minus(then, now))
            for name, (now, then) in self._totals.items()
            if name in common
        }
        return WhatIf(
            groups=dict(self._groups),
            totals=totals,
            added=[name for name in self._operations if name not in before],
            dropped=[name for name in before if name not in self._operations],
            items=self._items,
            open=self._open,
            **counts,
        )
