"""The sinks at work in one worker: a lane for each assigned partition of the sinks' changelog.

Partition *p* of any sink's topic belongs to lane *p mod lanes*, whoever its sink is. Who is
assigned the lane delivers; positions are in the lane's log, fenced by its claim. Sinks don't wait
for each other: each has a line of its own on every partition.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agents.ending import end
from agents.sinks.delivery import Delivery
from agents.sinks.filing import Filing
from agents.sinks.line import Kit, Line, Output
from config.names import Names
from connectors.outbound import Outbound
from connectors.sinks.base import Environ
from connectors.sinks.http import HttpTarget
from connectors.streams.base import Log
from domain.clock import Clock
from domain.sinks.document import Http, MySql, Sink
from domain.sinks.records import id_digest
from tables.changelog import Changelog
from tables.documents import Documents, Version
from tables.in_force import document_of, in_service
from tables.sinks import SinkLog
from tables.store import RocksStore
from tables.taken import Index

logger = logging.getLogger(__name__)
INDEX_BYTES = 8 << 20  # memory of a lane's index
TIDY_S = 60.0  # between two rounds of forgetting what topics no longer have
TIDY_ROWS = 20_000
LOOK_S = 5.0  # between two looks for topics that have become wider


@dataclass
class Lane:
    """One lane: its log, the index beside it, and the lines at work, by (sink, partition)."""

    number: int
    log: SinkLog
    store: RocksStore | None = None
    lines: dict[tuple[str, int], tuple[Version, Line, asyncio.Task[None]]] = field(
        default_factory=dict
    )


@dataclass(frozen=True)
class Means:
    """What the worker gives: `send` appends to public topics, `folder` is for lanes' indexes,
    `fail` hears of what must end the worker."""

    log: Log
    names: Names
    clock: Clock
    documents: Documents
    worker: str
    outbound: Outbound
    environ: Environ
    folder: Path
    send: Callable[[list[Output]], Awaitable[None]]
    fail: Callable[[BaseException], None]


class SinkLanes:
    """See the module. Calls of `assign`, `reconcile` and `close` may overlap."""

    def __init__(self, means: Means) -> None:
        self._means = means
        self._lanes: dict[int, Lane] = {}
        self._one_change = asyncio.Lock()
        self._paused = False
        self._numbers: set[int] = set()
        self._doubted = False
        self._count = 0
        self._tidied_s = 0.0
        self._known: dict[tuple[str, int], Version] = {}
        self._known_at = (-1, 0.0)

    @property
    def owned(self) -> dict[int, Lane]:
        """The lanes that are open here."""
        return dict(sorted(self._lanes.items()))

    async def pause(self) -> None:
        """Ends all lines until the next `assign`: partitions are being given out anew, and another
        worker may have ours at any moment."""
        self._paused = True
        tasks = [entry[2] for lane in self._lanes.values() for entry in lane.lines.values()]
        for lane in self._lanes.values():
            lane.lines.clear()
        await end(*tasks)

    def assigned(self, numbers: set[int]) -> None:
        """Exactly these lanes are this worker's from now on; the next `reconcile` opens them."""
        self._numbers, self._doubted, self._paused = set(numbers), True, False

    async def assign(self, numbers: set[int]) -> None:
        """`assigned`, and opened when it returns."""
        self.assigned(numbers)
        await self.reconcile()

    async def reconcile(self) -> None:
        """Opens the lanes assigned; starts and stops lines as the documents in force and the topics
        want it."""
        async with self._one_change:
            if self._doubted and not self._paused:
                await self._open()
            if not self._lanes:
                return
            wanted = await self._wanted()
            for lane in self._lanes.values():
                mine = {at: version for at, version in wanted.items() if self._is_in(lane, at[1])}
                others = [at for at in lane.lines if mine.get(at) != lane.lines[at][0]]
                # all at once: while one ends, `pause` may take them all
                await end(*(lane.lines.pop(at)[2] for at in others))
                for at, version in mine.items():
                    if at not in lane.lines and not (self._paused or self._doubted):
                        self._start(lane, at, version)
            await self._tidy()

    async def _open(self) -> None:
        """Lanes that are no longer ours are closed; those kept go on, unless somebody else had
        them."""
        numbers, self._doubted = self._numbers, False
        for number, lane in list(self._lanes.items()):
            if number not in numbers or not await lane.log.still_ours():
                await self._release(number)
        for number in sorted(numbers - self._lanes.keys()):
            changelog = Changelog(
                self._means.log, self._means.names.changelog("sinks"), number, self._means.worker
            )
            log = SinkLog(changelog)
            await log.open()
            self._lanes[number] = Lane(number, log)

    def _is_in(self, lane: Lane, partition: int) -> bool:
        return partition % self._count == lane.number

    async def _wanted(self) -> dict[tuple[str, int], Version]:
        """(sink, partition) -> the version in force."""
        revision, now_s = self._means.documents.revision, asyncio.get_running_loop().time()
        if self._known_at[0] == revision and now_s - self._known_at[1] < LOOK_S:
            return self._known
        self._known, self._known_at = await self._look(), (revision, now_s)
        return self._known

    async def _look(self) -> dict[tuple[str, int], Version]:
        found: dict[tuple[str, int], Version] = {}
        versions = self.in_force()
        if not versions:
            return found
        topics = await self._means.log.topics()
        self._count = topics[self._means.names.changelog("sinks")]
        for version in versions:
            topic = self._means.names.topic(self.sink(version).input)
            found |= {(version.name, p): version for p in range(topics.get(topic, 0))}
        return found

    def in_force(self) -> list[Version]:
        """The sinks in force that can be followed, by name; the others' positions stay."""
        return in_service(self._means.documents, Sink.kind)

    def sink(self, version: Version) -> Sink:
        """The document of a version."""
        return document_of(version, Sink)

    def _start(self, lane: Lane, at: tuple[str, int], version: Version) -> None:
        means, sink = self._means, self.sink(version)
        if lane.store is None:
            lane.store = RocksStore(
                means.folder / f"sinks-{lane.number}", INDEX_BYTES, durable=False
            )
        kit = Kit(
            log=means.log,
            lane=lane.log,
            index=Index(lane.store, sink.input),
            clock=means.clock,
            send=means.send,
            physical=means.names.topic(sink.input),
            partition=at[1],
            at_ms=version.at,
        )
        line = self._line(sink, kit)
        task = asyncio.create_task(line.run(), name=f"sink {sink.name} partition {at[1]}")
        task.add_done_callback(self._ended)
        lane.lines[at] = version, line, task

    def _line(self, sink: Sink, kit: Kit) -> Line:
        means, target = self._means, sink.target
        if isinstance(target, Http):
            return Delivery(sink, kit, HttpTarget(target, means.outbound, means.environ))
        if isinstance(target, MySql):
            from connectors.sinks.mysql import MySqlTarget  # its driver is loaded by who has one

            place = (means.names.app_id, sink.name, means.names.topic(sink.input), kit.partition)
            return Delivery(sink, kit, MySqlTarget(target, means.outbound, means.environ, place))
        return Filing(sink, kit, means.worker)

    def _ended(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._means.fail(error)

    async def _tidy(self) -> None:
        """Forgets what topics no longer have, a piece at a time."""
        now_s = asyncio.get_running_loop().time()
        if now_s - self._tidied_s < TIDY_S:
            return
        self._tidied_s = now_s
        for lane in self._lanes.values():
            for at, (_, line, _) in list(lane.lines.items()):
                first = await line.feed.begin()
                if at not in lane.lines:
                    break  # `pause` took them; whoever has them next tidies
                line.kit.index.forget(line.kit.partition, first, TIDY_ROWS)
                gone = [at for at in lane.log.refused.get(line.key, {}) if at < first]
                await lane.log.forget(line.key, gone)

    async def _release(self, number: int) -> None:
        lane = self._lanes.pop(number)
        for _, _, task in lane.lines.values():
            await end(task)
        if lane.store is not None:
            lane.store.close()

    async def close(self) -> None:
        """Ends all lines; what a target was being given is given again by whoever is next."""
        async with self._one_change:
            for number in list(self._lanes):
                await self._release(number)

    # What it tells

    def lines(self) -> list[tuple[Lane, Line]]:
        """All lines at work here."""
        return [(lane, line) for lane in self.owned.values() for _, line, _ in lane.lines.values()]

    async def taken(self, name: str, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        """For each id that stands on a partition of ours: what became of it (see `fate`)."""
        found: dict[str, dict[str, Any]] = {}
        for _, line in self.lines():
            if line.sink.name != name:
                continue
            for one in ids:
                told = await self._fate(line, one)
                if told is not None:
                    found[one] = told
        return found

    async def _fate(self, line: Line, one: str) -> dict[str, Any] | None:
        """`state`: taken, waiting or refused; None for what this line knows nothing of."""
        place = line.place
        refused = self._refusals(line)
        for partition, offset in line.kit.index.places(id_digest(one)):
            if partition != line.kit.partition or place is None or offset < place.start:
                continue
            record = await line.feed.at(offset)
            if record is None or record.id != one:
                continue
            state = "taken" if offset < place.next else "waiting"
            if offset in refused:
                state = "refused"
            return {"partition": partition, "offset": offset, "state": state}
        return None

    def _refusals(self, line: Line) -> Mapping[int, str]:
        return line.kit.lane.refused.get(line.key, {})
