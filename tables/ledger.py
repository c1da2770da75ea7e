"""A ledger: rows of deterministic rules whose commits are whole or not at all.

A commit is any number of transactions. Its changelog records are, in this order: the values that it
replaces (u), the rows and due times (r, w), the outputs (o), and the marker (m). A commit counts
when its marker is there. What a kill left of one without a marker is undone by the next owner from
the commit's own u records, before anything else: each of its keys is appended again with the value
before, and then a marker. So between two markers the last record of a key is the right one, and it
does not matter what compaction has taken away.

The order of a commit is that of `tables/shard.py`:

    1. the changelog, acknowledged by the stream
    2. one RocksDB write batch: rows, due index, outbox, marker, positions
    3. the outbox sent, acknowledged: topics, then stores
    4. the outbox cleared, the input acknowledged
    5. in time, the offset commit
"""

from collections.abc import Awaitable, Callable, Iterable
from operator import eq
from typing import Any

from tables.changelog import Change, Changelog
from tables.floors import Floors
from tables.layout import decode_any, encode, instant_of
from tables.ledger_book import LedgerBook, Output, Write
from tables.ledger_due import ALL
from tables.ledger_layout import (
    LOCAL,
    MARKER,
    OUTBOX,
    OUTBOX_END,
    ROW,
    UNDO,
    WAKE,
    WAKE_END,
    Local,
    Marker,
    part_key,
    parts_of,
)
from tables.store import KeyedStore

Send = Callable[[list[Output]], Awaitable[None]]
Deliver = Callable[[list[Write], int], Awaitable[None]]
"""Writes each id once, with the sequence of its commit; may be asked again after it raised."""
Source = tuple[int, str, int]
"""(path, public topic, partition): what comes from one is applied in the order of offsets."""


