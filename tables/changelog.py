"""A changelog partition with one writer, fenced by the log itself.

Whoever takes a partition over reads it to the end and appends a *claim* with the next epoch. Every
record carries its writer's epoch, and readers skip records with an epoch below the newest claim
before them: what a writer that was stopped and woke up still appends does not survive. The writer
knows the offset its next record must get; another one tells it that someone else wrote in between.
If that was a newer claim, it has lost the partition (`Fenced`) before it sent anything to the
outside; if it was a straggler with an older epoch, the keys it wrote are appended again
(`intruded`), so that compaction can't keep the straggler's record.

The first byte of the epoch is the format of the record (see formats.py), 0 standing for 1. Records
of older formats are brought up as they are read. A partition that holds records of a newer one,
other than such as later records replace, is refused before it is claimed.

This needs nothing of a broker but the order of a partition: no transactions, no group generation.
"""

from collections.abc import AsyncIterator, Sequence

from domain.errors import Fenced, Invariant
from tables.formats import PLAIN, Formats, NewerState
from tables.stream import Item, Row, Stream

CLAIM = b"\0claim"
_EPOCH_HEADER = "epoch"
READ_BYTES = 4 << 20

Change = tuple[bytes, bytes | None]
"""(key, body); a body of None deletes the key."""


