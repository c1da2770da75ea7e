"""The records of one partition as one sink sees them: which to send, and why others not."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from connectors.formats.cloudevents import from_kafka
from connectors.streams.base import Item, Log
from domain.errors import Reject
from domain.sinks.records import SENT_AGAIN, Outgoing, outgoing
from tables.sinks import Place
from tables.taken import Index

READ_BYTES = 1 << 20
Fate = Literal["send", "passed", "repeated", "refused", "undecodable"]


@dataclass(frozen=True, slots=True)
class Piece:
    """One record and what is to become of it. `record` None: it can't be read, `detail` says why.
    `refused`: that was decided before."""

    offset: int
    fate: Fate
    record: Outgoing | None
    value: bytes | None
    detail: str = ""


class Feed:
    """Reads on. `takes` is the sink's filter, `refused` the offsets decided against."""

    def __init__(
        self,
        log: Log,
        physical: str,
        topic: str,
        partition: int,
        index: Index,
        takes: Callable[[Mapping[str, Any]], bool],
        refused: Mapping[int, str],
    ) -> None:
        self._log = log
        self._physical = physical
        self._topic = topic
        self._partition = partition
        self._index = index
        self._takes = takes
        self._refused = refused

    async def begin(self) -> int:
        """The offset of the first record that the topic still has."""
        tp = (self._physical, self._partition)
        return (await self._log.begin_offsets([tp]))[tp]

    async def end(self) -> int:
        """The offset that the next record will get."""
        tp = (self._physical, self._partition)
        return (await self._log.end_offsets([tp]))[tp]

    async def read(self, offset: int, place: Place, wait_s: float) -> tuple[list[Piece], int]:
        """Pieces from `offset` on, and the offset to go on with. Waits up to `wait_s` for some."""
        part = await self._log.read(
            self._physical, self._partition, offset, max_bytes=READ_BYTES, wait_s=wait_s
        )
        if not part.items:
            return [], part.next_offset
        await self._cover(part.items[0][0])
        read = [self._read(item) for item in part.items]
        self._add(read, part.next_offset)
        return self._fates(part.items, read, place), part.next_offset

    async def _cover(self, until: int) -> None:
        """Brings the index up to there: it was lost, or never made on this machine."""
        at = self._index.covered(self._partition)
        while at < until:
            part = await self._log.read(
                self._physical, self._partition, at, max_bytes=READ_BYTES, wait_s=0.0
            )
            if part.next_offset <= at:
                return
            self._add([self._read(item) for item in part.items], part.next_offset)
            at = part.next_offset

    def _add(self, read: Sequence[Outgoing | Reject], next_offset: int) -> None:
        records = [(one.offset, one.fingerprint) for one in read if isinstance(one, Outgoing)]
        self._index.add(self._partition, records, next_offset)

    def _read(self, item: Item) -> Outgoing | Reject:
        offset, _, key, value, headers = item
        try:
            if headers:
                value = from_kafka(value, headers)
            return outgoing(self._topic, self._partition, offset, key, value or b"")
        except Reject as reject:
            return reject

    def _fates(
        self, items: Sequence[Item], read: Sequence[Outgoing | Reject], place: Place
    ) -> list[Piece]:
        firsts = iter(
            self._index.firsts([one.fingerprint for one in read if isinstance(one, Outgoing)])
        )
        found = []
        for item, one in zip(items, read, strict=True):
            offset, value = item[0], item[3]
            if isinstance(one, Reject):
                fate: Fate = "refused" if offset in self._refused else "undecodable"
                found.append(Piece(offset, fate, None, value, one.detail))
                continue
            first = next(firsts)
            fate = "send"
            if offset in self._refused:
                fate = "refused"
            elif not self._takes(one.content):
                fate = "passed"
            elif self._is_repeated(item, first, place):
                fate = "repeated"
            found.append(Piece(offset, fate, one, value))
        return found

    def _is_repeated(self, item: Item, first: tuple[int, int] | None, place: Place) -> bool:
        """Whether the same record stands before on this partition, where the sink took it."""
        if first is None or first[0] != self._partition:
            return False
        earlier = first[1]
        return (
            place.start <= earlier < item[0]
            and earlier not in self._refused
            and not any(name == SENT_AGAIN for name, _ in item[4])
        )

    async def at(self, offset: int) -> Outgoing | None:
        """The record at an offset, if it is there and the sink takes it."""
        part = await self._log.read(self._physical, self._partition, offset, max_bytes=1)
        for item in part.items:
            one = self._read(item) if item[0] == offset else None
            if isinstance(one, Outgoing) and self._takes(one.content):
                return one
        return None
