"""Takes letters that were erased off topic `dead-letters`, on whichever stream.

Where records can be erased in place they are. Elsewhere (Kafka) the partition is carried on: all
that is to stay is appended again, and when that is durable everything before is deleted. A letter
that is on the topic twice is one letter, so a kill in between costs a repetition; purging again
does what is left.
"""

from collections.abc import AsyncIterator, Sequence

import msgspec

from agents.letters import TOPIC
from app.facade.parts import Parts
from connectors.streams.base import Item, Row

PIECE_BYTES = 1 << 20


class _Marked(msgspec.Struct):
    """What any record on the topic says of erasing."""

    id: str
    erased_at: str | None = None


_decode = msgspec.json.Decoder(_Marked).decode


async def purge(parts: Parts) -> None:
    """Afterwards the topic gives nobody a letter that was erased before the call. Reads the topic
    twice when there is one."""
    topic = parts.names.topic(TOPIC)
    partitions = range(await parts.partitions(topic) or 0)
    ends = await parts.log.end_offsets((topic, partition) for partition in partitions)
    erased: set[str] = set()
    for partition in partitions:
        async for items in _pieces(parts, topic, partition, ends[topic, partition]):
            likely = [item for item in items if b'"erased_at"' in (item[3] or b"")]
            found = [_marked(item) for item in likely]
            erased |= {each.id for each in found if each is not None and each.erased_at is not None}
    for partition in partitions if erased else ():
        offsets: set[int] = set()
        async for items in _pieces(parts, topic, partition, ends[topic, partition]):
            for item in items:
                marked = _marked(item)
                if marked is not None and marked.erased_at is None and marked.id in erased:
                    offsets.add(item[0])
        if offsets and not await parts.log.erase(topic, partition, offsets):
            await _carry_on(parts, topic, partition, ends[topic, partition], offsets)


async def _carry_on(parts: Parts, topic: str, partition: int, end: int, gone: set[int]) -> None:
    async for items in _pieces(parts, topic, partition, end):
        rows: Sequence[Row] = [
            (item[2], item[3], item[1], item[4]) for item in items if item[0] not in gone
        ]
        if rows:
            await parts.log.append(topic, partition, rows)
    await parts.log.delete_before(topic, partition, end)


async def _pieces(parts: Parts, topic: str, partition: int, end: int) -> AsyncIterator[list[Item]]:
    """All records before `end`."""
    at = 0
    while at < end:
        piece = await parts.log.read(topic, partition, at, max_bytes=PIECE_BYTES)
        yield [item for item in piece.items if item[0] < end]
        if piece.next_offset <= at:
            return
        at = piece.next_offset


def _marked(item: Item) -> _Marked | None:
    try:
        return _decode(item[3] or b"")
    except msgspec.DecodeError:
        return None  # not written by this product
