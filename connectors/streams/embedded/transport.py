"""Faust on the embedded log: `sluice-embedded://`, for the one worker of a data directory.

What a broker does besides keeping records is done here: it assigns all partitions of the
subscribed topics to this consumer, in generations, and keeps the positions. Batches, commits of
acknowledged prefixes and what else both streams share are in `connectors.streams.faust_consumer`.

Privates of faust-streaming 0.15.3 it reaches into, guarded by tests/contracts/test_transport.py:

- `_getmany`, `_to_message`, `_new_topicpartition`, `_seek`, `_commit`: what Faust leaves to a
  transport has an underscore; the first two are never called, `getmany` is replaced.
- `_read_offset`: Faust drops messages below it, so whoever seeks has to set it.
"""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any, cast

from faust.transport.base import Transport as FaustTransport
from faust.types.tuples import TP, ConsumerMessage

from config.settings import Settings
from connectors.streams.base import DiskFull, Slice
from connectors.streams.embedded.log import EmbeddedLog
from connectors.streams.faust_conductor import Conductor
from connectors.streams.faust_consumer import BatchingConsumer, BatchMessage
from connectors.streams.faust_producer import LogProducer
from connectors.streams.murmur2 import partition_for

# Partitions read before what was read is handed out: with the usual 4 MiB a batch, 16 MiB.
_READS = 4
# The name of the only member to Faust's partition assignor.
_MEMBER = "only"


class _Cluster:
    """The topics as Faust's partition assignor asks for them."""

    def __init__(self, log: EmbeddedLog) -> None:
        self._log = log

    def partitions_for_topic(self, topic: str) -> set[int]:
        return set(range(self._log.partitions(topic) or 0))


