"""Workers for tests: a Faust app on a real broker, with an agent that notes what it gets."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from config.settings import Settings
from connectors.streams import open_log
from connectors.streams.base import TP, Log, Row, TopicSpec
from connectors.streams.faust_app import App, make_app
from connectors.streams.faust_schema import BatchSchema
from domain.clock import FixedClock
from tests.waiting import auntil

Body = Callable[["Worker", Any], Awaitable[None]]


async def acknowledge(worker: "Worker", event: Any) -> None:
    """The body of a well-behaved agent."""
    worker.note(event)
    event.ack()


class Worker:
    """An app with one agent a topic. `seen`: (topic, partition) -> offsets its agents noted."""

    def __init__(self, app: App, body: Body) -> None:
        self.app = app
        self.body = body
        self.seen: defaultdict[tuple[str, int], list[int]] = defaultdict(list)
        self.batches: list[int] = []

    def note(self, event: Any) -> None:
        """Remembers the offsets of a batch."""
        message = event.message
        self.seen[message.topic, message.partition] += [item[0] for item in event.value]
        self.batches.append(len(event.value))

    def count(self) -> int:
        """How many records were noted."""
        return sum(map(len, self.seen.values()))

    def partitions(self, topic: str) -> set[int]:
        """Which partitions of a topic are assigned to it."""
        return {tp.partition for tp in self.app.consumer.assignment() if tp.topic == topic}

    def take(self, topic: str) -> Any:
        """Adds an agent for a topic; returns what `drop` takes."""

        async def agent(stream: Any) -> None:
            async for event in stream.noack().events():
                await self.body(self, event)

        return self.app.agent(self.app.topic(topic, schema=BatchSchema()), name=f"take-{topic}")(
            agent
        )


def settings_for(kafka: str, folder: Path, **changes: object) -> Settings:
    """Settings of a worker that commits quickly."""
    base = Settings(stream=kafka, data_dir=folder, commit_interval_s=0.1)
    return replace(base, **changes)  # type: ignore[arg-type]  # the caller's names


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Log]:
    """The log, started; stopped at the end."""
    log = open_log(settings, FixedClock(0))
    await log.start()
    try:
        yield log
    finally:
        await log.stop()


@asynccontextmanager
async def working(
    settings: Settings,
    log: Log,
    group: str,
    *topics: str,
    body: Body = acknowledge,
    heartbeat_s: float = 0.3,
    instance_id: str | None = None,
) -> AsyncIterator[Worker]:
    """A worker that has its partitions; stopped at the end. Rebalances take `heartbeat_s`."""
    app = make_app(
        settings,
        log,
        FixedClock(0),
        group=group,
        instance_id=instance_id,
        broker_heartbeat_interval=heartbeat_s,
    )
    worker = Worker(app, body)
    for topic in topics:
        worker.take(topic)
    await app.start()
    try:
        yield worker
    finally:
        await app.stop()


async def committed(log: Log, group: str, wanted: dict[TP, int | None]) -> None:
    """Waits until the group stands there."""

    async def stands_there() -> bool:
        return await log.committed(group, wanted) == wanted

    _: bool = await auntil(stands_there, what=f"{group} at {wanted}")


async def filled(log: Log, topic: str, partitions: int = 1, records: int = 0) -> None:
    """Makes a topic with so many records in each partition."""
    await log.ensure_topic(TopicSpec(topic, partitions))
    if records:
        await asyncio.gather(*(more(log, topic, p, records) for p in range(partitions)))


async def more(log: Log, topic: str, partition: int, records: int) -> None:
    """Appends so many records."""
    rows: list[Row] = [(b"k", b"%d" % n, None, ()) for n in range(records)]
    await log.append(topic, partition, rows)
