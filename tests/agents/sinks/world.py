"""A worker's sinks on a log in memory: killed at any append or target's step, and begun again."""

import asyncio
import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agents.sinks.delivery import Delivery
from agents.sinks.lanes import Means, SinkLanes
from agents.sinks.line import Kit, Line, Output
from config.documents.registry import load_document
from config.names import Names
from connectors.outbound import Outbound
from connectors.sinks.base import Outcome, Refusal, Target, TryLater
from connectors.streams.memory import Killed, MemoryLog
from domain.aggregation.flush import to_json
from domain.clock import FixedClock
from domain.sinks.document import Sink
from domain.sinks.records import Outgoing
from tables.documents import Documents, Version, version_change
from tables.sinks import Counts

NAMES = Names("sluice")
PARTITIONS = 2
NOW_MS = 1_700_000_000_000
PATIENCE_S = 20.0


class Hook:
    """A target without a position, as a webhook is. `script` says what it does next."""

    keeps_position = False

    def __init__(self, script: Iterator[str], poison: frozenset[str]) -> None:
        self.script, self.poison = script, poison
        self.got: list[Outgoing] = []

    async def position(self, first: int) -> int | None:
        return None

    async def close(self) -> None:
        """Nothing."""

    async def deliver(self, records: Sequence[Outgoing], first: int, end: int) -> Outcome:
        outcome = Outcome()
        for record in records:
            what = next(self.script, "take")
            if what == "kill":
                raise Killed("before the target took it")
            if what == "later":
                outcome.tried.add(record.offset)
                outcome.later = TryLater("not now")
                return outcome
            if record.id in self.poison:
                outcome.refused[record.offset] = Refusal("never", 422)
                continue
            self.got.append(record)
            if what == "took, then kill":
                raise Killed("after the target took it")
            if what == "took, then later":
                outcome.tried.add(record.offset)
                outcome.later = TryLater("the connection died")
                return outcome
            outcome.taken.add(record.offset)
        return outcome


class Table(Hook):
    """A target whose position moves with the rows, as a database's does."""

    def __init__(self, script: Iterator[str], poison: frozenset[str]) -> None:
        super().__init__(script, poison)
        self.at: int | None = None

    async def position(self, first: int) -> int | None:
        return self.at

    async def deliver(self, records: Sequence[Outgoing], first: int, end: int) -> Outcome:
        outcome = Outcome()
        what = next(self.script, "take")
        if what == "kill":
            raise Killed("before the commit")
        if what == "later":
            outcome.tried.update(record.offset for record in records)
            outcome.later = TryLater("not now")
            return outcome
        if self.at is not None and self.at != first:
            outcome.moved = self.at
            return outcome
        bad = {r.offset: Refusal("never", 1406) for r in records if r.id in self.poison}
        if bad:
            outcome.refused = bad
            return outcome
        self.got += records
        self.at = end
        if what == "took, then kill":
            raise Killed("after the commit")
        if what == "took, then later":
            outcome.tried.update(record.offset for record in records)
            outcome.later = TryLater("the connection died")
            return outcome
        outcome.taken.update(record.offset for record in records)
        return outcome


class Lanes(SinkLanes):
    """With targets of the test's own."""

    def __init__(self, means: Means, target: Callable[[Sink, int], Target] | None) -> None:
        super().__init__(means)
        self._target = target

    def _line(self, sink: Sink, kit: Kit) -> Line:
        if self._target is None:
            return super()._line(sink, kit)
        return Delivery(sink, kit, self._target(sink, kit.partition))


