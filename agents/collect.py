"""The sources at work in one worker: a lane for each assigned partition of the sources' changelog.

A source belongs to the lane that its name hashes to. Who is assigned the lane fetches; where each
source stands is in the lane's log, fenced by its claim. Sources don't wait for each other: each has
a task of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from agents.ending import end
from agents.fetching import Fetcher, FetcherKit
from config.names import Names
from config.topics import SOURCE_EVENTS
from connectors.archive.archive import Archive
from connectors.files.base import Files
from connectors.outbound import Outbound
from connectors.sources.base import Connector, Kit
from connectors.sources.caller import Caller
from connectors.sources.errors import CallFailed
from connectors.sources.registry import connector_class
from connectors.streams.base import Log, Row, Slice
from connectors.streams.murmur2 import partition_for
from domain.clock import Clock
from domain.metrics.records import Attributes, Record, encode, event_key
from domain.metrics.source import Source
from tables.changelog import Changelog
from tables.documents import Documents, Version
from tables.in_force import document_of, in_service
from tables.sources import SourceLog

DELIVERY_BYTES = 4 << 20  # of what was pushed, read at a time


@dataclass(frozen=True)
class CollectMeans:
    """What the worker gives: `fail` hears of what must end the worker, `jitter_s` is the most that
    a fetch is put off."""

    log: Log
    names: Names
    clock: Clock
    documents: Documents
    worker: str
    outbound: Outbound
    environ: Mapping[str, str]
    archive: Archive
    fail: Callable[[BaseException], None]
    max_record_bytes: int = 1 << 20
    on_step: Callable[[int], None] = lambda _step: None
    jitter_s: float = 0.0
    tables: Callable[[], Files] | None = None


@dataclass
class SourceLane:
    """One lane: its log, and the sources at work, by name. A source whose connector is not there
    has a text that says so instead of a fetcher."""

    number: int
    log: SourceLog
    at_work: dict[str, tuple[Version, Fetcher, asyncio.Task[None]]] = field(default_factory=dict)
    impossible: dict[str, tuple[Version, str]] = field(default_factory=dict)


class Collector:
    """See the module. Calls of `assign`, `reconcile` and `close` may overlap."""

    def __init__(self, means: CollectMeans) -> None:
        self._means = means
        self._lanes: dict[int, SourceLane] = {}
        self._one_change = asyncio.Lock()
        self._paused = False
        self._numbers: set[int] = set()
        self._doubted = False
        self._count = 0
        self._seen = -1
        self._events = 0  # partitions of `source-events`

    @property
    def owned(self) -> dict[int, SourceLane]:
        """The lanes that are open here."""
        return dict(sorted(self._lanes.items()))

    def fetcher(self, name: str) -> Fetcher | None:
        """A source at work here."""
        for lane in self._lanes.values():
            if name in lane.at_work:
                return lane.at_work[name][1]
        return None

    def lane_of(self, name: str, lanes: int) -> int:
        """The lane of a source, of so many."""
        return partition_for(name.encode(), lanes)

    async def pause(self) -> None:
        """Ends all sources until the next `assign`: partitions are being given out anew, and
        another worker may have ours at any moment."""
        self._paused = True
        tasks = [entry[2] for lane in self._lanes.values() for entry in lane.at_work.values()]
        for lane in self._lanes.values():
            lane.at_work.clear()
        await end(*tasks)

    def assigned(self, numbers: set[int]) -> None:
        """Exactly these lanes are this worker's from now on; the next `reconcile` opens them."""
        self._numbers, self._doubted, self._paused = set(numbers), True, False
        self._seen = -1

    async def assign(self, numbers: set[int]) -> None:
        """`assigned`, and opened when it returns."""
        self.assigned(numbers)
        await self.reconcile()

    async def reconcile(self) -> None:
        """Opens the lanes assigned; starts and stops sources as the documents in force want it."""
        async with self._one_change:
            if self._doubted and not self._paused:
                await self._open()
            revision = self._means.documents.revision
            if not self._lanes or self._paused or self._seen == revision:
                return
            self._seen = revision
            wanted = {version.name: version for version in self.in_force()}
            for lane in self._lanes.values():
                mine = {
                    name: version
                    for name, version in wanted.items()
                    if self.lane_of(name, self._count) == lane.number
                }
                for name in [n for n in lane.at_work if mine.get(n) != lane.at_work[n][0]]:
                    await end(lane.at_work.pop(name)[2])
                lane.impossible.clear()
                for name, version in mine.items():
                    if name not in lane.at_work and not self._paused:
                        self._start(lane, version)

    async def _open(self) -> None:
        """Lanes that are no longer ours are closed; those kept go on, unless somebody else had
        them."""
        numbers, self._doubted = self._numbers, False
        self._count = (await self._means.log.topics())[self._means.names.changelog("sources")]
        for number, lane in list(self._lanes.items()):
            if number not in numbers or not await lane.log.still_ours():
                await self._release(number)
        for number in sorted(numbers - self._lanes.keys()):
            topic = self._means.names.changelog("sources")
            log = SourceLog(Changelog(self._means.log, topic, number, self._means.worker))
            await log.open()
            self._lanes[number] = SourceLane(number, log)

    def in_force(self) -> list[Version]:
        """The sources in force that can be followed, by name; the others' cursors stay."""
        return in_service(self._means.documents, Source.kind)

    def source(self, version: Version) -> Source:
        """The document of a version."""
        return document_of(version, Source)

    def _start(self, lane: SourceLane, version: Version) -> None:
        means, source = self._means, self.source(version)
        caller = Caller(means.outbound, source.backoff, source.budget)
        try:
            connector = self._connector(source, caller, lane.number)
        except CallFailed as error:
            lane.impossible[source.name] = version, error.detail
            return
        kit = FetcherKit(
            lane=lane.log,
            archive=means.archive,
            caller=caller,
            clock=means.clock,
            send=self._send,
            on_step=means.on_step,
            in_force_ms=version.at,
            jitter_s=means.jitter_s,
        )
        fetcher = Fetcher(source, connector, kit)
        task = asyncio.create_task(fetcher.run(), name=f"source {source.name}")
        task.add_done_callback(self._ended)
        lane.at_work[source.name] = version, fetcher, task

    def _connector(self, source: Source, caller: Caller, lane: int) -> Connector:
        means = self._means

        async def deliveries(offset: int) -> Slice:
            topic = means.names.deliveries
            part = await means.log.read(topic, lane, offset, max_bytes=DELIVERY_BYTES)
            own = [item for item in part.items if item[2] == source.name.encode()]
            return Slice(own, part.next_offset, part.end_offset)

        def archived() -> Iterator[Attributes]:
            return (one.record.attributes for one in means.archive.records(source.name))

        kit = Kit(
            source, caller, means.environ, means.clock.now_ms, deliveries, means.tables, archived
        )
        return connector_class(source.connector)(kit)

    async def _send(self, records: Sequence[Record]) -> None:
        """Appends records of one source to its partition, durable when it returns. One that is too
        large for the topic goes without its attributes: its values are beside them, and the archive
        has it whole."""
        topic = self._means.names.topic(SOURCE_EVENTS)
        if not self._events:
            self._events = (await self._means.log.topics())[topic]
        partition = partition_for(records[0].source.encode(), self._events)
        rows: list[Row] = []
        for each in records:
            body = encode(each)
            if len(body) > self._means.max_record_bytes:
                body = encode(msgspec.structs.replace(each, attributes={}))
            rows.append((event_key(each.source, each.key), body, None, ()))
        await self._means.log.append(topic, partition, rows)

    def _ended(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._means.fail(error)

    async def _release(self, number: int) -> None:
        lane = self._lanes.pop(number)
        for _, _, task in lane.at_work.values():
            await end(task)

    async def close(self) -> None:
        """Ends all sources; a page under way is finished or taken back by whoever is next."""
        async with self._one_change:
            for number in list(self._lanes):
                await self._release(number)
