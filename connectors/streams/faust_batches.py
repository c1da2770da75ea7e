"""Which batches of each partition are handed out, and how far the acknowledged prefix reaches.

Pure bookkeeping, shared by the consumers of both transports. It stands in for Faust's own, which
commits past a message still in work, stalls on gaps and counts per record
(faust-streaming 0.15.3, `Consumer._new_offset`, `_add_gap`; faust issues 606, 60).
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from connectors.streams.base import TP
from domain.errors import Invariant

# Batches of one partition that may wait unacknowledged: one in work, one decoded ahead, two on
# the way. More only costs memory: 4 x 4 MiB a partition.
LIMIT = 4


@dataclass(slots=True)
class _Batch:
    ticket: int
    next_offset: int
    acknowledged: bool = False


@dataclass(slots=True)
class _Lane:
    """One partition. Every offset here is exclusive: that of the record that would follow."""

    batches: deque[_Batch] = field(default_factory=deque)
    handed_out: int | None = None
    prefix: int | None = None
    committed: int | None = None


class InFlight:
    """Batches from hand-out to commit.

    A batch is handed out under a ticket and acknowledged with it, in any order; only what lies
    before the first unacknowledged batch may be committed. `clear` voids all tickets: an
    acknowledgement that comes later changes nothing.
    """

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._lanes: dict[TP, _Lane] = {}
        self._tickets = 0

    def room(self, tp: TP) -> int:
        """How many more batches of the partition may be handed out now."""
        lane = self._lanes.get(tp)
        return self._limit if lane is None else self._limit - len(lane.batches)

    def start_at(self, tp: TP, committed: int | None) -> None:
        """The partition is read from the committed offset (None: never committed) on."""
        self._lanes[tp] = _Lane(handed_out=committed, prefix=committed, committed=committed)

    def hand_out(self, tp: TP, first_offset: int, next_offset: int) -> int:
        """Notes a batch of records `first_offset` <= o < `next_offset`; returns its ticket.

        Raises Invariant when offsets do not rise or there is no room.
        """
        lane = self._lanes.setdefault(tp, _Lane())
        if lane.handed_out is not None and first_offset < lane.handed_out:
            detail = f"{tp[0]}[{tp[1]}]: {first_offset} after {lane.handed_out}"
            raise Invariant("offsets rise per partition", detail)
        if next_offset <= first_offset:
            detail = f"{tp[0]}[{tp[1]}]: batch from {first_offset} ends before {next_offset}"
            raise Invariant("offsets rise per partition", detail)
        if len(lane.batches) >= self._limit:
            detail = f"{tp[0]}[{tp[1]}]: more than {self._limit} batches wait"
            raise Invariant("batches in flight are bounded", detail)
        self._tickets += 1
        lane.batches.append(_Batch(self._tickets, next_offset))
        lane.handed_out = next_offset
        return self._tickets

    def acknowledge(self, tp: TP, ticket: int) -> bool:
        """Marks a batch as done; False when its ticket is void or was used before."""
        lane = self._lanes.get(tp)
        if lane is None:
            return False
        for batch in lane.batches:
            if batch.ticket == ticket:
                if batch.acknowledged:
                    return False
                batch.acknowledged = True
                break
        else:
            return False
        while lane.batches and lane.batches[0].acknowledged:
            lane.prefix = lane.batches.popleft().next_offset
        return True

    def committable(self) -> dict[TP, int]:
        """The next offset of every partition whose acknowledged prefix is not committed yet."""
        return {
            tp: lane.prefix
            for tp, lane in self._lanes.items()
            if lane.prefix is not None and lane.prefix != lane.committed
        }

    def committed(self, offsets: Iterable[tuple[TP, int]]) -> None:
        """The stream has these; raises Invariant when one would go back."""
        for tp, offset in offsets:
            lane = self._lanes.get(tp)
            if lane is None:
                continue
            if lane.committed is not None and offset < lane.committed:
                detail = f"{tp[0]}[{tp[1]}]: {offset} after {lane.committed}"
                raise Invariant("committed offsets rise", detail)
            lane.committed = offset

    def unacknowledged(self) -> int:
        """Batches handed out and neither acknowledged nor cleared."""
        return sum(
            not batch.acknowledged for lane in self._lanes.values() for batch in lane.batches
        )

    def clear(self, tps: Iterable[TP] | None = None) -> None:
        """Forgets the given partitions, or all: they are read again from the committed offset."""
        if tps is None:
            self._lanes.clear()
            return
        for tp in tps:
            self._lanes.pop(tp, None)
