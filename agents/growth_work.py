"""What one worker does when shards grow: gives and takes rows, hands on, has inputs cross."""

from collections.abc import Awaitable, Callable, Sequence

from agents.aggregate import HANDED_ON, ShardProcessor
from agents.chunks import Parcel
from agents.crossing import Crossing
from agents.folds import Folds
from agents.growing import Growing
from agents.growth_desk import GrowthDesk, moved
from agents.handing_on import HandingOn
from agents.places import Places
from config.names import Names
from connectors.streams.base import Log, Row
from tables.documents import Documents
from tables.shard import Shard


class GrowthWork:
    """See the module."""

    def __init__(
        self, log: Log, names: Names, group: str, documents: Documents, folds: Folds
    ) -> None:
        self._log = log
        self._names = names
        places = Places(documents)
        self._growing = Growing(places, folds, lambda: documents.revision, self._send_parcel)
        self.handing_on = HandingOn(places, documents, folds, self._send)
        self.crossing = Crossing(log, group, names, documents)

    async def resume(self, shard: Shard) -> None:
        """A shard that is opened gives away what it had begun to."""
        await self._growing.go_on(shard)

    async def take(self, processor: ShardProcessor, offset: int, parcel: Parcel) -> None:
        """What a parcel has of a growth; a shard that has given tells so."""
        shard = processor.shard
        if parcel.handed:
            await self._growing.hold(shard, parcel.handed)
            await self._growing.take(shard, parcel.handed, parcel.moves)
        if parcel.handed and parcel.chunks:
            # a path of its own: that all of an input came by the stream says nothing of these
            await processor.apply(HANDED_ON, parcel.chunks)
        if parcel.give:
            await self._growing.give(shard, parcel.give, offset)
            await self.tell(moved(parcel.give, shard.number))
        if parcel.release:
            await self._growing.release(shard, parcel.release)

    async def tell(self, message: tuple[bytes, bytes]) -> None:
        """Appends a message to the control topic; durable when it returns."""
        key, value = message
        await self._log.append(self._names.topic("config"), 0, [(key, value, None, ())])

    def desk(self, widen: Callable[[int, Sequence[str]], Awaitable[None]]) -> GrowthDesk:
        """Drives growths; `widen(shards, inputs)` makes the topics as wide."""
        names = self._names

        async def done(partition: int, key: bytes) -> None:
            await self._log.append(names.topic("config"), partition, [(key, None, None, ())])

        async def partitions_of(physical: str) -> int:
            return (await self._log.topics())[physical]

        return GrowthDesk(
            lambda: partitions_of(names.sessions_in),
            lambda topic: partitions_of(names.topic(topic)),
            widen,
            self._send_parcel,
            done,
        )

    async def _send_parcel(self, shard: int, parcel: bytes) -> None:
        await self._send(shard, (None, parcel, None, ()))

    async def _send(self, shard: int, row: Row) -> None:
        await self._log.append(self._names.sessions_in, shard, [row])
