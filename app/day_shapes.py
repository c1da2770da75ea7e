"""The shapes of the daily reconciliation and of flushes sent again (see app/shapes.py)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.shapes import Number


@dataclass(frozen=True)
class DayFlushes:
    """What went out on one day with one flush type; sums by result name."""

    type: str
    flushes: int
    records: int
    sums: Mapping[str, Number]


@dataclass(frozen=True)
class DayTotals:
    """One aggregator on one day.

    `count` keys: opening in flushed duplicates rejected expired deleted open, where opening + in is
    the sum of the others; `sums` maps a result name to opening in flushed expired deleted open.
    """

    aggregator: str
    count: Mapping[str, int]
    sums: Mapping[str, Mapping[str, Number]]
    flushes: Sequence[DayFlushes]
    balanced: bool


@dataclass(frozen=True)
class Day:
    """The reconciliation of a UTC day, between two cuts of the control totals."""

    day: str
    from_ms: int
    to_ms: int
    items: Sequence[DayTotals]
    balanced: bool


@dataclass(frozen=True)
class Retractable:
    """What taking an event back would do: it was counted in the session `key`, from the record at
    `topic`, `partition`, `offset` whose bytes are `value`, and the flush `id` would correct it.
    `session_id` is the flush of the open session that counted it, which goes out before; None when
    that has flushed. `repeated`: all that has happened before."""

    id: str
    aggregator: str
    key: str
    topic: str
    partition: int
    offset: int
    value: bytes
    repeated: bool = False
    session_id: str | None = None
    session_records: int = 0


@dataclass(frozen=True)
class Retracted:
    """An event that was taken back by the flush `id`, out of the session `key`. `done` False: it
    will be, durably. `repeated`: it had been before."""

    id: str
    aggregator: str
    key: str
    done: bool
    repeated: bool = False


@dataclass(frozen=True)
class Resent:
    """A flush that was sent again, and where its newest copy lies. `repeated`: there was such a
    call."""

    id: str
    topic: str
    partition: int
    offset: int
    repeated: bool = False
