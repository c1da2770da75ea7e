"""Records of a topic as pages over all its partitions."""

import asyncio
from collections.abc import Iterator
from heapq import merge

from app.backend import BadCursor
from app.facade.cursors import cursor_of, place_of
from app.facade.parts import Parts
from app.shapes import Record, RecordPage
from connectors.streams.base import Item, Slice, UnknownTopic

PIECE_BYTES = 256 << 10  # of one partition and page

Offsets = list[int]
"""Where each partition is to be read on, by its number."""


class Records:
    """Reads pages. A cursor is an offset for each partition, so a page is the same when it is
    asked for again, as long as the topic keeps its records."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def read(self, topic: str, cursor: str, limit: int, wait_s: float) -> RecordPage:
        """See `Backend.read_records`. In a page, by time; each partition in its order."""
        physical = self._parts.names.topic(topic)
        count = await self._parts.partitions(physical)
        if count is None or physical == self._parts.names.people:
            raise UnknownTopic(topic)  # hashes of passwords are for nobody to read
        offsets = await self._offsets(physical, count, cursor)
        slices = await self._slices(physical, offsets)
        if wait_s > 0 and not any(piece.items for piece in slices):
            slices = await self._news(physical, offsets, slices, wait_s)
        records: list[Record] = []
        for _, partition, item in merge(*map(_timed, range(count), slices)):
            if len(records) == limit:
                break
            offset, timestamp, key, value, headers = item
            records.append(Record(partition, offset, timestamp, key, value, headers))
            offsets[partition] = offset + 1
        else:
            # all of it fits: what lies behind the last record is a gap, or the end
            offsets = [
                max(at, piece.next_offset) for at, piece in zip(offsets, slices, strict=True)
            ]
        return RecordPage(records, cursor_of([topic, offsets]))

    async def _offsets(self, physical: str, count: int, cursor: str) -> Offsets:
        tps = [(physical, partition) for partition in range(count)]
        if cursor in ("beginning", "end"):
            ask = (
                self._parts.log.begin_offsets
                if cursor == "beginning"
                else self._parts.log.end_offsets
            )
            found = await ask(tps)
            return [found[tp] for tp in tps]
        topic, offsets = place_of(cursor, tuple[str, list[int]])
        if self._parts.names.topic(topic) != physical or len(offsets) > count:
            raise BadCursor(cursor)
        if any(offset < 0 for offset in offsets):
            raise BadCursor(cursor)
        # partitions that came since are read from their beginning
        return [*offsets, *([0] * (count - len(offsets)))]

    async def _slices(self, physical: str, offsets: Offsets) -> list[Slice]:
        return list(
            await asyncio.gather(
                *(
                    self._parts.log.read(physical, partition, at, max_bytes=PIECE_BYTES)
                    for partition, at in enumerate(offsets)
                )
            )
        )

    async def _news(
        self, physical: str, offsets: Offsets, slices: list[Slice], wait_s: float
    ) -> list[Slice]:
        """Waits until one of the partitions has something."""
        waits = [
            asyncio.create_task(
                self._parts.log.read(physical, partition, at, max_bytes=1, wait_s=wait_s)
            )
            for partition, at in enumerate(offsets)
        ]
        try:
            await asyncio.wait(waits, timeout=wait_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
            await asyncio.gather(*waits, return_exceptions=True)
        return await self._slices(physical, offsets)


def _timed(partition: int, piece: Slice) -> Iterator[tuple[int, int, Item]]:
    """Items with what pages are ordered by; merging keeps the order within each partition."""
    return ((item[1], partition, item) for item in piece.items)