@dataclass
class World:
    """What outlives a kill. `append_kills`: numbers of appends that end the process, with how many
    rows of them survive."""

    folder: Path
    target: Callable[[Sink, int], Target] | None = None
    append_kills: dict[int, int] = field(default_factory=dict)
    environ: dict[str, str] = field(default_factory=dict)
    clock: FixedClock = field(default_factory=lambda: FixedClock(NOW_MS))
    failures: int = 0

    def __post_init__(self) -> None:
        self._appends = itertools.count()
        self._lives = itertools.count()
        self.log = MemoryLog(self.clock)
        topics = ("aggregates", "sink-dead-letters", NAMES.changelog("sinks"))
        self.log.counts = dict.fromkeys(topics, PARTITIONS)
        self.documents = Documents()

    def apply(self, **document: Any) -> None:
        """Puts a sink in force."""
        body = {"kind": "sink", "retry": {"first": "10ms", "most": "10ms"}, **document}
        name = load_document(body).name
        revision = self.documents.revision + 1
        text = to_json(body).decode()
        version = Version("sink", name, revision, text, "", "", NOW_MS, (0, revision), revision)
        self.documents.take([version_change(version)])

    def put(self, partition: int, values: Sequence[dict[str, Any] | bytes], key: str = "k") -> None:
        """Appends records to topic `aggregates`."""
        rows = self.log.rows.setdefault(("aggregates", partition), [])
        for value in values:
            found = value if isinstance(value, bytes) else json.dumps(value).encode()
            rows.append((len(rows), NOW_MS, key.encode(), found, ()))

    def _survives(self, _topic: str, count: int) -> int:
        lasting = self.append_kills.pop(next(self._appends), None)
        return count if lasting is None else min(lasting, count - 1)

    async def live(
        self, until: Callable[[Lanes], bool] | None = None, *, index_lost: bool = False
    ) -> None:
        """One life after the other, until all is delivered, or what the test waits for."""
        self.log.survives = self._survives
        while not await self._one_life(until or self._delivered, index_lost):
            self.failures += 1

    async def _one_life(self, until: Callable[[Lanes], bool], index_lost: bool) -> bool:
        """Whether it got there."""
        failed: list[BaseException] = []
        life = next(self._lives)
        means = Means(
            log=self.log, names=NAMES, clock=self.clock, documents=self.documents,
            worker=f"w{life}", outbound=Outbound(loopback=True), environ=self.environ,
            folder=self.folder / f"index{life if index_lost else 0}", send=self._send,
            fail=failed.append,
        )  # fmt: skip
        lanes = Lanes(means, self.target)
        deadline = asyncio.get_running_loop().time() + PATIENCE_S
        try:
            await lanes.assign(set(range(PARTITIONS)))
            while not failed and not until(lanes):
                assert asyncio.get_running_loop().time() < deadline, lanes.lines()
                await _breath()
                await lanes.reconcile()
        except Killed as killed:
            failed.append(killed)
        self.log.survives = lambda _topic, count: count
        await lanes.close()
        self.log.survives = self._survives
        for error in failed:
            if not isinstance(error, Killed):
                raise error
        return not failed

    async def _send(self, outputs: list[Output]) -> None:
        for topic, key, value in outputs:
            await self.log.append(topic, 0, [(key, value, None, ())])

    def _delivered(self, lanes: Lanes) -> bool:
        lines = lanes.lines()
        places = [(line.place, line.kit.partition) for _, line in lines]
        return len(lines) == PARTITIONS * len(lanes.in_force()) and all(
            place is not None and place.next == len(self.log.rows.get(("aggregates", p), []))
            for place, p in places
        )

    def letters(self) -> list[dict[str, Any]]:
        """The sinks' dead letters, each once."""
        rows = self.log.rows.get(("sink-dead-letters", 0), [])
        found: dict[str, dict[str, Any]] = {}
        for row in rows:
            letter = json.loads(row[3] or b"")
            assert found.setdefault(letter["id"], letter)["original"] == letter["original"]
        return list(found.values())


async def _breath() -> None:
    """Lets the lines run for a moment."""
    loop = asyncio.get_running_loop()
    woken = loop.create_future()
    loop.call_later(0.001, woken.cancel)
    await asyncio.gather(woken, return_exceptions=True)


def totals(lanes: Lanes, name: str) -> Counts:
    """The counts of a sink over its partitions."""
    found = Counts()
    for _, line in lanes.lines():
        if line.sink.name == name and line.place is not None:
            found = found.plus(line.place.counts)
    return found
