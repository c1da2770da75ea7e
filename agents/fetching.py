"""One source at work: when it is due, page by page into the archive, and onto `source-events`.

The order of a page is in `tables/sources.py`; its steps are repeated here.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, cast
from uuid import uuid4

import msgspec

from agents.source_schedule import next_run_ms
from connectors.archive.archive import Archive
from connectors.files.base import FilesError
from connectors.sources.base import Connector, Page, Window
from connectors.sources.caller import Caller
from connectors.sources.errors import CallFailed
from domain.clock import Clock
from domain.metrics.fetched import Cut, cut
from domain.metrics.page_names import Written, version_of
from domain.metrics.records import Record, key_of, record_of
from domain.metrics.source import Source
from domain.sinks.backoff import wait_ms
from domain.sinks.document import Retry
from tables.sources import Pending, Place, SourceLog, Trouble

logger = logging.getLogger(__name__)
LOOK_S = 0.2  # how soon it is seen that something is due
ARCHIVE_RETRY = Retry(500, 30_000)
EVENTS = 1_000  # sent at a time
JOBS_KEPT = 50  # whose outcome can still be asked for
SHOWN = 20  # records of a test that are shown


@dataclass
class Job:
    """A fetch that somebody asked for. `trial` makes one call and archives nothing."""

    window: Window | None = None
    trial: bool = False
    id: str = field(default_factory=lambda: uuid4().hex)
    state: str = "waiting"
    detail: str = ""
    status: int | None = None
    pages: int = 0
    records: int = 0
    cancelled: bool = False  # it ends with the page that is under way
    sample: list[dict[str, Any]] = field(default_factory=list)
    done: asyncio.Event = field(default_factory=asyncio.Event)

    def end(self, state: str, detail: str = "", status: int | None = None) -> None:
        """It is over: `done` or `failed`."""
        self.state, self.detail, self.status = state, detail, status
        self.done.set()


@dataclass(frozen=True)
class FetcherKit:
    """What a source works with. `send` appends a source's records to its partition of
    `source-events`; `on_step` hears of each step of a
    page; `jitter_s`: at most so long a fetch is put off."""

    lane: SourceLog
    archive: Archive
    caller: Caller
    clock: Clock
    send: Callable[[Sequence[Record]], Awaitable[None]]
    on_step: Callable[[int], None]
    in_force_ms: int
    jitter_s: float


class Fetcher:
    """See the module. `run` goes on until it is cancelled; what it raises ends the worker."""

    def __init__(self, source: Source, connector: Connector, kit: FetcherKit) -> None:
        self.source = source
        self.running = False
        self.current: Job | None = None  # the fetch under way, also one by the schedule
        self.began_ms = 0
        self.jobs: dict[str, Job] = {}
        self._connector = connector
        self._kit = kit
        self._waiting: deque[Job] = deque()
        self._woken = asyncio.Event()
        self._attempt = 0
        self._pushed = bool(getattr(connector, "PUSHED", False))
        self._mapping = source.mapping
        self.archive_trouble = ""

    @property
    def place(self) -> Place:
        """Where it stands."""
        return self._kit.lane.places.get(self.source.name, Place())

    @property
    def quota_left(self) -> int | None:
        """Calls left, if the service tells."""
        return self._kit.caller.quota_left

    def next_run_ms(self) -> int | None:
        """When it is fetched next by its schedule; None without one."""
        if self.source.schedule is None:
            return None
        after = max(self.place.scheduled_ms, self._kit.in_force_ms)
        return next_run_ms(self.source.schedule, self.source.timezone, after)

    def ask(self, window: Window | None = None, *, trial: bool = False) -> Job:
        """Asks for a fetch; it begins when the one under way is over. One that waits and is the
        same is the answer."""
        if window is not None and not self._connector.RANGED:
            raise CallFailed(f"connector {self.source.connector} has no history to fetch by time")
        for job in self._waiting:
            if (job.window, job.trial) == (window, trial):
                return job
        job = Job(window, trial)
        self._waiting.append(job)
        self.jobs[job.id] = job
        while len(self.jobs) > JOBS_KEPT:
            del self.jobs[next(iter(self.jobs))]
        self._woken.set()
        return job

    def cancel(self) -> bool:
        """Ends the fetch under way once its page is kept: the next one goes on from there. False
        when there is none."""
        if not self.running or self.current is None:
            return False
        self.current.cancelled = True
        return True

    async def run(self) -> None:
        """Fetches when it is due or asked for, for ever."""
        try:
            await self._recover()
            while True:
                if self._waiting:
                    await self._answer(self._waiting.popleft())
                elif self._pushed:
                    await self._take_pushed()
                elif (due := self._due_ms()) is not None:
                    await self._jitter()
                    await self._fetch(None, scheduled_ms=due)
                else:
                    await self._sleep(LOOK_S)
        finally:
            await self._kit.caller.close()
            for job in self.jobs.values():
                if not job.done.is_set():
                    job.end("failed", "the source was stopped or moved to another worker")

    def _due_ms(self) -> int | None:
        """Now, when the schedule has passed since it was last seen to; of several times that went
        by, one fetch catches up with all."""
        due, now = self.next_run_ms(), self._kit.clock.now_ms()
        return now if due is not None and due <= now else None

    async def _sleep(self, seconds: float) -> None:
        self._woken.clear()
        if not self._waiting:
            loop = asyncio.get_running_loop()
            timer = loop.call_later(seconds, self._woken.set)
            await self._woken.wait()
            timer.cancel()

    async def _jitter(self) -> None:
        if self._kit.jitter_s > 0:
            await self._sleep(random.random() * self._kit.jitter_s)

    async def _answer(self, job: Job) -> None:
        job.state = "running"
        if job.trial:
            await self._try(job)
        else:
            await self._fetch(job)

    # Fetching

    async def _fetch(self, job: Job | None, scheduled_ms: int | None = None) -> None:
        asked = self.current = job or Job()
        self.running, self.began_ms = True, self._kit.clock.now_ms()
        try:
            async with aclosing(self._pages(asked.window)) as pages:
                async for page in pages:
                    await self._keep(page, scheduled_ms or 0)
                    asked.pages += 1
                    asked.records += len(page.records)
                    if asked.cancelled:
                        break
        except CallFailed as error:
            await self._failed(error, scheduled_ms)
            asked.end("failed", error.detail, error.status)
        else:
            await self._kit.lane.put(self.source.name, self._ended(self.place, scheduled_ms or 0))
            asked.end(*(("failed", "it was cancelled") if asked.cancelled else ("done",)))
        finally:
            self.running = False

    def _ended(self, place: Place, scheduled_ms: int) -> Place:
        """The place when a fetch has come to its end."""
        return msgspec.structs.replace(
            place,
            fetched_ms=self._kit.clock.now_ms(),
            trouble=None,
            scheduled_ms=max(place.scheduled_ms, scheduled_ms),
        )

    async def _take_pushed(self) -> None:
        """What was pushed meanwhile; pages only when there is something."""
        some = False
        async with aclosing(self._pages(None)) as pages:
            async for page in pages:
                await self._keep(page)
                some = True
        if some:
            now = self._kit.clock.now_ms()
            following = msgspec.structs.replace(self.place, fetched_ms=now, trouble=None)
            await self._kit.lane.put(self.source.name, following)
        else:
            await self._sleep(LOOK_S)

    async def _pages(self, window: Window | None) -> AsyncGenerator[Page, None]:
        """The connector's pages. An answer whose shape it does not expect is that source's trouble
        and not the worker's."""
        found = cast(AsyncGenerator[Page, None], self._connector.fetch(self.place.cursor, window))
        async with aclosing(found):
            try:
                async for page in found:
                    yield page
            except (LookupError, TypeError, ValueError, AttributeError) as error:
                logger.debug("source %s", self.source.name, exc_info=error)
                raise CallFailed(
                    f"connector {self.source.connector} does not understand the answer: {error!r}"
                ) from error

    async def _failed(self, error: CallFailed, scheduled_ms: int | None) -> None:
        now, place = self._kit.clock.now_ms(), self.place
        since = now if place.trouble is None else place.trouble.since_ms
        if place.trouble is None or place.trouble.detail != error.detail:
            logger.warning("source %s: %s", self.source.name, error.detail)
        following = msgspec.structs.replace(
            place,
            trouble=Trouble(error.detail, error.status, now, since),
            scheduled_ms=max(place.scheduled_ms, scheduled_ms or 0),
        )
        await self._kit.lane.put(self.source.name, following)

    async def _try(self, job: Job) -> None:
        try:
            async with aclosing(self._pages(job.window)) as pages:
                async for page in pages:
                    job.pages, job.records = 1, len(page.records)
                    job.sample = [
                        {"key": key_of(self._mapping, each.ts_ms, each.attributes),
                         "ts_ms": each.ts_ms, "attributes": each.attributes}
                        for each in page.records[:SHOWN]
                    ]  # fmt: skip
                    break
        except CallFailed as error:
            job.end("failed", error.detail, error.status)
        else:
            job.end("done")

    # A page

    async def _keep(self, page: Page, scheduled_ms: int = 0) -> None:
        """Archives a page and moves on; the order stands in `tables/sources.py`."""
        kit, place, name = self._kit, self.place, self.source.name
        if not page.records:
            following = msgspec.structs.replace(place, cursor=page.cursor)
            if page.last:
                following = self._ended(following, scheduled_ms)
            if following != place:
                await kit.lane.put(name, following)
            return
        of = Written(place.number + 1, kit.lane.changelog.epoch, self._attempt)
        cuts = cut(name, of, page.records)
        # Step 1.
        kit.on_step(0)
        names = [each.name for each in cuts]
        ends_ms = scheduled_ms if page.last else None
        pending = Pending(of.epoch, of.attempt, names, page.cursor, ends_ms)
        await kit.lane.put(name, msgspec.structs.replace(place, pending=pending))
        kit.on_step(1)
        # Step 2.
        await self._insist(lambda: kit.archive.write(name, of, page.cursor, cuts))
        kit.on_step(2)
        await self._behind(of.number, pending, cuts)

    async def _behind(self, number: int, pending: Pending, cuts: Sequence[Cut]) -> None:
        kit = self._kit
        # Step 3.
        events = [event for each in cuts for event in self._events(number, each)]
        for first in range(0, len(events), EVENTS):
            await kit.send(events[first : first + EVENTS])
        kit.on_step(3)
        # Step 4.
        place = msgspec.structs.replace(
            self.place,
            number=number,
            cursor=pending.cursor,
            pending=None,
            pages=self.place.pages + 1,
            records=self.place.records + len(events),
        )
        if pending.ends_ms is not None:
            place = self._ended(place, pending.ends_ms)
        await kit.lane.put(self.source.name, place)
        self._attempt = 0
        kit.on_step(4)

    def _events(self, number: int, part: Cut) -> list[Record]:
        return [
            record_of(self._mapping, record.ts_ms, version, record.attributes)
            for version, record in enumerate(part.records, version_of(number, part.first))
        ]

    async def _recover(self) -> None:
        """Finishes or takes back the page that a kill left; a source that this installation does
        not know goes on from what its archive says."""
        kit, name = self._kit, self.source.name
        if name not in kit.lane.places:
            newest = await self._insist(lambda: kit.archive.newest(name))
            if newest is not None:
                await kit.lane.put(name, Place(newest[0].number, newest[1]))
            return
        pending = self.place.pending
        if pending is None:
            return
        if await self._insist(lambda: kit.archive.has(pending.names)):
            cuts = await self._insist(lambda: kit.archive.page(pending.names))
            await self._behind(self.place.number + 1, pending, cuts)
            return
        await self._insist(lambda: kit.archive.remove(pending.names))
        if pending.epoch == kit.lane.changelog.epoch:
            self._attempt = pending.attempt + 1

    async def _insist(self, work: Callable[[], Any]) -> Any:
        """Does something with the archive, until it is available."""
        attempt = 0
        while True:
            try:
                found = await asyncio.to_thread(work)
            except FilesError as error:
                attempt += 1
                if str(error) != self.archive_trouble:
                    logger.warning("source %s: %s", self.source.name, error)
                self.archive_trouble = str(error)
                await asyncio.sleep(wait_ms(ARCHIVE_RETRY, attempt, random.random()) / 1000)
                continue
            self.archive_trouble = ""
            return found
