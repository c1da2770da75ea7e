"""What comes to a shard for a row that it has given away goes on to where the row lives.

It is on the other's stream, acknowledged, before it counts as applied here; so after a kill it may
go there twice, and is known there by its position (a replay by its attempt, a retraction by its
mark), as if it had been routed twice. For one key and input partition the order stays: the row goes
first, then what comes here, and who routes sends nothing there itself until all of that is gone.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from msgspec.structs import replace

from agents import retractions
from agents.chunks import Chunk, Parcel, encode_parcel, parcels
from agents.folds import Folds
from agents.places import Places
from agents.replay_messages import Message, Take, decode, home_of, letter_id, mark_of
from connectors.streams.base import Row as StreamRow
from domain.aggregation.rule import Rule
from tables.documents import Documents
from tables.layout import gone_key
from tables.shard import Shard

Send = Callable[[int, StreamRow], Awaitable[None]]


class HandingOn:
    """See the module. `send(shard, row)` returns when that is durable."""

    def __init__(self, places: Places, documents: Documents, folds: Folds, send: Send) -> None:
        self._places = places
        self._documents = documents
        self._folds = folds
        self._send = send

    async def chunks(self, shard: Shard, path: int, chunks: Sequence[Chunk]) -> Sequence[Chunk]:
        """Those that are for this shard, in order, when the others are on their way."""
        if all(chunk.placed == shard.marks.placed for chunk in chunks):
            return chunks
        kept: list[Chunk] = []
        going: dict[int, list[Chunk]] = {}
        for chunk in chunks:
            left = chunk
            if chunk.placed < shard.marks.placed:
                left = self._sorted(shard, path, chunk, going)
            kept.append(left)
        for number, mine in going.items():
            for parcel in parcels(self._documents.revision, mine, shard.marks.placed):
                await self._send(number, (None, parcel, None, ()))
        return kept

    def _sorted(
        self, shard: Shard, path: int, chunk: Chunk, going: dict[int, list[Chunk]]
    ) -> Chunk:
        """What of a chunk stays; the rest is added to what is going."""
        rule, _ = self._folds.get(chunk.aggregator, chunk.version)
        numbers = self._numbers(shard, rule, [bytes(key) for key, _ in chunk.groups])
        if all(number == shard.number for number in numbers):
            return chunk
        floor = shard.applied.get((path, chunk.topic, chunk.partition, chunk.aggregator), -1)
        groups: dict[int, list[Any]] = {}
        for number, (key, entries) in zip(numbers, chunk.groups, strict=True):
            if number != shard.number:
                known = max(floor, _erased(shard, rule, key, chunk))
                entries = [entry for entry in entries if entry[0] > known]
            if entries:
                groups.setdefault(number, []).append([key, entries])
        mine = groups.pop(shard.number, [])
        for number, theirs in groups.items():
            # only who routes knows when the other has everything
            part = replace(chunk, groups=theirs, upto=-1, placed=shard.marks.placed)
            part.originals = _originals(chunk, theirs)
            going.setdefault(number, []).append(part)
        return replace(chunk, groups=mine, originals=_originals(chunk, mine))

    async def replays(
        self, shard: Shard, found: list[tuple[int, bytes]]
    ) -> list[tuple[int, bytes]]:
        """Those about letters that are for this shard, when the others are on their way."""
        if not shard.marks.placed:
            return found
        kept = []
        for offset, data in found:
            message = decode(data)
            number = self._of_message(shard, message)
            if number == shard.number:
                kept.append((offset, data))
                continue
            if isinstance(message, Take) and self._is_applied(shard, message):
                continue
            parcel = Parcel(self._documents.revision, [], replays=[data], handed=shard.marks.placed)
            await self._send(number, (None, encode_parcel(parcel), None, ()))
        return kept

    async def retraction(self, shard: Shard, asked: retractions.Retraction) -> bool:
        """Whether it is for another shard, and on its way there."""
        if not shard.marks.placed:
            return False
        rule = self._folds.rule_of(asked.aggregator, asked.version)
        (number,) = self._numbers(shard, rule, [asked.key])
        if number == shard.number:
            return False
        await self._send(number, (retractions.KEY, retractions.encode(asked), None, ()))
        return True

    def _of_message(self, shard: Shard, message: Message) -> int:
        if not isinstance(message, Take):
            placed, target = self._shards(shard)
            homes = [home_of(letter_id(message), count) for count in (placed, target)]
            return shard.number if shard.number in homes else homes[0]
        chunk = message.chunk
        rule, _ = self._folds.get(chunk.aggregator, chunk.version)
        return self._numbers(shard, rule, [bytes(chunk.groups[0][0])])[0]

    def _is_applied(self, shard: Shard, take: Take) -> bool:
        """Whether it was, here, to a row that was erased since: the marks of the others went along
        with their rows."""
        chunk, mark = take.chunk, mark_of(take)
        rule, _ = self._folds.get(chunk.aggregator, chunk.version)
        return mark in shard.seen(rule.prefix + bytes(chunk.groups[0][0]), [mark])

    def _numbers(self, shard: Shard, rule: Rule, keys: Sequence[bytes]) -> list[int]:
        """Where keys live as this shard has given rows away. What a later growth brings here, by
        way of shards that are done with it already, stays.
        """
        placed, target = self._shards(shard)
        numbers = self._places.of_keys(rule, keys, placed)
        if target == placed:
            return numbers
        later = self._places.of_keys(rule, keys, target)
        return [
            shard.number if then == shard.number else now
            for now, then in zip(numbers, later, strict=True)
        ]

    def _shards(self, shard: Shard) -> tuple[int, int]:
        placed = shard.marks.placed
        return placed, self._documents.growths.target(placed)


def _erased(shard: Shard, rule: Rule, key: bytes, chunk: Chunk) -> int:
    """Up to where records of a key were applied before it was erased here; -1 when it wasn't."""
    known = shard.gone.get(gone_key(rule.prefix + bytes(key))) if shard.gone else None
    return max(
        (
            offset
            for topic, partition, offset in (known[1] if known is not None else ())
            if (topic, partition) == (chunk.topic, chunk.partition)
        ),
        default=-1,
    )


def _originals(chunk: Chunk, groups: list[Any]) -> dict[int, bytes]:
    if not chunk.originals:
        return {}
    offsets = {entry[0] for _, entries in groups for entry in entries}
    return {offset: data for offset, data in chunk.originals.items() if offset in offsets}
