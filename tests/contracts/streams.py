"""Both streams for one suite: how to open each, and how to make each clean up now."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar, cast

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from config.settings import Settings
from connectors.streams import open_log
from connectors.streams.base import Item, Log, Row, TopicSpec
from connectors.streams.embedded.log import EmbeddedLog
from domain.clock import FixedClock
from tests.waiting import auntil

T = TypeVar("T")
SEEN_S = 20.0  # enough for a group that has just lost a member


@dataclass(frozen=True)
class Stream:
    """A stream under test. `clock` stands at the real time of the test's start."""

    settings: Settings
    clock: FixedClock

    @property
    def embedded(self) -> bool:
        """Whether it is the log in this process."""
        return self.settings.stream == "embedded://"

    def name(self, stem: str = "t") -> str:
        """A name for a topic or a group that nobody else uses."""
        return f"{stem}-{uuid.uuid4().hex[:12]}"

    def with_settings(self, **changes: object) -> "Stream":
        """The same stream under other settings."""
        return replace(self, settings=replace(self.settings, **changes))  # type: ignore[arg-type]  # the caller's names

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Log]:
        """The log, started; stopped at the end."""
        log = open_log(self.settings, self.clock)
        await log.start()
        try:
            yield log
        finally:
            await log.stop()

    def run(self, story: Callable[[Log], Awaitable[T]]) -> T:
        """Runs a test's story with the open log."""

        async def told() -> T:
            async with self.opened() as log:
                return await story(log)

        return asyncio.run(told())

    async def topic(
        self,
        log: Log,
        *,
        partitions: int = 1,
        config: Mapping[str, str] | None = None,
        **spec: object,
    ) -> str:
        """A new topic; `config` is put on it where the stream is Kafka."""
        name = self.name()
        made = TopicSpec(name, partitions, **spec)  # type: ignore[arg-type]  # the caller's names
        assert await log.ensure_topic(made)
        if config and not self.embedded:
            await self._configure(name, config)
        return name

    async def clean(self, log: Log) -> None:
        """A round of retention and compaction now; Kafka has its own pace."""
        if isinstance(log, EmbeddedLog):
            await log.clean(compact_from_bytes=0)

    async def lose(self, log: Log, topic: str) -> None:
        """All records of partition 0 of a topic with retention fall to it."""
        tp = (topic, 0)
        end = (await log.end_offsets([tp]))[tp]
        if isinstance(log, EmbeddedLog):
            retention_ms = int((await log.describe_topic(topic)).config["retention.ms"])
            self.clock.advance(retention_ms + 1)
            await log.clean()
        else:
            async with self._admin() as admin:
                await admin.delete_records({TopicPartition(*tp): RecordsToDelete(end)})
        assert await log.begin_offsets([tp]) == {tp: end}

    async def _configure(self, topic: str, config: Mapping[str, str]) -> None:
        # this replaces the whole configuration; Kafka closes segments by the records' time
        whole = {
            "cleanup.policy": "compact",
            "message.timestamp.type": "LogAppendTime",
            **config,
        }
        async with self._admin() as admin:
            resource = ConfigResource(ConfigResourceType.TOPIC, topic, configs=whole)
            await admin.alter_configs([resource])

    @asynccontextmanager
    async def _admin(self) -> AsyncIterator[AIOKafkaAdminClient]:
        admin = AIOKafkaAdminClient(bootstrap_servers=list(self.settings.brokers))
        await admin.start()
        try:
            yield admin
        finally:
            await admin.close()


def embedded_stream(folder: Path) -> Stream:
    """The embedded log in `folder`."""
    return Stream(Settings(stream="embedded://", data_dir=folder), _clock())


def kafka_stream(url: str, folder: Path) -> Stream:
    """Kafka at `url`; `folder` is the worker's data directory."""
    return Stream(Settings(stream=url, data_dir=folder), _clock())


def _clock() -> FixedClock:
    return FixedClock(time.time_ns() // 1_000_000)


def rows(*values: bytes) -> list[Row]:
    """Keyless rows of now."""
    return [(None, value, None, ()) for value in values]


def values(items: list[Item]) -> list[bytes | None]:
    """What the records hold."""
    return [item[3] for item in items]


async def read_all(
    log: Log, topic: str, partition: int = 0, offset: int = 0, max_bytes: int = 1 << 20
) -> list[Item]:
    """Everything from `offset` to the end, slice by slice."""
    items: list[Item] = []
    while True:
        piece = await log.read(topic, partition, offset, max_bytes=max_bytes)
        items += piece.items
        if piece.next_offset >= piece.end_offset:
            return items
        assert piece.next_offset > offset, "a reader that gets no further never ends"
        offset = piece.next_offset


async def happened(look: Callable[[], Awaitable[T]], timeout_s: float) -> T:
    """`auntil` for a coroutine function, with the type of what it returns."""
    found: T = await auntil(cast(Callable[[], Any], look), timeout_s)
    return found


async def until_committed(log: Log, group: str, topic: str, *offsets: int | None) -> None:
    """Waits until the group stands at these offsets of partitions 0, 1, ..."""
    wanted = {(topic, partition): offset for partition, offset in enumerate(offsets)}

    async def committed() -> bool:
        assert await log.committed(group, wanted) == wanted
        return True

    await happened(committed, SEEN_S)
