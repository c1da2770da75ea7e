"""Puts the agents of one worker to work: what was assigned, what comes in, what the clock brings.

No Faust in here: the worker feeds batches and assignments, tests feed them by hand.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from agents import retractions
from agents.aggregate import ROUTED, ShardProcessor
from agents.chunks import Chunk, Order, Parcel, Progress, decode_parcel, encode_parcel
from agents.commands import CommandDesk
from agents.folds import Folds
from agents.growing import resting
from agents.growth_work import GrowthWork
from agents.intake import Intakes
from agents.letters import Letter
from agents.operators import Operators
from agents.replay_decisions import Decider
from agents.replay_messages import TO_SHARD
from agents.replays import Replays
from agents.shards import NotOwned, Shards
from agents.told import TellAsked
from agents.unread import hold
from config.names import Names
from connectors.streams.base import Log, Row
from connectors.streams.murmur2 import partition_for
from domain.aggregation.limit import DEFAULT, Limit
from domain.clock import Clock
from tables.changelog import Changelog
from tables.changes import Output
from tables.documents import Documents
from tables.out_of_service import OutOfService
from tables.routes import RouteLog
from tables.shard import Shard
from tables.stream import Item

REMOTE_PROGRESS_S = 1.0  # how often shards of other workers hear from idle inputs
MAX_REACHED = 64  # what a shard far behind is told later; a newer word replaces the last one
TP = tuple[str, int]


@dataclass
class Reached:
    """How far the stream of a shard must be read before what is said of the inputs holds."""

    offset: int
    progress: list[Progress] = field(default_factory=list)


@dataclass
class _Routed:
    """What was read of a shard's stream: (offset, message) are `replays`."""

    chunks: list[Chunk] = field(default_factory=list)
    replays: list[tuple[int, bytes]] = field(default_factory=list)
    progress: list[Progress] = field(default_factory=list)


