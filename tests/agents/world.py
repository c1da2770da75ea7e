"""A whole worker in memory, without Faust: batches are fed by hand, and it can be killed anywhere.

What outlives a kill is the log and, if the history says so, the disk.
"""

import asyncio
import json
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from agents import growth_desk
from agents.commands import CommandDesk
from agents.documents import DocumentsAgent
from agents.engine import Engine
from agents.folds import Folds
from agents.growth_desk import GrowthDesk
from config.names import Names
from connectors.streams.base import Row
from connectors.streams.memory import Killed, MemoryLog
from domain.aggregation.limit import DEFAULT, Limit
from domain.clock import FixedClock
from tables.changelog import Changelog
from tables.documents import Documents, DocumentsFollower
from tables.formats import SHARD
from tables.shard import Shard
from tables.store import MemoryStore

T = TypeVar("T")
NAMES = Names("sluice")
START_MS = 1_700_000_000_000
LIMIT = 1 << 20


class Disk(MemoryStore):
    """A store whose content outlives the worker."""

    def close(self) -> None:
        """The rows stay."""


@dataclass
class World:
    """The log, the disks, the clock, and the worker that is alive, if any."""

    partitions: int = 2
    inputs: Sequence[str] = ("usage",)
    clock: FixedClock = field(default_factory=lambda: FixedClock(START_MS))
    disks: dict[int, Disk] = field(default_factory=dict)
    kill_at: int | None = None
    kill_on: int | None = None
    passed: int = 0
    commands: int = 0
    engine: Engine | None = None
    limit: Limit = DEFAULT

    def __post_init__(self) -> None:
        self.log = MemoryLog(self.clock)
        names = ["aggregates", "aggregates.audit", "dead-letters", "sluice-sessions-in"]
        names += ["sluice-sessions-changelog", *self.inputs]
        names += [NAMES.changelog(f"routes-{name}") for name in self.inputs]
        for name in names:
            self.log.counts[name] = self.partitions
        self.log.counts |= {"config": 1, NAMES.changelog("documents"): 1}

    def run(self, work: Coroutine[Any, Any, T]) -> T | None:
        """What the work returns, or None when the worker was killed in it."""
        try:
            return asyncio.run(work)
        except Killed:
            self.engine = None
            return None

    def arm(self, step: int) -> None:
        """Ends the worker when it next passes that step of a commit."""
        self.kill_on = step

    @property
    def armed(self) -> bool:
        """Whether it hasn't come to that yet."""
        return self.kill_on is not None

    def _step(self, step: int) -> None:
        """Passes a step of a commit: the `kill_at`-th, or the next one `kill_on`, ends it."""
        self.passed += 1
        if self.engine is not None:
            self._in_turn(self.engine)
        if step == self.kill_on:
            self.kill_on = None
            raise Killed
        if self.kill_at is not None and self.passed >= self.kill_at:
            self.kill_at = None
            raise Killed

    def _in_turn(self, engine: Engine) -> None:
        """Two commits are folded in columns, the next two by the key: one goes on with the rows of
        the other.
        """
        engine.folds.many_keys = 0 if self.passed // 10 % 2 == 0 else 1_000
        engine.folds.least_keys = 1

    async def _alive(self) -> Engine:
        documents = Documents()
        follower = DocumentsFollower(
            documents, Changelog(self.log, NAMES.changelog("documents"), 0, "w")
        )
        await follower.catch_up()
        engine = Engine(
            log=self.log,
            names=NAMES,
            clock=self.clock,
            documents=documents,
            worker="w",
            group="sluice",
            max_record_bytes=LIMIT,
            make_shard=self._make_shard,
            catch_up=follower.catch_up,
            limit=self.limit,
        )
        self.engine = engine
        self._in_turn(engine)
        await engine.start()
        consumed = (*self.inputs, NAMES.sessions_in)
        await engine.assign({(name, p) for name in consumed for p in range(self.log.counts[name])})
        engine.growth.crossing.pause = lambda: self._feed_shards(engine)
        return engine

    async def _feed_shards(self, engine: Engine) -> None:
        """One batch for each shard, as other tasks do while one waits."""
        for number in range(self.log.counts[NAMES.sessions_in]):
            tp = (NAMES.sessions_in, number)
            at = self.log.positions.get(("sluice", tp), 0)
            items = self.log.rows.get(tp, [])[at : at + 3]
            if items:
                await engine.take(*tp, items, lambda: True)
                self.log.positions["sluice", tp] = items[-1][0] + 1

    def _make_shard(self, number: int, folds: Folds) -> Shard:
        assert self.engine is not None
        changelog = Changelog(self.log, NAMES.changelog("sessions"), number, "w", SHARD)
        disk = self.disks.setdefault(number, Disk())
        return Shard(
            number,
            disk,
            changelog,
            folds.rule_of,
            self.engine.send,
            cache_rows=3,
            now_ms=self.clock.now_ms,
            on_step=self._step,
        )

    async def apply(self, *documents: dict[str, Any]) -> None:
        """Puts documents in force by way of the control topic."""
        rows: list[Row] = [
            (f"{d['kind']}/{d['name']}".encode(), json.dumps(message(d)).encode(), None, ())
            for d in documents
        ]
        await self._control(rows)

    async def remove(self, kind: str, name: str) -> None:
        """Takes a document out of force."""
        await self._control([(f"{kind}/{name}".encode(), None, None, ())])

    async def _control(self, rows: list[Row]) -> None:
        await self.log.append("config", 0, rows)
        await self.control()

    async def command(self, action: str, aggregator: str, **said: Any) -> None:
        """Gives an operator's command by way of the control topic."""
        self.commands += 1
        name = f"c{self.commands}"
        body = {"kind": "command", "id": name, "action": action, "aggregator": aggregator, **said}
        text = json.dumps({"actor": "tester", "reason": "a test", **body}).encode()
        await self._control([(f"command/{name}".encode(), text, None, ())])

    async def grow(self, shards: int, *inputs: str) -> None:
        """Asks for more shards, and partitions of these inputs."""
        key, value = growth_desk.ask(shards, inputs, "tester", "a test")
        await self._control([(key, value, None, ())])

    async def control(self) -> None:
        """Reads the control topic, from where it was not read before."""
        changelog = Changelog(self.log, NAMES.changelog("documents"), 0, "w")

        async def nothing(_: Any) -> None:
            """No topics to make, no letters expected."""

        async def send(shard: int, parcel: bytes) -> None:
            await self.log.append(NAMES.sessions_in, shard, [(None, parcel, None, ())])

        async def done(partition: int, key: bytes) -> None:
            await self.log.append("config", partition, [(key, None, None, ())])

        async def partitions_of(topic: str) -> int:
            return self.log.counts[topic]

        async def widen(shards: int, inputs: Sequence[str]) -> None:
            topics = [NAMES.sessions_in, NAMES.changelog("sessions")]
            for name in inputs:
                topics += [name, NAMES.changelog(f"routes-{name}")]
            for topic in topics:
                await self.log.widen_topic(topic, shards)

        desk = CommandDesk(
            lambda at: at.growths.shards(at.revision, self.log.counts[NAMES.sessions_in]),
            send,
            done,
        )
        growths = GrowthDesk(
            lambda: partitions_of(NAMES.sessions_in), partitions_of, widen, send, done
        )
        agent = DocumentsAgent(changelog, self.clock.now_ms, nothing, nothing, desk, growths)
        await agent.open()
        await agent.apply(0, list(self.log.rows.get(("config", 0), [])))

    async def produce(
        self, topic: str, partition: int, records: Sequence[Any], key: str = ""
    ) -> None:
        """Appends records with the clock's time."""
        rows = [
            (key.encode() if key else None, json.dumps(record).encode(), None, ())
            for record in records
        ]
        await self.log.append(topic, partition, rows)

    async def work(self, batch: int, commit: bool, only: int | None = None) -> bool:
        """Feeds every partition (or the one numbered `only`) one batch; whether there was any.

        Without `commit` the positions stay, so that what follows a kill comes again.
        """
        engine = await self._alive()
        any_work = False
        tps = sorted((t, p) for (t, p) in self.log.rows if t in (*self.inputs, NAMES.sessions_in))
        for i, tp in enumerate(tps):
            if only is not None and i != only % len(tps):
                continue
            at = self.log.positions.get(("sluice", tp), 0)
            items = self.log.rows[tp][at : at + batch]
            if items:
                any_work = True
                await engine.take(*tp, items, lambda: True)
                if commit:
                    self.log.positions["sluice", tp] = items[-1][0] + 1
        return any_work

    async def work_together(self, batch: int) -> bool:
        """Feeds every partition what it has, by batches, all of them at once; positions stay.

        A kill ends them all, so afterwards `survives` of the log is anew.
        """
        engine = await self._alive()

        async def feed(tp: tuple[str, int]) -> None:
            at = self.log.positions.get(("sluice", tp), 0)
            while items := self.log.rows.get(tp, [])[at : at + batch]:
                try:
                    await engine.take(*tp, items, lambda: True)
                except Killed:
                    self.kill_at = self.passed
                    self.log.survives = lambda _topic, _n: 0
                    raise
                at = items[-1][0] + 1

        await asyncio.gather(*map(feed, sorted(engine.assigned)))
        return True

    def documents(self) -> Documents:
        """What is in force, as a worker reads it."""

        async def read() -> Documents:
            return (await self._alive()).documents

        return self.run(read()) or Documents()

    async def tick(self) -> None:
        """One look for what is due, when everything that was read counts as read."""
        engine = await self._alive()
        await ready(engine)
        for _ in range(3):
            await engine.tick()

    async def cross(self) -> None:
        """One look whether inputs can be routed by a new number of shards."""
        engine = await self._alive()
        await ready(engine)
        await engine.growth.crossing.look(engine)

    def settle(self) -> None:
        """Works until nothing waits."""
        self.kill_at = None
        self.run(self.control())
        while True:
            self.run(self.control())
            if self.run(self.work(1_000, commit=True)):
                continue
            ends = self._ends()
            self.run(self.cross())
            self.run(self.control())
            if ends == self._ends():
                return

    def _ends(self) -> list[int]:
        topics = ("config", NAMES.sessions_in)
        return [len(rows) for (topic, _), rows in self.log.rows.items() if topic in topics]

    def outputs(self, topic: str = "aggregates") -> list[dict[str, Any]]:
        """Everything on an output topic, partition by partition."""
        return [
            json.loads(item[3] or b"")
            for partition in range(self.partitions)
            for item in self.log.rows.get((topic, partition), [])
        ]

    def totals(self) -> dict[str, Any]:
        """Control totals by aggregator over all shards, which are checked against their rows."""

        async def collect() -> dict[str, Any]:
            from domain.aggregation.totals import Totals

            engine = await self._alive()
            await ready(engine)
            found: dict[str, Totals] = {}
            for processor in engine.shards.open_ones().values():
                processor.shard.check()
                for name, totals in processor.shard.totals.items():
                    found.setdefault(name, Totals()).merge(totals)
            return {name: totals.as_json(name) for name, totals in found.items()}

        return self.run(collect()) or {}


async def ready(engine: Engine) -> None:
    """Waits until all shards are recovered."""
    for number in engine.shards.owned:
        async with engine.shards.use(number):
            pass


def message(document: dict[str, Any]) -> dict[str, Any]:
    """The control message that puts a document in force."""
    return {"kind": document["kind"], "name": document["name"], "document": document}


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
