"""What a topic still has: where it begins since some instant, and its records in order of time."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heapreplace

from app.facade.parts import Parts
from app.since import Since
from connectors.streams.base import TP, Item, UnknownTopic

BUFFERED_BYTES = 4 << 20  # over all partitions; several times that decoded
SMALLEST_READ = 64 << 10


@dataclass(frozen=True)
class Stretch:
    """A piece of a topic: `begins` and `ends` (exclusive) by partition."""

    topic: str
    begins: Sequence[int]
    ends: Sequence[int]

    @property
    def records(self) -> int:
        """How many offsets that is: records, or more where some were compacted away."""
        return sum(max(0, end - begin) for begin, end in zip(self.begins, self.ends, strict=True))


class History:
    """Reads what is retained of public topics; commits nothing, waits for nothing."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def stretch(self, topic: str, since: Since) -> Stretch:
        """From `since` to the present end. Raises UnknownTopic."""
        physical, tps = await self._tps(topic)
        log = self._parts.log
        ends = await log.end_offsets(tps)
        begins = await log.begin_offsets(tps)
        found = [begins[tp] for tp in tps]
        if since.kind == "offset":
            found = [max(begins[tp], min(since.value, ends[tp])) for tp in tps]
        elif since.kind == "instant":
            at = [log.offset_at(physical, p, since.value) for _, p in tps]
            found = list(await asyncio.gather(*at))
        return Stretch(topic, found, [ends[tp] for tp in tps])

    async def following(self, before: Stretch) -> Stretch:
        """What has come since a stretch was taken."""
        _, tps = await self._tps(before.topic)
        ends = await self._parts.log.end_offsets(tps)
        begins = [*before.ends, *([0] * (len(tps) - len(before.ends)))]
        return Stretch(before.topic, begins, [ends[tp] for tp in tps])

    async def first_ms(self, stretch: Stretch) -> int | None:
        """The earliest timestamp with which a partition begins; None when there is no record."""
        found = [
            piece[0][1]
            for partition, (begin, end) in enumerate(zip(stretch.begins, stretch.ends, strict=True))
            if (piece := await self.piece(stretch.topic, partition, begin, end, 1))[:1]
        ]
        return min(found, default=None)

    async def _tps(self, topic: str) -> tuple[str, list[TP]]:
        physical = self._parts.names.topic(topic)
        count = await self._parts.partitions(physical)
        if count is None:
            raise UnknownTopic(topic)
        return physical, [(physical, partition) for partition in range(count)]

    async def piece(
        self, topic: str, partition: int, at: int, end: int, max_bytes: int
    ) -> list[Item]:
        """The next records before `end`; empty when there are none."""
        physical = self._parts.names.topic(topic)
        while at < end:
            piece = await self._parts.log.read(physical, partition, at, max_bytes=max_bytes)
            items = [item for item in piece.items if item[0] < end]
            if items or piece.next_offset <= at:
                return items
            at = piece.next_offset
        return []

    async def pieces(self, stretch: Stretch) -> AsyncIterator[tuple[int, list[Item]]]:
        """(partition, records) of a stretch, one partition after the other."""
        for partition, (begin, end) in enumerate(zip(stretch.begins, stretch.ends, strict=True)):
            at = begin
            while items := await self.piece(stretch.topic, partition, at, end, BUFFERED_BYTES):
                at = items[-1][0] + 1
                yield partition, items


class Merged:
    """The records of a stretch in the order of time; each partition in its own order."""

    def __init__(self, history: History, stretch: Stretch) -> None:
        self._history = history
        self._stretch = stretch
        self._bytes = max(SMALLEST_READ, BUFFERED_BYTES // max(1, len(stretch.begins)))
        # partition -> records read and not yet taken, and how many of those are taken
        self._held: dict[int, tuple[list[Item], int]] = {}
        self._at = list(stretch.begins)
        self._over: set[int] = set()

    async def take(self, most: int, until_ms: int, span_ms: int) -> dict[int, list[Item]]:
        """The next records by partition: at most `most` of them, up to `until_ms` or, if they
        begin later, over at most `span_ms`."""
        await self._fill()
        heads = [(items[at][1], partition) for partition, (items, at) in self._held.items()]
        heapify(heads)
        taken: dict[int, list[Item]] = {}
        until = max(until_ms, heads[0][0] + span_ms) if heads else 0
        for _ in range(most):
            if not heads or heads[0][0] > until:
                break
            partition = heads[0][1]
            items, at = self._held[partition]
            taken.setdefault(partition, []).append(items[at])
            if at + 1 < len(items):
                self._held[partition] = items, at + 1
                heapreplace(heads, (items[at + 1][1], partition))
                continue
            del self._held[partition]
            self._at[partition] = items[-1][0] + 1
            heappop(heads)
            if self._at[partition] < self._stretch.ends[partition]:
                break  # what comes next there may be earlier than the others' heads
        return dict(sorted(taken.items()))

    async def _fill(self) -> None:
        """Reads on where nothing is held."""
        ends = self._stretch.ends
        empty = [p for p in range(len(ends)) if p not in self._held and p not in self._over]
        pieces = await asyncio.gather(
            *(
                self._history.piece(self._stretch.topic, p, self._at[p], ends[p], self._bytes)
                for p in empty
            )
        )
        for partition, items in zip(empty, pieces, strict=True):
            if items:
                self._held[partition] = items, 0
            else:
                self._over.add(partition)
