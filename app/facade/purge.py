"""Takes letters that were erased off topic `dead-letters`, on whichever stream.

Where records can be erased in place they are. Elsewhere (Kafka) the partition is carried on: all
that is to stay is appended again, and when that is durable everything before is deleted. A letter
that is on the topic twice is one letter, so a kill in between costs a repetition; purging again
does what is left.
"""

from collections.abc import Sequence

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
    """Afterwards the topic gives nobody a letter that was erased before the call."""
    topic = parts.names.topic(TOPIC)
    partitions = range(await parts.partitions(topic) or 0)
    ends = await parts.log.end_offsets((topic, partition) for partition in partitions)
    places: dict[str, list[tuple[int, int]]] = {}
    erased: set[str] = set()
    for partition in partitions:
        at, end = 0, ends[topic, partition]
        while at < end:
            items, at = await _piece(parts, topic, partition, at, end)
            for item in items:
                marked = _marked(item)
                if marked is None:
                    continue
                if marked.erased_at is not None:
                    erased.add(marked.id)
                else:
                    places.setdefault(marked.id, []).append((partition, item[0]))
    for partition in partitions:
        offsets = {
            at for each in erased for where, at in places.get(each, ()) if where == partition
        }
        if offsets and not await parts.log.erase(topic, partition, offsets):
            await _carry_on(parts, topic, partition, ends[topic, partition], offsets)


async def _carry_on(parts: Parts, topic: str, partition: int, end: int, gone: set[int]) -> None:
    at = 0
    while at < end:
        items, at = await _piece(parts, topic, partition, at, end)
        rows: Sequence[Row] = [
            (item[2], item[3], item[1], item[4]) for item in items if item[0] not in gone
        ]
        if rows:
            await parts.log.append(topic, partition, rows)
    await parts.log.delete_before(topic, partition, end)


async def _piece(
    parts: Parts, topic: str, partition: int, at: int, end: int
) -> tuple[list[Item], int]:
    """The next records before `end`, and where to go on."""
    piece = await parts.log.read(topic, partition, at, max_bytes=PIECE_BYTES)
    items = [item for item in piece.items if item[0] < end]
    return items, piece.next_offset if piece.next_offset > at else end


def _marked(item: Item) -> _Marked | None:
    try:
        return _decode(item[3] or b"")
    except msgspec.DecodeError:
        return None  # not written by this product