class Engine:
    """One worker's inputs and shards; `make_shard` gives an unopened one. `topics`: partitions."""

    def __init__(
        self,
        *,
        log: Log,
        names: Names,
        clock: Clock,
        documents: Documents,
        worker: str,
        group: str,
        max_record_bytes: int,
        make_shard: Callable[[int, Folds], Shard],
        catch_up: Callable[[], Awaitable[bool]],
        limit: Limit = DEFAULT,
    ) -> None:
        self.log, self.names, self.clock, self.documents = log, names, clock, documents
        self._worker, self._group = worker, group
        self._max_record_bytes = max_record_bytes
        self._make_shard = make_shard
        self._catch_up = catch_up
        self._limit = limit
        self.folds = Folds(documents.rule, documents.newest, documents.unread, documents.waits)
        self.shards = Shards[ShardProcessor](self._open_shard)
        self.growth = GrowthWork(log, names, group, documents, self.folds)
        self.intakes: Intakes
        self.replays: Replays
        self.topics: dict[str, int] = {}
        self.assigned: set[TP] = set()
        self.read: dict[int, int] = {}
        self.sent: dict[str, int] = {}
        self.opening: dict[int, Shard] = {}
        self._reached: dict[int, list[Reached]] = {}
        self._told: dict[int, float] = {}

    async def start(self) -> None:
        """Learns which topics there are; documents must have been read once."""
        await self.refresh_topics()
        self.intakes = Intakes(
            documents=self.documents,
            clock=self.clock,
            shards=self.shards,
            shard_count=self.shards_at,
            cross=self.growth.crossing.arrived,
            max_record_bytes=self._max_record_bytes,
            open_route_log=self._open_route_log,
            partitions_of=lambda topic: self.topics[self.names.topic(topic)],
            send_parcel=self._send_parcel,
            send_letters=self.send_letters,
            revision_reached=self.revision_reached,
            limit=self._limit,
        )

        decider = Decider(self.documents, self.shards_now, self._max_record_bytes)
        self.replays = Replays(decider, self.folds, self.shards_now, self.clock.now_ms)

    def shards_at(self, revision: int) -> int:
        """By how many shards records are routed at a revision."""
        return self.documents.growths.shards(revision, self.topics[self.names.sessions_in])

    def shards_now(self) -> int:
        """By how many they are routed now."""
        return self._shards_of(self.documents)

    def _shards_of(self, at: Documents) -> int:
        return at.growths.shards(at.revision, self.topics[self.names.sessions_in])

    async def refresh_topics(self) -> None:
        self.topics = await self.log.topics()

    async def assign(self, assigned: set[TP]) -> None:
        """These partitions (physical topics) are this worker's from now on, and no others."""
        self.assigned = assigned
        await self.refresh_topics()
        self.intakes.assign(
            {(self.names.public(topic), partition) for topic, partition in assigned}
        )
        self.read.clear()
        self._reached.clear()
        await self.shards.assign(
            {partition for topic, partition in assigned if topic == self.names.sessions_in}
        )

    async def _open_shard(self, number: int) -> ShardProcessor:
        shard = self.opening[number] = self._make_shard(number, self.folds)
        try:
            await shard.open()
            await self._resume(shard)
        except BaseException:
            shard.close()
            raise
        finally:
            self.opening.pop(number, None)
        return ShardProcessor(
            shard, self.folds, limit=self._limit, hand_on=self.growth.handing_on.chunks
        )

    async def _resume(self, shard: Shard) -> None:
        """What a command or a growth had begun comes before anything else."""
        operators = self._operators(shard)
        order = operators.decided()
        if order is not None:
            await self.revision_reached(order.revision)
            await operators.resume()
        await self.growth.resume(shard)

    def _operators(self, shard: Shard) -> Operators:
        return Operators(shard, self.folds, self.documents.versions_of, self.send)

    async def _open_route_log(self, topic: str, partition: int) -> RouteLog:
        changelog = self.names.changelog(f"routes-{topic}")
        log = RouteLog(Changelog(self.log, changelog, partition, self._worker))
        await log.open()
        return log

    async def revision_reached(self, revision: int) -> None:
        """Returns when this worker has the documents up to `revision`."""
        while self.documents.revision < revision:
            if not await self._catch_up():
                await asyncio.sleep(0.02)

    # What comes in

    async def take(
        self, physical: str, partition: int, items: Sequence[Item], still: Callable[[], bool]
    ) -> None:
        """One batch of one partition; returns when all that came of it is durable."""
        try:
            if physical != self.names.sessions_in:
                await self.intakes.take(self.names.public(physical), partition, items, still)
                return
            for retracts, part in groupby(items, lambda item: item[2] == retractions.KEY):
                take = self._take_retractions if retracts else self._take_routed
                await take(partition, list(part), still)
        except OutOfService as lost:
            await hold(lost, self.shards, partition, still)

    async def _take_routed(
        self, number: int, items: Sequence[Item], still: Callable[[], bool]
    ) -> None:
        work = _Routed()
        async with self.shards.use(number, still) as processor:
            done_before = processor.shard.marks.placed_at
        for offset, _, _, value, _ in items:
            parcel = decode_parcel(value or b"")
            await self.revision_reached(parcel.revision)
            if offset < done_before:
                work.progress += parcel.progress
                continue
            if parcel.handed or parcel.give or parcel.release:
                async with self.shards.use(number, still) as processor:
                    await self._apply(processor, work)
                    await self.growth.take(processor, offset, parcel)
            if not parcel.handed:
                work.chunks += parcel.chunks
            work.progress += parcel.progress
            work.replays += [(offset, message) for message in parcel.replays]
            if parcel.orders:
                async with self.shards.use(number, still) as processor:
                    await self._apply(processor, work)
                for order in parcel.orders:
                    await self._carry_out(number, order, still)
        async with self.shards.use(number, still) as processor:
            await self._apply(processor, work)
            processor.note(work.progress)
            self.read[number] = items[-1][0] + 1

    async def _take_retractions(
        self, number: int, items: Sequence[Item], still: Callable[[], bool]
    ) -> None:
        for offset, _, _, value, _ in items:
            asked = retractions.decode(value or b"")
            await self.revision_reached(asked.revision)
            async with self.shards.use(number, still) as processor:
                shard = processor.shard
                known = offset < shard.marks.placed_at
                if not known and not await self.growth.handing_on.retraction(shard, asked):
                    await retractions.carry_out(shard, self.folds, asked)
                self.read[number] = offset + 1

    async def _apply(self, processor: ShardProcessor, work: "_Routed") -> None:
        """What there is, in its order; then there is nothing left but progress."""
        if work.chunks:
            await processor.apply(ROUTED, work.chunks)
        if work.replays:
            mine = await self.growth.handing_on.replays(processor.shard, work.replays)
            await self.replays.apply(processor, mine)
        work.chunks, work.replays = [], []

    async def _carry_out(self, number: int, order: Order, still: Callable[[], bool]) -> None:
        """A command, piece by piece; between them others use the shard."""
        done = False
        while not done:
            async with self.shards.use(number, still) as processor:
                done = await self._operators(processor.shard).carry_out(order)
            await asyncio.sleep(0)

    # What goes out

    async def send(self, outputs: list[Output]) -> None:
        """Appends outputs to their topics by key; returns when all of them are durable."""
        rows: dict[TP, list[Row]] = {}
        for topic, key, value in outputs:
            if topic.startswith(TO_SHARD):
                at = (self.names.sessions_in, int(topic.removeprefix(TO_SHARD)))
                rows.setdefault(at, []).append((None, value, None, ()))
                continue
            physical = self.names.topic(topic)
            count = self.topics.get(physical)
            if count is None:
                await self.refresh_topics()
                count = self.topics[physical]
            rows.setdefault((physical, partition_for(key or b"", count)), []).append(
                (key, value, None, ())
            )
        await asyncio.gather(
            *(self.log.append(topic, partition, part) for (topic, partition), part in rows.items())
        )
        for topic, _, _ in outputs:
            if topic.startswith(TO_SHARD):
                continue
            self.sent[topic] = self.sent.get(topic, 0) + 1

    async def send_letters(self, letters: list[Letter]) -> None:
        await self.send([letter.output() for letter in letters])

    async def _send_parcel(self, shard: int, parcel: bytes) -> None:
        await self.log.append(self.names.sessions_in, shard, [(None, parcel, None, ())])

    def command_desk(self, tell: TellAsked | None = None) -> CommandDesk:
        """Hands operators' commands on to the shards."""
        config = self.names.topic("config")

        async def done(partition: int, key: bytes) -> None:
            await self.log.append(config, partition, [(key, None, None, ())])

        return CommandDesk(self._shards_of, self._send_parcel, done, tell)

    # What the clock brings

    def feeding(self) -> list[TP]:
        """Every input partition (public topic) that may feed a shard now."""
        return [
            (topic, partition)
            for topic in sorted(self.documents.inputs() - self.documents.held_inputs())
            for partition in range(self.topics.get(self.names.topic(topic), 0))
        ]

    async def tick(self) -> int:
        """Tells shards how far the inputs are, and flushes what is due; returns how many rows were
        looked at.
        """
        if self.documents.growths.under_way:
            await self.refresh_topics()
        await self._tell_progress()
        feeding = self.feeding()
        # side by side: a shard that is at work on a batch doesn't hold up the others' flushes
        done = await asyncio.gather(
            *(self._tick_shard(number, feeding) for number in self.shards.open_ones())
        )
        return sum(done)

    async def _tick_shard(self, number: int, feeding: list[TP]) -> int:
        try:
            async with self.shards.use(number) as processor:
                self._note_reached(number, processor)
                now = self.clock.now_ms()
                return 0 if resting(processor.shard) else await processor.tick(feeding, now)
        except NotOwned:
            return 0

    def _note_reached(self, number: int, processor: ShardProcessor) -> None:
        waiting = self._reached.get(number, [])
        while waiting and waiting[0].offset <= self.read.get(number, 0):
            processor.note(waiting.pop(0).progress)

    async def _tell_progress(self) -> None:
        """How far each input of ours has been routed: now, if nothing waits; else the last
        timestamp routed.
        """
        inputs = self.documents.inputs()
        mine = [tp for tp in self.assigned if self.names.public(tp[0]) in inputs]
        own = [(self.names.sessions_in, number) for number in self.shards.owned]
        if not mine and not own:
            return
        now = self.clock.now_ms()
        ends = await self.log.end_offsets([*mine, *own])
        for tp in own:
            if tp[1] not in self.read:
                start = await self.committed(tp)
                self.read.setdefault(tp[1], start)  # a batch may have come meanwhile
        progress = [await self._progress_of(tp, ends[tp], now) for tp in mine]
        progress = [each for each in progress if each.until > 0]
        if not progress:
            return
        # Taken after the progress: everything it speaks of is on the shards' streams before these
        # ends.
        ends = await self.log.end_offsets(own)
        for tp in own:
            waiting = self._reached.setdefault(tp[1], [])
            if len(waiting) >= MAX_REACHED:
                waiting.pop()
            waiting.append(Reached(ends[tp], progress))
        await self._tell_others(progress)

    async def _progress_of(self, tp: TP, end: int, now: int) -> Progress:
        topic = self.names.public(tp[0])
        at = (topic, tp[1])
        position = self.intakes.positions.get(at)
        if position is None:
            start = await self.committed(tp)
            position = self.intakes.positions.setdefault(at, start)  # a batch may have come
        until = now if position >= end else self.intakes.until.get(at, 0)
        return Progress(topic, tp[1], until)

    async def committed(self, tp: TP) -> int:
        """The position of this group on a partition."""
        found = (await self.log.committed(self._group, [tp]))[tp]
        return (await self.log.begin_offsets([tp]))[tp] if found is None else found

    async def _tell_others(self, progress: Iterable[Progress]) -> None:
        """Shards of other workers hear it on their stream, behind everything that was routed
        before.
        """
        now = asyncio.get_running_loop().time()
        parcel = encode_parcel(Parcel(0, [], list(progress)))
        for number in range(self.topics[self.names.sessions_in]):
            if (
                number not in self.shards.owned
                and now - self._told.get(number, 0.0) >= REMOTE_PROGRESS_S
            ):
                self._told[number] = now
                await self._send_parcel(number, parcel)

    async def stop(self) -> None:
        """Closes what is open."""
        await self.shards.close()
