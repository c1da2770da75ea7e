"""Up to which instant timers may go: what came before it has been read.

A lease whose answer waits to be read is not over. So a shard's timers go up to an instant at which
everything that was there on the inputs has reached the shard. Waiting for that has an end: a second
later they go on, and what is read then counts as late.
"""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from connectors.streams.base import Log

TP = tuple[str, int]
PATIENCE_S = 1.0


@dataclass
class _Mark:
    """Where the inputs ended at an instant of the product's clock."""

    at_ms: int
    ends: dict[TP, int]
    since_s: float


class Frontier:
    """The inputs of this worker, by physical topic; `own` is the one that its shards read."""

    def __init__(self, log: Log, group: str, own: str) -> None:
        self._log = log
        self._group = group
        self._own = own
        self._inputs: set[TP] = set()
        self._read: dict[TP, int] = {}
        self._mark: _Mark | None = None
        self._shards: dict[int, _Mark] = {}
        self._until: dict[int, int] = {}

    def assign(self, inputs: set[TP]) -> None:
        """These inputs are read here from now on; what was read elsewhere is not known."""
        self._inputs = inputs
        # in place of the old ones, which a look that is under way still holds
        self._read, self._shards, self._until = {}, {}, {}
        self._mark = None

    def read(self, topic: str, partition: int, next_offset: int) -> None:
        """A batch is done with."""
        self._read[topic, partition] = next_offset

    @property
    def positions(self) -> Mapping[TP, int]:
        """Next offset by partition, of what was read here since the last assignment."""
        return self._read

    async def reached(self, shards: Iterable[int], now_ms: int) -> dict[int, int]:
        """By shard, the instant up to which its timers may go: none when other inputs were assigned
        meanwhile.
        """
        now_s = asyncio.get_running_loop().time()
        read, marks, until = self._read, self._shards, self._until
        own = [(self._own, number) for number in shards]
        mark = self._mark
        if mark is None:
            mark = _Mark(now_ms, await self._log.end_offsets(self._inputs), now_s)
        passed = await self._passed(mark, read, now_s)
        if passed:
            ends = await self._log.end_offsets(own)
            for tp in own:
                marks.setdefault(tp[1], _Mark(mark.at_ms, {tp: ends[tp]}, mark.since_s))
        for _, number in own:
            waiting = marks.get(number)
            if waiting is not None and await self._passed(waiting, read, now_s):
                until[number] = max(waiting.at_ms, until.get(number, 0))
                if now_s - waiting.since_s > PATIENCE_S:
                    until[number] = now_ms
                del marks[number]
        if until is not self._until:
            return {number: 0 for _, number in own}
        self._mark = None if passed else mark
        return {number: until.get(number, 0) for _, number in own}

    async def _passed(self, mark: _Mark, read: dict[TP, int], now_s: float) -> bool:
        if now_s - mark.since_s > PATIENCE_S:
            return True
        unknown = [tp for tp in mark.ends if tp not in read]
        for tp, start in (await self._log.committed(self._group, unknown)).items():
            if start is None:
                start = (await self._log.begin_offsets([tp]))[tp]
            read.setdefault(tp, start)  # a batch may have come meanwhile
        return all(read[tp] >= end for tp, end in mark.ends.items())