class Changelog:
    """One partition of a changelog topic. Not safe for use by several tasks at once.

    `gaps`: records were missing in what was read, as compaction leaves it. `reading`: it is being
    read to be claimed, from and up to `followed`.
    """

    def __init__(
        self, stream: Stream, topic: str, partition: int, owner: str, formats: Formats = PLAIN
    ) -> None:
        self._stream = stream
        self.topic = topic
        self.partition = partition
        self._owner = owner.encode()
        self.epoch = 0
        self.next_offset = 0
        self.claimed = False
        self._lost = ""
        self.intruded: set[bytes] = set()
        self.gaps = False
        self.reading = False
        self.followed = (0, 0)
        self.read_bytes = READ_BYTES
        self._formats = formats
        self._newer: dict[bytes, int] = {}

    async def follow(self, from_offset: int) -> AsyncIterator[list[Change]]:
        """Changes from `from_offset` to the present end, in order, stragglers' left out (their keys
        into `intruded`).
        """
        self.next_offset = from_offset
        end = await self.end()
        if from_offset > end:
            raise Invariant(
                "the changelog reaches as far as the state on disk",
                f"{self.topic} partition {self.partition} ends at {end}, "
                f"the state was written up to {from_offset}",
                "was the topic emptied or deleted? Restore it, or move the state aside (tables/ in "
                "the data directory) to rebuild it from the topic",
            )
        self.reading, self.followed = True, (from_offset, end)
        while self.next_offset < end:
            part = await self._stream.read(
                self.topic, self.partition, self.next_offset, max_bytes=self.read_bytes
            )
            changes = self._accept(part.items)
            self.gaps |= part.next_offset - self.next_offset != len(part.items)
            if part.next_offset <= self.next_offset:
                break
            self.next_offset = part.next_offset
            if changes:
                yield changes

    def restart(self) -> None:
        """Forgets what was read: it is to be read from the beginning."""
        self.epoch, self.gaps = 0, False
        self.intruded.clear()
        self._newer.clear()

    async def end(self) -> int:
        """The offset that the next record will get."""
        tp = (self.topic, self.partition)
        return (await self._stream.end_offsets([tp]))[tp]

    async def claim(self) -> list[Change]:
        """Takes the partition over; returns changes that came between the reading and the claim."""
        late: list[Change] = []
        self._lost = ""
        while True:
            self.check_formats()
            expected, epoch = self.next_offset, self.epoch + 1
            stamp = self._stamp(epoch)
            first, last = await self._stream.append(
                self.topic, self.partition, [(CLAIM, stamp + self._owner, None, ())]
            )
            if first == expected:
                self.epoch, self.next_offset, self.claimed = epoch, last + 1, True
                self.reading = False
                return late
            late += await self._read_between(expected, first)
            self.next_offset = last + 1
            if self.epoch < epoch:
                self.epoch, self.claimed, self.reading = epoch, True, False
                self.check_formats()
                return late

    async def append(self, changes: Sequence[Change], timestamp: int | None = None) -> None:
        """Appends changes and returns once they are durable; raises Fenced when the partition was
        lost.
        """
        if self._lost:  # others of this process may still have had it in hand
            raise Fenced(self.topic, self.partition, self._lost)
        if not self.claimed:
            raise Invariant(
                "only a claimed changelog is written", f"{self.topic} partition {self.partition}"
            )
        stamp = self._stamp(self.epoch)
        tombstone = ((_EPOCH_HEADER, stamp),)
        rows: list[Row] = [
            (key, None, timestamp, tombstone)
            if body is None
            else (key, stamp + body, timestamp, ())
            for key, body in self._as_written(changes)
        ]
        expected = self.next_offset
        first, last = await self._stream.append(self.topic, self.partition, rows)
        if first != expected or last - first + 1 != len(rows):
            await self._check_between(expected, last)
        self.next_offset = last + 1

    def _as_written(self, changes: Sequence[Change]) -> Sequence[Change]:
        if not self._formats.written:
            return changes
        down = self._formats.downgraded
        return [(key, None if body is None else down(key, body)) for key, body in changes]

    async def _check_between(self, expected: int, last: int) -> None:
        own = self.epoch
        await self._read_between(expected, last + 1)
        if self.epoch != own:
            self.claimed = False
            self._lost = f"claimed with epoch {self.epoch}, ours was {own}"
            raise Fenced(self.topic, self.partition, self._lost)

    async def _read_between(self, start: int, end: int) -> list[Change]:
        changes: list[Change] = []
        while start < end:
            part = await self._stream.read(self.topic, self.partition, start)
            changes += self._accept([item for item in part.items if item[0] < end])
            if part.next_offset <= start:
                break
            start = part.next_offset
        return changes

    def _accept(self, items: Sequence[Item]) -> list[Change]:
        plain = self._plain(items)
        return self._accept_each(items) if plain is None else plain

    def _plain(self, items: Sequence[Item]) -> list[Change] | None:
        """The changes of what nearly all of a log consists of: records of the writer that claimed
        it last, in the present format. None when there are others."""
        if self.intruded or self._newer:
            return None
        stamp = _stamped(self._formats.current, self.epoch)
        found: list[Change] = [
            (key, value[8:])
            for _, _, key, value, _ in items
            if value is not None and value.startswith(stamp) and key is not None and key != CLAIM
        ]
        return found if len(found) == len(items) else None

    def _accept_each(self, items: Sequence[Item]) -> list[Change]:
        changes: list[Change] = []
        for _, _, key, value, headers in items:
            if key is None:
                continue
            epoch = _epoch_of(value, headers)
            if epoch < self.epoch:
                if key != CLAIM:
                    self.intruded.add(key)
                continue
            self.epoch = epoch
            if key != CLAIM:
                self.intruded.discard(key)
                found = self._format_of(key, value)
                if found:
                    body = None if value is None else value[8:]
                    if body is not None and found < self._formats.current:
                        body = self._formats.upgraded(key, body, found)
                    changes.append((key, body))
        return changes

    def _format_of(self, key: bytes, value: bytes | None) -> int:
        """The record's format; 0 for one that can't be read, which is noted until another record
        of the key comes.
        """
        found = 1 if value is None else value[0] or 1
        if found > self._formats.current:
            self._newer[key] = found
            return 0
        if self._newer:
            self._newer.pop(key, None)
        return found

    def check_formats(self) -> None:
        """Raises NewerState when something was read that this version doesn't know."""
        if self._newer:
            where = f"{self.topic} partition {self.partition}"
            raise NewerState(where, max(self._newer.values()), self._formats.current)

    def _stamp(self, epoch: int) -> bytes:
        return _stamped(self._formats.written or self._formats.current, epoch)


def _stamped(number: int, epoch: int) -> bytes:
    """What a record begins with: its format and its writer's epoch."""
    return bytes([number if number > 1 else 0]) + epoch.to_bytes(7, "big")


def _epoch_of(value: bytes | None, headers: tuple[tuple[str, bytes], ...]) -> int:
    if value is not None:
        return int.from_bytes(value[1:8], "big")
    for name, stamp in headers:
        if name == _EPOCH_HEADER:
            return int.from_bytes(stamp[1:], "big")
    return 0
