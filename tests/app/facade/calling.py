"""A worker's facade with campaigns: the rules on books in memory, fed from the log as a shard is.

What a book sends and stores is delivered at once. The clock is the house's; `due` moves it.
"""

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from agents.campaign_parcels import BY_RETRIGGER, Entry
from agents.campaign_route import route
from app.campaign_shapes import Numbers, Upload
from app.facade.campaigns.sources import OpenShard, Sources
from app.facade.facade import Facade
from app.shapes import Change
from connectors.stores.base import Documents, Negatives, Write
from connectors.stores.sqlite_documents import SqliteDocuments
from connectors.stores.sqlite_negatives import SqliteNegatives
from domain.campaigns import machine
from domain.campaigns.book import MemoryBook
from domain.campaigns.document import FlowsOf
from domain.errors import Reject
from domain.insight import taking
from domain.insight.erase import Whom, erase
from tests.agents.uploads.kit import DESCRIPTION, FLOW, NOW_MS, body, number, table
from tests.app.facade.house import Clock, House, Living

EVENTS = "campaign-events"


class EventBooks:
    """Shards of funnel and usage events on books in memory, as a worker has them."""

    def __init__(self, shards: int) -> None:
        self._books = {number: MemoryBook() for number in range(shards)}
        self.work = self.shards = self

    def open_ones(self) -> dict[int, Any]:
        return {}  # none has a store on disk

    def books(self) -> dict[int, tuple[int, MemoryBook]]:
        return {number: (1, book) for number, book in self._books.items()}

    def take(self, shard: int, entry: Entry, now_ms: int) -> None:
        raw, where = msgspec.json.decode(entry.body), (entry.partition, entry.offset)
        taking.take(self._books[shard], raw, entry.body, where, entry.timestamp, now_ms)

    async def erase(self, left: dict[int, bytes], whom: Whom, dry_run: bool) -> dict[int, Any]:
        found = {n: erase(self._books[n], whom, after, dry_run, 2) for n, after in left.items()}
        return {n: {"epoch": 1, **one._asdict()} for n, one in found.items()}


class Calling:
    """What outlives a worker: the log, the books, the stores."""

    def __init__(self, folder: Path, shards: int = 2) -> None:
        self.house = House(folder, partitions=shards, clock=Clock(NOW_MS))
        self.house.log.counts |= {EVENTS: shards}
        # kept by different shards
        self.flows = FlowsOf(FLOW, msgspec.structs.replace(FLOW, name="greeting"))
        self.books = {number: MemoryBook() for number in range(shards)}
        self.refused: list[Reject] = []
        self.documents: Documents = SqliteDocuments(folder / "documents.sqlite")
        self.negatives: Negatives = SqliteNegatives(folder / "negatives.sqlite")
        self.events = EventBooks(shards)
        self._read: dict[int, int] = {}
        self.held: set[int] = set()  # shards that apply nothing now
        self._coming: dict[int, list[Entry]] = {n: [] for n in range(shards)}
        self.applied: dict[int, dict[Any, int]] = {n: {} for n in range(shards)}
        self.sequence = 0

    @asynccontextmanager
    async def open(self, worker: str = "w-1") -> AsyncIterator[Facade]:
        """A worker of that name, at work until the end of the block."""
        living = Living(self.house, worker)
        parts = Sources(self._count, self._open, self.flows, self.documents, self.negatives)
        insight: Any = self.events
        living.parts = dataclasses.replace(living.parts, sources=parts, insight=insight)
        living.facade = Facade(living.parts, living._crash, "")
        await living.start()
        work = asyncio.create_task(self._forever())
        try:
            yield living.facade
        finally:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
            await living.stop()

    def _count(self) -> int:
        return len(self.books)

    def _open(self) -> dict[int, OpenShard]:
        return {
            n: OpenShard(1, self.sequence, book, self.applied[n]) for n, book in self.books.items()
        }

    async def _forever(self) -> None:
        while True:
            await self.work()
            woken = asyncio.get_running_loop().create_future()
            asyncio.get_running_loop().call_later(0.005, woken.set_result, None)
            await woken

    async def work(self) -> None:
        """Applies what came, then what is due."""
        now_ms = self.house.clock.now_ms()
        for partition in range(len(self.books)):
            rows = self.house.log.rows.get((EVENTS, partition), [])
            at = self._read.get(partition, 0)
            sent = route(EVENTS, partition, rows[at:], len(self.books), now_ms)
            assert not sent.letters
            for entries in sent.retriggers.values():
                for entry in entries:
                    entry.path = BY_RETRIGGER
            for shard, entries in [*sent.entries.items(), *sent.retriggers.items()]:
                self._coming[shard] += entries
            for shard, watched in sent.watched.items():
                for entry in watched:
                    self.events.take(shard, entry, now_ms)
            self._read[partition] = len(rows)
        for shard in self._coming.keys() - self.held:
            for entry in self._coming[shard]:
                self._apply(shard, entry, now_ms)
            self._coming[shard] = []
        for book in self.books.values():
            while (due_ms := book.due_ms()) is not None and due_ms <= now_ms:
                found = book.next_due()
                assert found is not None
                machine.due(book, found[1], max(now_ms, found[0]), self.flows)
        await self._deliver()

    def _apply(self, shard: int, entry: Entry, now_ms: int) -> None:
        try:
            event = msgspec.json.decode(entry.body)
            machine.apply(self.books[shard], event, now_ms, self.flows)
        except Reject as error:
            self.refused.append(error)
        self.applied[shard][entry.path, entry.topic, entry.partition] = entry.offset

    async def _deliver(self) -> None:
        if any(book.stored or book.sent for book in self.books.values()):
            self.sequence += 1
        for book in self.books.values():
            book.sent.clear()
            stored, book.stored = book.stored, {}
            for what, values in stored.items():
                store: Any = self.documents if what in ("fdds", "campaigns") else self.negatives
                await store.write(
                    [Write(what, one, self.sequence, v) for one, v in values.items()]  # type: ignore[arg-type] # of the four
                )


ME = Change("ada", "a test")


def run(calling: Calling, steps: Callable[[Facade], Awaitable[Any]]) -> Any:
    async def main() -> Any:
        async with calling.open() as facade:
            return await steps(facade)

    return asyncio.run(main())


async def upload(facade: Facade, content: bytes, change: Change = ME, **description: Any) -> str:
    """Uploads a file and waits until it is processed; its request id."""

    async def described() -> Any:
        return {**DESCRIPTION, "slots": ["16:00-18:00"], **description}

    done = await facade.upload_campaign(Upload(described, "f.csv", body(content)), change)

    async def processed() -> bool:
        shown = await facade.campaign(done.request_id, None)
        return shown is not None and not shown["flags"]["processing"]

    await seen(processed)
    return done.request_id


async def seen(look: Callable[[], Awaitable[bool]]) -> None:
    """Returns when it is so."""
    while not await look():
        pass


def numbers(*texts: str, header: str = "number") -> Numbers:
    return Numbers("n.csv", body("\n".join((header, *texts)).encode()))


TEN = table(*([number(n), f"name {n}"] for n in range(1, 10)), ["abc", "bad"])
