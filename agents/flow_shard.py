"""The rules of campaigns at work on one shard: what comes in and what has become due, in the order
of time, some thousand changes a commit.

Calls must not overlap. Every event, and every entry of the due index, is one transaction; a commit
holds as many as fit. Before a record is applied, what was due before the record came happens. The
pages of long jobs (due at instant 0) go before all else that is due, but keep neither timers nor
records waiting for long: timers have a turn every second, records whenever a page is done.
"""

from collections.abc import Callable, Iterable, Mapping
from time import perf_counter
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from agents.campaign_parcels import Entry
from agents.campaign_route import Unreadable, decode_event, letter_of
from agents.letters import Letter
from agents.limits import campaign_run
from domain.aggregation.limit import NONE, Limit
from domain.errors import Reject
from tables.ledger import Ledger, Source
from tables.ledger_book import LedgerBook

COMMIT_CHANGES = 4_000  # rows of a commit: bounded memory, and few commits for a long job
COMMIT_S = 0.05  # how long the rules may keep the loop to themselves
HOLD_S = 0.25  # how long one call keeps the shard: then others get their turn
JOBS_S = 0.5  # how long the pages of jobs keep timers waiting: these are promised every second

RUN = b"$refused/"
"""RUN + topic/partition -> the run of refused records, see `agents/limits.py`"""
_encode_run = msgspec.msgpack.Encoder().encode
_decode_run = msgspec.msgpack.Decoder(list[int]).decode

F_contra = TypeVar("F_contra", contravariant=True)


class Machine(Protocol[F_contra]):
    """The rules, see `domain/campaigns/machine.py`."""

    def apply(
        self, book: LedgerBook, event: Mapping[str, Any], now_ms: int, flows: F_contra
    ) -> None:
        """Applies one event. Raises Reject."""

    def due(self, book: LedgerBook, key: bytes, now_ms: int, flows: F_contra) -> None:
        """What a wake of that key asks for."""


F = TypeVar("F")


