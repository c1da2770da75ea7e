"""Control totals: in = open + flushed + duplicates + rejected + expired + deleted, and the same for
every sum.

Kept as plain counters while records are folded; derivable from the rows themselves, which is what
recovery does and what the invariant check compares with.
"""

from dataclasses import dataclass, field
from typing import Any

from domain.aggregation.operations import minus, plus
from domain.aggregation.session import History, Row, Session

PLACES = ("in", "open", "flushed", "duplicates", "rejected", "expired", "deleted")
SUM_PLACES = ("in", "open", "flushed", "expired", "deleted")


@dataclass
class Totals:
    """Counts by place and sums by (place, field) of one aggregator on one partition.

    `sessions` are open now. `flushes` counts ended sessions by flush type since the process began.
    """

    count: dict[str, int] = field(default_factory=lambda: dict.fromkeys(PLACES, 0))
    sums: dict[str, dict[str, Any]] = field(
        default_factory=lambda: {place: {} for place in SUM_PLACES}
    )
    sessions: int = 0
    flushes: dict[str, int] = field(default_factory=dict)

    def add(self, place: str, number: int) -> None:
        self.count[place] += number

    def add_sum(self, place: str, name: str, value: Any) -> None:
        if value is not None:
            known = self.sums[place]
            known[name] = plus(known.get(name), value)

    def merge(self, other: "Totals", sign: int = 1) -> None:
        """Adds (or, with sign -1, takes away) another partition's or row's totals."""
        self.sessions += sign * other.sessions
        for flush_type, number in other.flushes.items():
            self.flushes[flush_type] = self.flushes.get(flush_type, 0) + number
        for place, number in other.count.items():
            self.count[place] += sign * number
        combine = plus if sign > 0 else minus
        for place, values in other.sums.items():
            known = self.sums[place]
            for name, value in values.items():
                known[name] = combine(known.get(name), value)

    def balanced(self) -> bool:
        """Whether everything that came in is accounted for."""
        counts = self.count
        if counts["in"] != sum(counts[place] for place in PLACES[1:]):
            return False
        names = {name for values in self.sums.values() for name in values}
        return all(
            (self.sums["in"].get(name) or 0)
            == _total(self.sums[place].get(name) for place in SUM_PLACES[1:])
            for name in names
        )

    def as_json(
        self, aggregator: str, result_names: dict[str, str] | None = None
    ) -> dict[str, Any]:
        """The shape of aggregation.md §7.5; `result_names` maps a summed field to the result it is
        printed as.
        """
        names = sorted({name for values in self.sums.values() for name in values})
        shown = {name: (result_names or {}).get(name, f"sum_{name}") for name in names}
        return {
            "aggregator": aggregator,
            "count": dict(self.count),
            "sums": {
                shown[name]: {place: self.sums[place].get(name) or 0 for place in SUM_PLACES}
                for name in names
            },
            "balanced": self.balanced(),
        }


def _total(values: Any) -> Any:
    total: Any = 0
    for value in values:
        total = plus(total, value)
    return total


def session_sums(session: Session, sums: tuple[tuple[int, str], ...]) -> dict[str, Any]:
    """The sums of a session by field, those of operations that a later version dropped included."""
    found = {name: session.accumulators[at] for at, name in sums}
    for key, accumulators in (session.dropped or {}).items():
        operation, _, name = key.partition(":")
        if operation == "sum" and name not in found:
            found[name] = accumulators[0]
    return {name: value for name, value in found.items() if value is not None}


def contribution(row: Row, sums: tuple[tuple[int, str], ...]) -> Totals:
    """What one row stands for in the control totals. `sums` is that of the rule of the open
    session's version.
    """
    totals = Totals()
    session, history = row.open, row.history
    if session is not None:
        totals.sessions = 1
        totals.add("open", session.count)
        for name, value in session_sums(session, sums).items():
            totals.add_sum("open", name, value)
    if history is None:
        totals.count["in"] = totals.count["open"]
        totals.sums["in"] = dict(totals.sums["open"])
        return totals
    _add_history(totals, history)
    return totals


def _add_history(totals: Totals, history: History) -> None:
    counts = (
        history.accepted,
        history.flushed,
        history.duplicates,
        history.rejected,
        history.expired,
        history.deleted,
    )
    for place, number in zip(
        ("in", "flushed", "duplicates", "rejected", "expired", "deleted"), counts, strict=True
    ):
        totals.add(place, number)
    for place, values in (
        ("in", history.accepted_sums),
        ("flushed", history.flushed_sums),
        ("expired", history.expired_sums),
        ("deleted", history.deleted_sums),
    ):
        for name, value in values.items():
            totals.add_sum(place, name, exact_sum(value))


def exact_sum(value: Any) -> Any:
    """A sum as it is kept at rest (decimals are text there) as a number."""
    from decimal import Decimal

    return Decimal(value) if isinstance(value, str) else value
