"""A worker with its facade on a log in memory, without Faust and without processes.

Batches are fed by a task, as fast as they come. It can be killed at an append (`survives` of the
log), and another one begun on what is left.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agents.collect import CollectMeans, Collector
from agents.documents import DocumentsAgent
from agents.engine import Engine
from agents.folds import Folds
from agents.sinks.lanes import Means, SinkLanes
from app.cluster.beat import Beat
from app.facade.facade import Facade
from app.facade.parts import Parts
from app.shapes import Change, Changed
from app.trail.by_topic import teller
from config.names import Names
from config.settings import Settings
from config.topics import Topics
from connectors.archive.archive import Archive
from connectors.files.local import LocalFiles
from connectors.outbound import Outbound
from connectors.streams.memory import MemoryLog
from domain.clock import FixedClock
from tables.changelog import Changelog
from tables.documents import Documents, DocumentsFollower
from tables.formats import SHARD
from tables.shard import Shard
from tables.store import MemoryStore
from tests.waiting import auntil

START_MS = 1_700_000_000_000
NAMES = Names("sluice")
HOUR_MS = 3_600_000
ME = Change("tester", "a test")


class Clock(FixedClock):
    """As a process has it."""

    is_trial = False
    speed = 0.0


@dataclass
class Crowd:
    """The workers there are; `others` may be put there by a test."""

    own: Callable[[], Beat]
    others: list[Beat] = field(default_factory=list)
    lost: list[tuple[Beat, float]] = field(default_factory=list)

    def live(self) -> list[Beat]:
        return [self.own(), *self.others]

    def silent_s(self, worker: str) -> float:
        return 0.0

    def gone(self) -> list[tuple[Beat, float]]:
        return self.lost


@dataclass
class House:
    """What outlives a kill: the log, the clock, the folder."""

    folder: Path
    partitions: int = 2
    clock: Clock = field(default_factory=lambda: Clock(START_MS))
    inputs: Sequence[str] = ("usage",)
    environ: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.log = MemoryLog(self.clock)
        names = ["aggregates", "aggregates.audit", "dead-letters", "sink-dead-letters"]
        names += [NAMES.sessions_in, NAMES.changelog("sinks")]
        names += [NAMES.changelog("sessions"), NAMES.requests, *self.inputs]
        names += [NAMES.changelog(f"routes-{name}") for name in self.inputs]
        self.log.counts = dict.fromkeys(names, self.partitions)
        made = Topics(Settings(partitions=self.partitions)).all()
        self.log.counts |= {topic.name: topic.partitions for topic in made}
        self.log.counts |= {"config": 1, NAMES.changelog("documents"): 1, NAMES.workers: 1}

    @asynccontextmanager
    async def open(self, worker: str = "w-1") -> AsyncIterator["Living"]:
        """A worker of that name, working until the end of the block."""
        living = Living(self, worker)
        await living.start()
        try:
            yield living
        finally:
            await living.stop()


class Living:
    """A worker at work."""

    def __init__(self, house: House, worker: str) -> None:
        self.house, self.worker = house, worker
        self.log, self.clock = house.log, house.clock
        self.documents = Documents()
        self.failure: BaseException | None = None
        self.paused = False
        self.positions: dict[tuple[str, int], int] = {}
        settings = Settings(data_dir=house.folder / worker, partitions=house.partitions)
        self._follower = DocumentsFollower(
            self.documents, Changelog(self.log, NAMES.changelog("documents"), 0, worker)
        )
        self.engine = Engine(
            log=self.log,
            names=NAMES,
            clock=self.clock,
            documents=self.documents,
            worker=worker,
            group="sluice",
            max_record_bytes=settings.max_record_bytes,
            make_shard=self._make_shard,
            catch_up=self._follower.catch_up,
        )
        self.sinks = SinkLanes(
            Means(
                log=self.log,
                names=NAMES,
                clock=self.clock,
                documents=self.documents,
                worker=worker,
                outbound=Outbound(loopback=True),
                environ=house.environ,
                folder=house.folder / worker / "tables",
                send=self.engine.send,
                fail=self._crash,
            )
        )
        self.archive = Archive(LocalFiles(house.folder / "archive"))
        self.collector = Collector(
            CollectMeans(
                log=self.log,
                names=NAMES,
                clock=self.clock,
                documents=self.documents,
                worker=worker,
                outbound=Outbound(loopback=True),
                environ=house.environ,
                archive=self.archive,
                fail=self._crash,
            )
        )
        self.crowd = Crowd(self.beat)
        self.parts = Parts(
            worker=worker,
            roles=("route", "aggregate", "console"),
            settings=settings,
            clock=self.clock,
            log=self.log,
            documents=self.documents,
            engine=self.engine,
            sinks=self.sinks,
            members=self.crowd,
            catch_up=self._follower.catch_up,
            collector=self.collector,
        )
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        self.facade = Facade(self.parts, self._crash, "")

    def beat(self) -> Beat:
        """What the worker says of itself."""
        return Beat(
            self.worker, "http://127.0.0.1:1", self.parts.roles, tuple(self.engine.shards.owned),
            tuple(sorted(self.engine.assigned)), self.documents.revision, "ready", "", 0,
        )  # fmt: skip

    def _crash(self, error: BaseException) -> None:
        self.failure = error

    def _make_shard(self, number: int, folds: Folds) -> Shard:
        name = NAMES.changelog("sessions")
        changelog = Changelog(self.log, name, number, self.worker, SHARD)
        return Shard(number, MemoryStore(), changelog, folds.rule_of, self.engine.send)

    async def start(self) -> None:
        """Takes all partitions, and works on what comes."""
        await self._follower.catch_up()
        await self.engine.start()
        partitions = range(self.house.partitions)
        topics = (*self.house.inputs, NAMES.sessions_in)
        tps = {(name, partition) for name in topics for partition in partitions}
        await self.engine.assign(tps)
        await self.sinks.assign(set(partitions))
        await self.collector.assign(set(partitions))
        changelog = Changelog(self.log, NAMES.changelog("documents"), 0, self.worker)
        self._control = DocumentsAgent(
            changelog, self.clock.now_ms, self.engine.send_letters, _nothing,
            self.engine.command_desk(), self.engine.growth.desk(_no_wider),
            teller(self.log, NAMES.audit),
        )  # fmt: skip
        await self._control.open()
        await self.facade.start()
        self._work = asyncio.create_task(self._forever())

    async def stop(self) -> None:
        """Lets go of everything; raises what broke."""
        self._work.cancel()
        ended = await asyncio.gather(self._work, return_exceptions=True)
        await self.facade.stop()
        await self.sinks.close()
        await self.collector.close()
        await self.engine.stop()
        failures = [error for error in (self.failure, *ended) if isinstance(error, Exception)]
        if failures:
            raise failures[0]

    async def _forever(self) -> None:
        pause = asyncio.get_running_loop()
        while True:
            if not self.paused:
                await self.work()
            woken = pause.create_future()
            timer = pause.call_later(0.002, woken.set_result, None)
            try:
                await woken
            finally:
                timer.cancel()

    async def work(self) -> None:
        """Takes everything that waits, then looks at the clock."""
        topics = ("config", *self.house.inputs, NAMES.sessions_in)
        for (topic, partition), rows in sorted(self.log.rows.items()):
            at = self.positions.get((topic, partition), 0)
            items = rows[at:] if topic in topics else []
            if not items:
                continue
            if topic == "config":
                await self._control.apply(partition, items)
            else:
                await self.engine.take(topic, partition, items, lambda: True)
            self.positions[topic, partition] = items[-1][0] + 1
            self.log.positions["sluice", (topic, partition)] = items[-1][0] + 1
        await self._follower.catch_up()
        await self.engine.tick()
        await self.sinks.reconcile()
        await self.collector.reconcile()

    async def settled(self) -> None:
        """Returns when nothing waits any more."""

        def idle() -> bool:
            topics = (*self.house.inputs, NAMES.sessions_in, "config")
            return all(
                self.positions.get(tp, 0) == len(rows)
                for tp, rows in self.log.rows.items()
                if tp[0] in topics
            )

        await auntil(idle)

    async def put(self, document: dict[str, Any], wait_s: float = 5.0) -> Changed:
        """Applies a document and waits until it is in force."""
        kind, name = document["kind"], document["name"]
        return await self.facade.put_document(kind, name, document, ME, wait_s)

    async def send(self, *records: Any, topic: str = "usage") -> None:
        """Appends records (bytes as they are) and waits until they are applied."""
        values = [r if isinstance(r, bytes) else json.dumps(r).encode() for r in records]
        rows = [(None, value, None, ()) for value in values]
        await self.facade.append_records(topic, rows, None)
        await self.settled()

    async def totals(self, name: str = "acc") -> dict[str, int]:
        """The counts of an aggregator that are not 0."""
        (found,) = await self.facade.totals(name)
        assert found.balanced
        return {place: number for place, number in found.count.items() if number}


async def _no_wider(_shards: int, _inputs: Any) -> None:
    """No growth in here."""


async def _nothing(_: Any) -> None:
    """Topics are there."""


def aggregator(name: str = "acc", **changes: Any) -> dict[str, Any]:
    """An aggregator document by account: sum of bytes, count, an hour's timeout."""
    return {
        "kind": "aggregator",
        "name": name,
        "input": "usage",
        "group": {"fields": ["account"]},
        "aggregate": [
            {"field": "bytes", "operation": "sum"},
            {"field": "*", "operation": "count"},
        ],
        "flush": {"by": "timeout", "timeout": {"duration": {"hours": 1}}},
        **changes,
    }