class FlowShard(Generic[F]):
    """See the module. What the stores or the stream raise comes out of every method; what was
    committed is applied, and the call may be made again.
    """

    def __init__(
        self,
        ledger: Ledger,
        machine: Machine[F],
        flows: F,
        now_ms: Callable[[], int],
        limit: Limit = NONE,
    ) -> None:
        self.ledger = ledger
        self._machine = machine
        self._flows = flows
        self._now_ms = now_ms
        self._limit = limit
        self._refusing: set[bytes] | None = None  # rows RUN that there may be
        self.records = 0
        self.timers = 0
        self.refused = 0
        self.commits = 0
        self.busy_s = 0.0
        self._jobs_since_s: float | None = None

    async def still_ours(self) -> bool:
        """See `Opened`."""
        return await self.ledger.still_ours()

    def close(self) -> None:
        """See `Opened`."""
        self.ledger.close()

    async def settle(self) -> None:
        """Sends what was decided and is not known to be out."""
        await self.ledger.settle()

    async def forget_row(self, key: bytes) -> None:
        """Takes away a row that no rule reads: a message that was delivered."""
        await self.settle()
        book = self.ledger.book()
        book.delete(key)
        await self.ledger.commit(book)

    async def apply(self, parcels: Iterable[tuple[int, list[Entry]]]) -> bool:
        """Applies (offset on the shard's own input, entries) in order; what is applied already
        changes nothing. False when it gave up the shard in between: call it again.
        """
        end_s = perf_counter() + HOLD_S
        await self.settle()
        work = _Work(self)
        for offset, entries in parcels:
            if offset < self.ledger.marker.applied:
                continue
            for entry in entries:
                if work.known(entry):
                    continue
                came_ms = min(entry.timestamp, self._now_ms())
                if not await self._timers(work, came_ms, end_s) or perf_counter() > end_s:
                    await work.commit()
                    return False
                self._apply(work, entry)
                await work.commit_full()
            work.applied = offset + 1
        await work.commit()
        return True

    def _apply(self, work: "_Work", entry: Entry) -> None:
        book, now_ms = work.book, self._now_ms()
        point = book.savepoint()
        letter = None
        try:
            event = decode_event(entry.topic, entry.body)
            self._machine.apply(book, event, now_ms, self._flows)
        except (Reject, Unreadable) as error:
            book.back_to(point)
            letter = letter_of(entry, error.reason, error.detail, now_ms)
            book.send_bytes(letter.output())
            self.refused += 1
        self._note_run(book, entry, letter)
        self.records += 1
        work.floors[entry.path, entry.topic, entry.partition] = entry.offset

    def _note_run(self, book: LedgerBook, entry: Entry, letter: Letter | None) -> None:
        """Keeps the run of refusals beside what it is about. Raises TooManyLetters: nothing of what
        is not committed stays, and who starts again finds the run as it was."""
        if self._refusing is None:
            self._refusing = {key for key, _ in book.scan(RUN)}
        row = RUN + f"{entry.topic}/{entry.partition}".encode()
        if letter is None and row not in self._refusing:
            return
        raw = book.get(row)
        known = None if raw is None else _decode_run(raw)
        run = campaign_run(
            self._limit,
            known,
            entry.topic,
            entry.partition,
            [] if letter is None else [letter],
            [entry.offset] if letter is None else [],
        )
        if run is not None:
            self._refusing.add(row)
            book.put(row, _encode_run(run))
        elif raw is not None:
            book.delete(row)

    async def tick(self, until_ms: int) -> bool:
        """Does what is due up to that instant, in the order of due times; whether there is more."""
        end_s = perf_counter() + HOLD_S
        await self.settle()
        work = _Work(self)
        done = False
        while not done and perf_counter() <= end_s:
            if self._jobs_since_s is not None and perf_counter() - self._jobs_since_s > JOBS_S:
                self._jobs_since_s = None
                await self._timers(work, until_ms, end_s)
            found = work.book.pop_due(until_ms)
            done = found is None
            if found is not None:
                self._note_job(found[0])
                await self._due(work, *found)
        await work.commit()
        return not done

    def _note_job(self, at_ms: int) -> None:
        if at_ms:
            self._jobs_since_s = None
        elif self._jobs_since_s is None:
            self._jobs_since_s = perf_counter()

    async def _timers(self, work: "_Work", until_ms: int, end_s: float) -> bool:
        """What is due by then, but no job; whether all was done before `end_s`."""
        while (found := work.book.pop_timed(until_ms)) is not None:
            await self._due(work, *found)
            if perf_counter() > end_s:
                return False
        return True

    async def _due(self, work: "_Work", at_ms: int, key: bytes) -> None:
        self._machine.due(work.book, key, max(self._now_ms(), at_ms), self._flows)
        self.timers += 1
        work.dirty = True
        await work.commit_full()


class _Work:
    """A book with what was applied to it, renewed at each commit."""

    def __init__(self, shard: "FlowShard[Any]") -> None:
        self._shard = shard
        self._ledger = shard.ledger
        self.book = self._ledger.book()
        self.floors: dict[Source, int] = {}
        self.applied: int | None = None
        self.dirty = False
        self._began_s = perf_counter()

    def known(self, entry: Entry) -> bool:
        source = (entry.path, entry.topic, entry.partition)
        floor = self.floors.get(source, self._ledger.applied.get(source, -1))
        return entry.offset <= floor

    async def commit_full(self) -> None:
        full = len(self.book.changed) >= COMMIT_CHANGES
        if full or perf_counter() - self._began_s > COMMIT_S:
            await self.commit()

    async def commit(self) -> None:
        if self.dirty or self.floors or self.applied is not None:
            began_s = perf_counter()
            book, self.book = self.book, self._ledger.book()
            applied, floors, self.applied, self.floors = self.applied, self.floors, None, {}
            self.dirty = False
            self._shard.commits += 1
            await self._ledger.commit(book, applied, floors)
            self._shard.busy_s += began_s - self._began_s
        self._began_s = perf_counter()
