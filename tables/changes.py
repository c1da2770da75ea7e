"""What one commit of a shard changes."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from domain.aggregation.session import Row
from domain.aggregation.totals import Totals
from tables.blocks import Firsts
from tables.changelog import Change

Output = tuple[str, bytes | None, bytes]
"""(public topic, key, value)"""
Send = Callable[[list[Output]], Awaitable[None]]
Source = tuple[int, str, int, str]
"""(path: 0 direct, 1 routed, 2 handed on; public topic; partition; aggregator): what comes from one
is applied in the order of offsets.
"""


@dataclass
class Changes:
    """What a batch or a tick decided: rows by row key with their time to live, positions and
    totals.
    """

    rows: dict[bytes, tuple[Row, int]] = field(default_factory=dict)
    applied: dict[Source, int] = field(default_factory=dict)
    totals: dict[str, Totals] = field(default_factory=dict)
    effective_now: int = 0
    retire: list[bytes] = field(default_factory=list)
    dropped: list[bytes] = field(default_factory=list)
    """Index keys that were looked at and are no longer wanted."""
    forget: list[bytes] = field(default_factory=list)
    """Keys of records no longer to be remembered: event ids, answers to commands."""
    wake_up_to: bytes = b""
    forget_up_to: bytes = b""
    """All keys of the due and of the forget index up to these are among `dropped`."""
    lowest_wake: bytes = b"\xff"
    lowest_forget: bytes = b"\xff"
    """The first keys that are added to these indexes: found out by the commit."""
    outputs: list[Output] = field(default_factory=list)
    """Outputs of no row: for a shard without a changelog only."""
    kept: dict[bytes, bytes] = field(default_factory=dict)
    """Further records of the same write batch, in the changelog too."""
    gone: dict[bytes, Row] = field(default_factory=dict)
    sights: dict[bytes, list[Any]] = field(default_factory=dict)
    firsts: Firsts = field(default_factory=dict)
    """`gone`: rows that live on another shard now; `sights`: of a row that comes, by their keys;
    `firsts`: of rows that were staged."""
    rewoken: dict[bytes, tuple[Row, int]] = field(default_factory=dict)
    """Rows whose only change is when to look at them again: (row, instant)."""
    staged: dict[bytes, Row | bytes | None] = field(default_factory=dict)
    """What `Shard.stage` took from `rows`, None for rows not to be cached; and what it made."""
    log: list[Change] = field(default_factory=list)
    puts: list[tuple[bytes, bytes]] = field(default_factory=list)
    sent: list[Output] = field(default_factory=list)

    def note(self, aggregator: str, totals: Totals) -> None:
        """Takes over how the control totals of an aggregator change."""
        known = self.totals.get(aggregator)
        if known is None:
            self.totals[aggregator] = totals
        else:
            known.merge(totals)
