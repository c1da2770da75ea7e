"""The durable log on Kafka.

Appends go by one idempotent producer, at most one under way per partition; reads, offsets and
topics by a client of their own, outside any group. All in the event loop that called `start`.
"""

import asyncio
from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple

from aiokafka import errors

from config.settings import Settings
from connectors.streams.base import (
    TP,
    MissingKey,
    RecordTooLarge,
    Row,
    Slice,
    StreamUnavailable,
    TopicDescription,
    TopicSpec,
    UnknownTopic,
)
from connectors.streams.kafka.cluster import Cluster
from connectors.streams.kafka.connection import REQUEST_TIMEOUT_S, client_options, told
from connectors.streams.kafka.offsets import EARLIEST, LATEST, Offsets
from connectors.streams.kafka.produce import Sender, batches
from connectors.streams.kafka.read import Reader
from connectors.streams.kafka.topics import Admission, Topics
from domain.clock import Clock


class _Open(NamedTuple):
    """What exists while the log is open."""

    cluster: Cluster
    topics: Topics
    sender: Sender
    offsets: Offsets
    reader: Reader


class KafkaLog:
    """A Log on the brokers of the settings. Rows without a timestamp get that of `clock`."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._where = settings.stream
        self._open: _Open | None = None
        self._appending: dict[TP, asyncio.Lock] = {}

    async def start(self) -> None:
        """Connects; raises StreamUnavailable with what to check."""
        if self._open is not None:
            return
        cluster = Cluster(client_options(self._settings, "log"))
        topics = Topics(client_options(self._settings, "topics"), self._settings.replication)
        sender = Sender(client_options(self._settings, "appends"))
        try:
            with told(self._where):
                async with asyncio.timeout(REQUEST_TIMEOUT_S):
                    await cluster.start()
                    await topics.start()
                await sender.start()
        except BaseException:
            await cluster.close()
            await topics.stop()
            raise
        offsets = Offsets(cluster)
        self._open = _Open(cluster, topics, sender, offsets, Reader(cluster, offsets))

    async def stop(self) -> None:
        """Finishes the appends under way and disconnects; waiting reads return empty."""
        if self._open is None:
            return
        opened, self._open = self._open, None
        await opened.sender.stop()
        await opened.topics.stop()
        await opened.cluster.close()

    async def append(self, topic: str, partition: int, rows: Sequence[Row]) -> tuple[int, int]:
        """See `Log.append`. After StreamUnavailable the rows, or some, may be stored or not."""
        opened = self._opened()
        if not rows:
            raise ValueError("an append needs at least one row")
        tp = (topic, partition)
        lock = self._appending.get(tp)
        if lock is None:
            lock = self._appending[tp] = asyncio.Lock()
        # asyncio's lock is fair, and nothing is awaited before it: call order is append order
        async with lock:
            with told(self._where, topic, partition):
                made = await self._batches(opened, tp, rows)
                try:
                    first = await opened.sender.send(tp, made[0])
                except errors.MessageSizeTooLargeError:
                    # the topic's limit was lowered since we asked; nothing of the call is stored
                    made = await self._batches(opened, tp, rows, fresh=True)
                    first = await opened.sender.send(tp, made[0])
                last = first + made[0].record_count() - 1
                for batch in made[1:]:
                    last = await opened.sender.send(tp, batch) + batch.record_count() - 1
        return first, last

    async def _batches(
        self, opened: _Open, tp: TP, rows: Sequence[Row], *, fresh: bool = False
    ) -> list[Any]:
        admission = await opened.topics.admission(tp[0], fresh=fresh)
        try:
            return self._built(tp, rows, admission)
        except (RecordTooLarge, MissingKey, UnknownTopic):
            # an operator may have raised the limit, or the number of partitions, since
            admission = await opened.topics.admission(tp[0], fresh=True)
            return self._built(tp, rows, admission)

    def _built(self, tp: TP, rows: Sequence[Row], admission: Admission) -> list[Any]:
        if not 0 <= tp[1] < admission.partitions:
            raise UnknownTopic(*tp)
        return batches(tp[0], rows, self._clock.now_ms(), admission)

    async def read(
        self,
        topic: str,
        partition: int,
        offset: int,
        *,
        max_bytes: int = 1 << 20,
        wait_s: float = 0.0,
    ) -> Slice:
        """See `Log.read`. Reads what is committed: no aborted or open transactions."""
        opened = self._opened()
        try:
            with told(self._where, topic, partition):
                return await opened.reader.read(topic, partition, offset, max_bytes, wait_s)
        except StreamUnavailable:
            if self._open is not opened:  # stopped meanwhile
                return Slice([], offset, offset)
            raise

    async def begin_offsets(self, tps: Iterable[TP]) -> dict[TP, int]:
        """See `Log.begin_offsets`."""
        with told(self._where):
            return await self._opened().offsets.at(dict.fromkeys(tps, EARLIEST))

    async def end_offsets(self, tps: Iterable[TP]) -> dict[TP, int]:
        """See `Log.end_offsets`."""
        with told(self._where):
            return await self._opened().offsets.at(dict.fromkeys(tps, LATEST))

    async def offset_at(self, topic: str, partition: int, timestamp_ms: int) -> int:
        """See `Log.offset_at`."""
        tp = (topic, partition)
        with told(self._where, topic, partition):
            # Kafka takes negative times for its own words: everything is later than them
            found = (await self._opened().offsets.at({tp: max(0, timestamp_ms)}))[tp]
        return found if found >= 0 else (await self.end_offsets([tp]))[tp]

    async def topics(self) -> dict[str, int]:
        """See `Log.topics`."""
        with told(self._where):
            return await self._opened().topics.all()

    async def ensure_topic(self, spec: TopicSpec) -> bool:
        """See `Log.ensure_topic`; made with the replication of the settings."""
        opened = self._opened()
        with told(self._where, spec.name):
            made = await opened.topics.ensure(spec)
        opened.cluster.saw(spec.name)
        return made

    async def widen_topic(self, topic: str, partitions: int) -> bool:
        """See `Log.widen_topic`."""
        with told(self._where, topic):
            return await self._opened().topics.widen(topic, partitions)

    async def describe_topic(self, topic: str) -> TopicDescription:
        """See `Log.describe_topic`."""
        with told(self._where, topic):
            return await self._opened().topics.describe(topic)

    async def committed(self, group: str, tps: Iterable[TP]) -> dict[TP, int | None]:
        """See `Log.committed`."""
        with told(self._where):
            return await self._opened().offsets.committed(group, tps)

    async def erase(self, topic: str, partition: int, offsets: Collection[int]) -> bool:
        """See `Log.erase`: never, a record stays until compaction or retention takes it."""
        return False

    async def delete_before(self, topic: str, partition: int, offset: int) -> None:
        """See `Log.delete_before`. The broker gives no such record to anybody any more; its bytes
        go with their segment."""
        with told(self._where, topic, partition):
            await self._opened().topics.delete_before(topic, partition, offset)

    def _opened(self) -> _Open:
        if self._open is None:
            raise StreamUnavailable(self._where, "the log is not open")
        return self._open