class Ledger:
    """See the module. One task at a time uses it; `open` first, `close` last.

    What `send` or `deliver` raises comes out of `commit` and `settle`; the commit is durable then,
    and `settle` has to succeed before the next one.
    """

    def __init__(
        self,
        number: int,
        store: KeyedStore,
        changelog: Changelog,
        send: Send,
        deliver: Deliver,
        *,
        on_step: Callable[[int], None] = lambda _step: None,
        now_ms: Callable[[], int] = lambda: 0,
    ) -> None:
        self.number = number
        self.store = store
        self.changelog = changelog
        self.marker = Marker()
        self.sent = 0
        self.applied: dict[Source, int] = {}
        self._send = send
        self._deliver = deliver
        self._on_step = on_step
        self.now_ms = now_ms
        self._floors = Floors()
        # of the last commit, while they are not out; None: to be read from the store
        self._outputs: list[Output] | None = None
        self._writes: list[Write] = []

    async def open(self) -> None:
        """Brings the state up to the changelog's last marker and claims it. What may not have been
        sent waits for `settle`."""
        from tables.ledger_recovery import recover

        await recover(self)
        self.applied = {
            (path, topic, partition): offset
            for path, topic, partition, offset in self.marker.floors
        }

    def book(self) -> LedgerBook:
        """A book for the next commit."""
        return LedgerBook(self.store, self._floors)

    def view(self) -> LedgerBook:
        """A book to read what is committed; nothing of it is ever written."""
        return LedgerBook(self.store)

    def next_due(self) -> int | None:
        """The earliest instant at which something is due."""
        first = self._floors.of(ALL)
        for key, _ in self.store.scan(first, WAKE_END, 1):
            return instant_of(key)
        return None

    @property
    def settled(self) -> bool:
        """Whether all that was decided is out."""
        return self.sent >= self.marker.outbox

    async def still_ours(self) -> bool:
        """Whether nobody else has written to the changelog since our last commit."""
        return await self.changelog.end() == self.changelog.next_offset

    async def commit(
        self, book: LedgerBook, applied: int | None = None, floors: dict[Source, int] | None = None
    ) -> None:
        """Makes what the book changed durable and its outputs sent, in the order told above.
        With it the shard's own input before offset `applied`, and what the sources had up to their
        `floors`, are applied.
        """
        await self.settle()
        before, changed = self._changed(book)
        reached = self.applied | (floors or {})
        marker = self._next_marker(applied, reached)
        undo = parts_of(marker.sequence, before)
        writes = last_of(book.writes)
        outbox = parts_of(marker.sequence, [*book.outputs, *writes])
        log = self._log(marker, undo, changed, outbox)
        # Step 1: the changelog, acknowledged.
        self._on_step(0)
        await self.changelog.append(log)
        self._on_step(1)
        # Step 2: one write batch.
        puts = [(key, new) for key, new in changed if new is not None]
        puts += [(part_key(OUTBOX, n), body) for n, body in enumerate(outbox)]
        self.marker, self.applied = marker, reached
        puts += [(MARKER, encode(marker)), (LOCAL, self.local())]
        self.store.write(puts, [key for key, new in changed if new is None])
        self._outputs, self._writes = book.outputs, writes
        self._on_step(2)
        # Steps 3 and 4: the outbox sent, then cleared.
        await self.settle()
        self._on_step(4)

    def _changed(self, book: LedgerBook) -> tuple[list[Change], list[Change]]:
        """(key, value before), and (key, value after), of what is not as it was."""
        changed, read = book.changed, book.read
        unknown = [key for key in changed if key not in read]
        read.update(zip(unknown, self.store.get_many(unknown), strict=True))
        olds = [read[key] for key in changed]
        before, after = list(zip(changed, olds, strict=True)), list(changed.items())
        if any(map(eq, olds, changed.values())):
            pairs = [pair for pair in zip(before, after, strict=True) if pair[0] != pair[1]]
            return [old for old, _ in pairs], [new for _, new in pairs]
        return before, after

    def _next_marker(self, applied: int | None, floors: dict[Source, int]) -> Marker:
        before = self.marker
        return Marker(
            before.sequence + 1,
            before.applied if applied is None else max(applied, before.applied),
            [[*source, offset] for source, offset in floors.items()],
            before.sequence + 1,
        )

    def _log(
        self,
        marker: Marker,
        undo: list[bytes],
        changed: list[Change],
        outbox: list[bytes],
    ) -> list[Change]:
        before = self.marker
        marker.parts, marker.undone = len(outbox), len(undo)
        log: list[Change] = [(part_key(UNDO, n), body) for n, body in enumerate(undo)]
        log += changed
        log += self._repairs(key for key, _ in changed)
        log += [(part_key(OUTBOX, n), body) for n, body in enumerate(outbox)]
        # what the last commit had more of: people's numbers are in it
        log += [(part_key(OUTBOX, n), None) for n in range(len(outbox), before.parts)]
        log += [(part_key(UNDO, n), None) for n in range(len(undo), before.undone)]
        log.append((MARKER, encode(marker)))
        return log

    def _repairs(self, changed: Iterable[bytes]) -> list[Change]:
        """Rows that a fenced writer appended again after us: ours once more, so that ours is what
        compaction keeps."""
        if not self.changelog.intruded:
            return []
        found = {key for key in self.changelog.intruded if key[:1] in (ROW, WAKE)}
        self.changelog.intruded.clear()
        keys = sorted(found.difference(changed))
        return list(zip(keys, self.store.get_many(keys), strict=True))

    def local(self) -> bytes:
        """What only this disk knows, as it is after the write batch that it is part of."""
        changelog = self.changelog
        intruded = [*changelog.intruded]
        return encode(
            Local(changelog.next_offset, changelog.epoch, self.sent, self.now_ms(), intruded)
        )

    async def settle(self) -> None:
        """Sends what was decided and is not known to be out; does nothing when all is."""
        if self.settled:
            return
        if self._outputs is None:
            self._outputs, self._writes = self._outbox()
        if self._outputs:
            await self._send(self._outputs)
            self._outputs = []
        self._on_step(3)
        if self._writes:
            await self._deliver(self._writes, self.marker.outbox)
            self._writes = []
        self.sent = self.marker.outbox
        self.store.write(
            [(LOCAL, self.local())],
            [part_key(OUTBOX, n) for n in range(self.marker.parts)],
        )

    def _outbox(self) -> tuple[list[Output], list[Write]]:
        """What the store has of the outputs of the last commit. Parts of it that are missing were
        replaced by a later one, and are out."""
        outputs: list[Output] = []
        writes: list[Write] = []
        for _, body in self.store.scan(OUTBOX, OUTBOX_END):
            sequence, items = decode_any(body)
            if sequence == self.marker.outbox:
                outputs += [tuple(item) for item in items if isinstance(item[1], bytes | None)]
                writes += [tuple(item) for item in items if isinstance(item[1], str)]
        return outputs, writes

    def rows(self) -> dict[bytes, bytes]:
        """All rows by key: for tests and repairs of small ledgers."""
        return {key[1:]: value for key, value in self.store.scan(ROW, b"s")}

    def close(self) -> None:
        """Closes the store; everything of finished commits is on disk."""
        self.store.close()


def last_of(writes: Iterable[Write]) -> list[Write]:
    """The last write of each id, in their order."""
    all_of_them = list(writes)
    found = {write[:2]: write for write in all_of_them}
    if len(found) < len(all_of_them):
        found = {}
        for write in all_of_them:
            found.pop(write[:2], None)
            found[write[:2]] = write
    return list(found.values())


def undo_of(body: bytes) -> tuple[int, list[Any]]:
    """(sequence, [[store key, value before], ...]) of a u record."""
    sequence, items = decode_any(body)
    return sequence, items
