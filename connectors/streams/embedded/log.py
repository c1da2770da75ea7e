"""The embedded log: the stream of a single process, in one SQLite file in its data directory.

All SQL runs in one thread, in the order it is asked for; the event loop never waits for the
disk. Appends that arrive while another is being written are written together after it.
Acknowledged means synced: neither a kill of the process nor a power cut takes it back.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple, ParamSpec, TypeVar

from connectors.streams.base import (
    TP,
    Row,
    Slice,
    StreamError,
    StreamUnavailable,
    TopicDescription,
    TopicSpec,
)
from connectors.streams.embedded import reads
from connectors.streams.embedded.appends import Append, Commit
from connectors.streams.embedded.catalog import Catalog
from connectors.streams.embedded.compaction import compact, compaction_due
from connectors.streams.embedded.database import Database
from connectors.streams.embedded.erasing import delete_before, erase
from connectors.streams.embedded.lock import DirectoryLock
from connectors.streams.embedded.retention import expire
from connectors.streams.embedded.wakes import Wakes
from connectors.streams.embedded.writer import Writer
from domain.clock import Clock

AnyTP = TypeVar("AnyTP", bound=TP)
P = ParamSpec("P")
R = TypeVar("R")
logger = logging.getLogger(__name__)


class EmbeddedLog:
    """A Log in `directory`, for one event loop of one process; `start` takes a lock on it.

    Timestamps come from `clock`. `max_bytes` limits the file (None: the disk does). Cleaning
    runs each `clean_every_s` real seconds.
    """

    def __init__(
        self,
        directory: Path,
        clock: Clock,
        *,
        max_bytes: int | None = None,
        clean_every_s: float = 30.0,
    ) -> None:
        self._directory = directory
        self._clock = clock
        self._max_bytes = max_bytes
        self._clean_every_s = clean_every_s
        self._lock = DirectoryLock(directory)
        self._wakes = Wakes()
        self._open: _Open | None = None

    async def start(self) -> None:
        """Opens the log; raises DirectoryLocked while another process has it open."""
        if self._open is not None:
            return
        self._lock.acquire()
        thread = ThreadPoolExecutor(1, thread_name_prefix="embedded-log")
        loop = asyncio.get_running_loop()
        try:
            file = self._directory / "log.sqlite"
            database = await loop.run_in_executor(thread, Database, file, self._max_bytes)
            catalog = await loop.run_in_executor(thread, Catalog, database)
        except BaseException:
            thread.shutdown()
            self._lock.release()
            raise
        writer = Writer(database, thread, self._wakes.notify)
        self._open = _Open(thread, database, catalog, writer)
        self._stopping = asyncio.Event()
        self._cleaner = asyncio.create_task(self._clean_forever())

    async def stop(self) -> None:
        """Finishes the appends under way and closes the log; waiting reads return empty."""
        if self._open is None:
            return
        (thread, database, _, writer), self._open = self._open, None
        self._stopping.set()
        self._wakes.notify_all()
        try:
            await self._cleaner
            await writer.drain()
        finally:
            await asyncio.get_running_loop().run_in_executor(thread, database.close)
            thread.shutdown()
            self._lock.release()

    async def append(self, topic: str, partition: int, rows: Sequence[Row]) -> tuple[int, int]:
        """See `Log.append`. Cancelling the call doesn't take back what is being written."""
        log = self._opened()
        place = log.catalog.partition(topic, partition)
        if not rows:
            raise ValueError("an append needs at least one row")
        done: asyncio.Future[tuple[int, int]] = asyncio.get_running_loop().create_future()
        log.writer.put(Append(place, rows, self._clock.now_ms(), done))
        return await done

    async def commit(self, group: str, next_offsets: Mapping[AnyTP, int]) -> None:
        """Stores positions of a consumer group durably."""
        log = self._opened()
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        log.writer.put(Commit(group, dict[TP, int](next_offsets.items()), done))
        await done

    async def read(
        self,
        topic: str,
        partition: int,
        offset: int,
        *,
        max_bytes: int = 1 << 20,
        wait_s: float = 0.0,
        max_records: int = 1 << 31,
    ) -> Slice:
        """See `Log.read`. Whole blobs: the last may exceed either limit by some 256 KiB."""
        log = self._opened()
        place = log.catalog.partition(topic, partition)
        offset = max(offset, place.begin)
        if offset >= place.end and wait_s > 0:
            await self._wakes.wait((place.tp,), wait_s)
        end = place.end
        if offset >= end or self._open is None:
            return Slice([], offset, end)
        items, next_offset = await self._run(
            reads.read_slice, log.database, place, offset, max_bytes, max_records
        )
        return Slice(items, next_offset, end)

    async def wait_any(self, positions: Mapping[AnyTP, int], timeout_s: float) -> None:
        """Returns when one of the partitions reaches beyond its position, or after a while."""
        catalog = self._opened().catalog
        if all(catalog.partition(*tp).end <= offset for tp, offset in positions.items()):
            await self._wakes.wait(positions, timeout_s)

    async def begin_offsets(self, tps: Iterable[TP]) -> dict[TP, int]:
        """See `Log.begin_offsets`."""
        catalog = self._opened().catalog
        return {tp: catalog.partition(*tp).begin for tp in tps}

    async def end_offsets(self, tps: Iterable[TP]) -> dict[TP, int]:
        """See `Log.end_offsets`."""
        return {tp: self.end_offset(tp) for tp in tps}

    def end_offset(self, tp: TP) -> int:
        """The next offset of one partition, without waiting."""
        return self._opened().catalog.partition(*tp).end

    def partitions(self, topic: str) -> int | None:
        """The number of partitions of a topic, None when there is no such topic."""
        return self._opened().catalog.topics().get(topic)

    async def offset_at(self, topic: str, partition: int, timestamp_ms: int) -> int:
        """See `Log.offset_at`."""
        log = self._opened()
        place = log.catalog.partition(topic, partition)
        return await self._run(reads.offset_at, log.database, place, timestamp_ms)

    async def topics(self) -> dict[str, int]:
        """See `Log.topics`."""
        return self._opened().catalog.topics()

    async def ensure_topic(self, spec: TopicSpec) -> bool:
        """See `Log.ensure_topic`."""
        return await self._run(self._opened().catalog.create, spec)

    async def widen_topic(self, topic: str, partitions: int) -> bool:
        """See `Log.widen_topic`."""
        return await self._run(self._opened().catalog.widen, topic, partitions)

    async def describe_topic(self, topic: str) -> TopicDescription:
        """See `Log.describe_topic`."""
        return self._opened().catalog.describe(topic)

    async def committed(self, group: str, tps: Iterable[TP]) -> dict[TP, int | None]:
        """See `Log.committed`."""
        return await self._run(reads.committed, self._opened().database, group, list(tps))

    async def erase(self, topic: str, partition: int, offsets: Collection[int]) -> bool:
        """See `Log.erase`."""
        log = self._opened()
        await self._run_steps(erase(log.database, log.catalog.partition(topic, partition), offsets))
        return True

    async def delete_before(self, topic: str, partition: int, offset: int) -> None:
        """See `Log.delete_before`."""
        log = self._opened()
        place = log.catalog.partition(topic, partition)
        await self._run_steps(delete_before(log.database, place, offset))

    async def clean(self, compact_from_bytes: int = 1 << 20) -> None:
        """One round of retention, and of compaction where so much has come since the last."""
        log = self._opened()
        for place in log.catalog.all():
            now_ms = self._clock.now_ms()
            await self._run_steps(expire(log.database, place, now_ms))
            if await self._run(compaction_due, log.database, place, compact_from_bytes):
                await self._run_steps(compact(log.database, place, now_ms))
        await self._run(log.database.give_back)

    async def backup(self, file: Path) -> None:
        """Copies the log as it is now to `file`. Appends go on meanwhile, and are not in it."""
        log = self._opened()
        try:
            await self._run(log.database.hold_still)
            copied = await asyncio.create_subprocess_exec("cp", str(log.database.path), str(file))
            if await copied.wait():
                raise StreamError(f"{file}: the log could not be copied; is there room for it?")
        finally:
            await self._run(log.database.go_on)

    async def _clean_forever(self) -> None:
        while not self._stopping.is_set():
            try:
                async with asyncio.timeout(self._clean_every_s):
                    await self._stopping.wait()
            except TimeoutError:
                try:
                    await self.clean()
                except StreamError as error:
                    # a full disk, or the log is being closed; the next round goes on
                    logger.warning("the embedded log was not cleaned: %s", error)

    async def _run_steps(self, steps: Iterator[None]) -> None:
        while await self._run(_advance, steps):
            pass

    async def _run(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        thread = self._opened().thread
        call = partial(function, *args, **kwargs)
        return await asyncio.get_running_loop().run_in_executor(thread, call)

    def _opened(self) -> "_Open":
        if self._open is None:
            raise StreamUnavailable(str(self._directory), "the embedded log is not open")
        return self._open


class _Open(NamedTuple):
    """What exists while the log is open."""

    thread: ThreadPoolExecutor
    database: Database
    catalog: Catalog
    writer: Writer


def _advance(steps: Iterator[None]) -> bool:
    # a step is None, the default for the end is not
    return next(steps, False) is None
