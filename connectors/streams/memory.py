"""A log in memory, for trials of everything above it: it can be stopped in the middle of an append.

Not durable, not for several loops. `Killed` stands for the end of the process: nobody catches it.
"""

import asyncio
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Sequence
from operator import itemgetter

from connectors.streams.base import TP, Item, Row, Slice, TopicDescription, TopicSpec, UnknownTopic
from domain.clock import Clock

DAY_MS = 86_400_000
WAIT_S = 0.002  # a read at the end waits no longer, so that trials go fast


class Killed(BaseException):
    """The process ends here."""


class MemoryLog:
    """See `connectors/streams/base.py`. `survives(topic, n)` says how many of n rows an append
    leaves in the log; if not all of them, it ends in Killed."""

    def __init__(self, clock: Clock, survives: Callable[[str, int], int] = lambda _t, n: n) -> None:
        self.clock = clock
        self.survives = survives
        self.rows: dict[TP, list[Item]] = {}
        self.counts: dict[str, int] = {}
        self.positions: dict[tuple[str, TP], int] = {}

    async def start(self) -> None:
        """Nothing to open."""

    async def stop(self) -> None:
        """Nothing to close."""

    def _partition(self, topic: str, partition: int) -> list[Item]:
        if not 0 <= partition < self.counts.get(topic, 0):
            raise UnknownTopic(topic, partition)
        return self.rows.setdefault((topic, partition), [])

    async def append(self, topic: str, partition: int, rows: Sequence[Row]) -> tuple[int, int]:
        held = self._partition(topic, partition)
        first = _end(held)
        lasting = self.survives(topic, len(rows))
        now = self.clock.now_ms()
        for key, value, timestamp, headers in rows[:lasting]:
            stamp = now if timestamp is None else timestamp
            held.append((_end(held), stamp, key, value, headers))
        if lasting < len(rows):
            raise Killed(f"{lasting} of {len(rows)} rows of an append to {topic}")
        return first, _end(held) - 1

    async def read(
        self,
        topic: str,
        partition: int,
        offset: int,
        *,
        max_bytes: int = 1 << 20,
        wait_s: float = 0.0,
    ) -> Slice:
        held = self._partition(topic, partition)
        if wait_s > 0 and offset >= _end(held):
            await asyncio.sleep(min(wait_s, WAIT_S))
        start = bisect_left(held, offset, key=itemgetter(0))
        items = held[start : start + max(1, max_bytes >> 8)]
        following = items[-1][0] + 1 if items else offset
        return Slice(items, following, _end(held))

    def compact(self, topic: str, partition: int) -> None:
        """Leaves the last record of each key, tombstones for a day only; the newest stays."""
        held = self._partition(topic, partition)
        latest = {item[2]: item[0] for item in held}
        horizon = self.clock.now_ms() - DAY_MS
        held[:-1] = [
            item
            for item in held[:-1]
            if latest[item[2]] == item[0] and (item[3] is not None or item[1] > horizon)
        ]

    async def begin_offsets(self, tps: Iterable[TP]) -> dict[TP, int]:
        return dict.fromkeys(tps, 0)

    async def end_offsets(self, tps: Iterable[TP]) -> dict[TP, int]:
        return {tp: _end(self._partition(*tp)) for tp in tps}

    async def offset_at(self, topic: str, partition: int, timestamp_ms: int) -> int:
        held = self._partition(topic, partition)
        return next((item[0] for item in held if item[1] >= timestamp_ms), _end(held))

    async def topics(self) -> dict[str, int]:
        return dict(self.counts)

    async def ensure_topic(self, spec: TopicSpec) -> bool:
        made = spec.name not in self.counts
        self.counts.setdefault(spec.name, spec.partitions)
        return made

    async def widen_topic(self, topic: str, partitions: int) -> bool:
        wider = self.counts[topic] < partitions
        self.counts[topic] = max(partitions, self.counts[topic])
        return wider

    async def describe_topic(self, topic: str) -> TopicDescription:
        return TopicDescription(topic, self.counts[topic], {})

    async def committed(self, group: str, tps: Iterable[TP]) -> dict[TP, int | None]:
        return {tp: self.positions.get((group, tp)) for tp in tps}

    async def erase(self, topic: str, partition: int, offsets: Collection[int]) -> bool:
        """Never in place: as on Kafka."""
        return False

    async def delete_before(self, topic: str, partition: int, offset: int) -> None:
        held = self._partition(topic, partition)
        held[:-1] = [item for item in held[:-1] if item[0] >= offset]


def _end(held: Sequence[Item]) -> int:
    return held[-1][0] + 1 if held else 0