class Consumer(BatchingConsumer):
    """Reads the app's own log. A position is the offset to be handed out next."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        app = cast(Any, self.app)  # our own App: it has the log and the settings
        self._log: EmbeddedLog = app.sluice_log
        self._settings: Settings = app.sluice_settings
        self._positions: dict[TP, int] = {}
        self._assignment: set[TP] = set()
        self._generation = 0
        self._one_rebalance = asyncio.Lock()
        # turns: who was read longest ago is first
        self._turn = 0
        self._last_turn: dict[TP, int] = {}

    # -- the group

    async def subscribe(self, topics: Iterable[str]) -> None:
        """Starts a rebalance to these topics; topics that don't exist are left out."""
        self.app.on_rebalance_start()
        # in a task of its own: Faust's part of it waits for this call to have returned
        self.add_future(self._rebalance(set(topics)))

    async def _rebalance(self, topics: set[str]) -> None:
        async with self._one_rebalance:
            await self.on_partitions_revoked(set(self._assignment))
            assignor = cast(Any, self.app.assignor)
            members = {_MEMBER: assignor.metadata(topics)}
            assignor.on_assignment(assignor.assign(_Cluster(self._log), members)[_MEMBER])
            self._assignment = {
                TP(topic, partition)
                for topic in topics
                for partition in range(self._log.partitions(topic) or 0)
            }
            self._positions.clear()
            self._last_turn.clear()
            self._generation += 1
            # before Faust is told: recovery waits for a further rebalance when they differ
            self.app.consumer_generation_id = self._generation
            await self.on_partitions_assigned(set(self._assignment), self._generation)

    def assignment(self) -> set[TP]:
        """All partitions of the topics subscribed to."""
        return self._assignment

    # -- reading

    async def fetch(self, room: Mapping[TP, int], timeout: float) -> list[tuple[TP, Slice]]:
        """See `BatchingConsumer.fetch`. One read of some of the partitions that have news."""
        era = self._era
        # one without a position was assigned a moment ago and will be sought to where it begins
        tps = [tp for tp in room if tp in self._positions]
        found = await self._read_some(tps)
        if not found:
            await self._wait_for_news(tps, timeout)
            if era == self._era:
                found = await self._read_some(tps)
        return found

    async def _read_some(self, tps: list[TP]) -> list[tuple[TP, Slice]]:
        era = self._era
        found: list[tuple[TP, Slice]] = []
        reads = 0
        for tp in sorted(tps, key=lambda tp: self._last_turn.get(tp, 0)):
            if reads == _READS or era != self._era:
                break
            position = self._positions[tp]
            if self._log.end_offset(tp) <= position:
                continue
            reads += 1
            self._turn += 1
            self._last_turn[tp] = self._turn
            piece = await self._log.read(
                *tp,
                position,
                max_bytes=self._settings.batch_bytes,
                max_records=self._settings.batch_records,
            )
            if not piece.items and self._positions.get(tp) == position:
                self._positions[tp] = piece.next_offset  # all up to the end is gone
            found += [(tp, part) for part in _parts(piece, self._settings.batch_records)]
        return found

    def _hand_out(self, tp: TP) -> BatchMessage:
        # only now: what was read may be dropped for a seek, of another partition too
        next_offset = self._ready[tp][0].next_offset
        message = super()._hand_out(tp)
        self._positions[tp] = next_offset
        return message

    async def _wait_for_news(self, tps: Iterable[TP], timeout: float) -> None:
        positions = {tp: self._positions[tp] for tp in tps}
        news = asyncio.ensure_future(self._log.wait_any(positions, timeout))
        freed = asyncio.ensure_future(self._freed.wait())
        try:
            await asyncio.wait((news, freed), return_when=asyncio.FIRST_COMPLETED)
        finally:
            news.cancel()
            freed.cancel()

    # -- positions

    # None where nothing was committed, as the base class expects in spite of its annotation
    async def seek_to_committed(  # type: ignore[override]
        self,
    ) -> Mapping[TP, int | None]:
        """Every assigned partition to its committed offset, else to the beginning."""
        committed = await self._log.committed(self.app.conf.id, self._assignment)
        begin = await self._log.begin_offsets(self._assignment)
        offsets = {tp: committed[tp] for tp in self._assignment}
        for tp, offset in offsets.items():
            self._positions[tp] = begin[tp] if offset is None else offset
        return offsets

    async def _seek(self, partition: TP, offset: int) -> None:
        self._positions[partition] = offset

    async def seek_wait(self, partitions: Mapping[TP, int]) -> None:
        """Goes on at these offsets; batches on the way are void."""
        for tp, offset in partitions.items():
            await self.seek(tp, offset)

    async def position(self, tp: TP) -> int | None:
        """The offset to be handed out next, None before the first seek."""
        return self._positions.get(tp)

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        try:
            await self._log.commit(self.app.conf.id, offsets)
        except DiskFull as error:
            # nothing is lost by a late commit; the next one has these offsets too
            self.log.warning("offsets are not committed: %s", error)
            return False
        return True

    # -- what the log knows

    async def end_offsets(self, tps: set[TP]) -> dict[TP, int]:
        """The offsets the next records will get."""
        return {tp: self._log.end_offset(tp) for tp in tps}

    def highwater(self, tp: TP) -> int:
        """The offset the next record will get."""
        return self._log.end_offset(tp)

    async def highwaters(self, *partitions: TP) -> Mapping[TP, int]:
        """`highwater` of several."""
        return await self.end_offsets(set(partitions))

    async def earliest_offsets(self, *partitions: TP) -> Mapping[TP, int]:
        """The first offsets kept."""
        begin = await self._log.begin_offsets(partitions)
        return {tp: begin[tp] for tp in partitions}

    def topic_partitions(self, topic: str) -> int | None:
        """The number of partitions of a topic, None when there is no such topic."""
        return self._log.partitions(topic)

    def key_partition(
        self, topic: str, key: bytes | None, partition: int | None = None
    ) -> int | None:
        """Where a key lies, None when there is no such topic. Keyless records lie in 0."""
        partitions = self._log.partitions(topic)
        if partitions is None or partition is not None:
            return None if partitions is None else partition
        return 0 if key is None else partition_for(key, partitions)

    async def create_topic(self, topic: str, *args: Any, **kwargs: Any) -> None:
        """Makes a topic as the app's producer does."""
        await self.app.producer.create_topic(topic, *args, **kwargs)

    # -- what is never asked for

    def _new_topicpartition(self, topic: str, partition: int) -> TP:
        return TP(topic, partition)

    async def _getmany(self, active_partitions: set[TP] | None, timeout: float) -> Any:
        raise TypeError("getmany is replaced: batches are read by fetch")

    def _to_message(self, tp: TP, record: Any) -> ConsumerMessage:
        raise TypeError("getmany is replaced: batches are read by fetch")


class Transport(FaustTransport):
    """The parts of `sluice-embedded://`."""

    Consumer = Consumer
    Producer = LogProducer
    Conductor = Conductor

    default_port = 0
    driver_version = "sluice-embedded"


def _parts(piece: Slice, records: int) -> list[Slice]:
    """The slice cut into ones of at most so many records; the last has its gap behind it."""
    items, next_offset, end_offset = piece
    if len(items) <= records:
        return [piece] if items else []
    parts = [items[start : start + records] for start in range(0, len(items), records)]
    ends = [part[-1][0] + 1 for part in parts[:-1]] + [next_offset]
    return [Slice(part, end, end_offset) for part, end in zip(parts, ends, strict=True)]
