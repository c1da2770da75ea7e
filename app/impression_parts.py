"""The impressions of a worker put together: the queue, the steps, the place of new files."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from agents.impressions.missing import MissingDays
from agents.impressions.running import Running
from agents.impressions.stream import ImpressionsShard, StreamMeans
from agents.shards import Shards
from app.impressions import incoming_of, source_at, tables_of
from config.clock import Clock
from config.names import Names
from config.settings import Settings
from config.topics import IMPRESSION_EVENTS
from connectors.streams.base import Log
from domain.errors import Invariant
from tables.changelog import Changelog
from tables.impressions import ImpressionsLog
from tables.ledger_book import Output

ROLE = "impressions"


@dataclass(frozen=True)
class ImpressionMeans:
    """What they need. `send` appends to public topics; `worker` is the owner's id; `fail` hears of
    what must end the worker."""

    settings: Settings
    names: Names
    clock: Clock
    log: Log
    worker: str
    send: Callable[[list[Output]], Awaitable[None]]
    fail: Callable[[BaseException], None]


class ImpressionParts:
    """See the module. Made before the worker joins its group; opens nothing of a server."""

    def __init__(self, means: ImpressionMeans) -> None:
        self._means = means
        self._topic = means.names.topic(IMPRESSION_EVENTS)
        self.shards = Shards[ImpressionsShard](self._open)

    @property
    def shard(self) -> ImpressionsShard | None:
        """The queue, where it is open here."""
        return self.shards.open_ones().get(0)

    def wanted(self, roles: Sequence[str]) -> set[str]:
        """The physical topics that these roles consume."""
        return {self._topic} if ROLE in roles else set()

    async def assign(self, assigned: set[tuple[str, int]]) -> None:
        """These partitions (physical topics) are this worker's from now on, and no others."""
        numbers = {number for topic, number in assigned if topic == self._topic}
        if numbers - {0}:
            raise Invariant(
                f"topic {self._topic} has one partition",
                f"partition {max(numbers)} of it was assigned",
                "remove it, and let a worker make it anew",
            )
        await self.shards.assign(numbers)

    async def take(
        self, topic: str, partition: int, items: list[Any], still: Callable[[], bool]
    ) -> bool:
        """One batch; whether it was of a topic of theirs."""
        if topic != self._topic:
            return False
        async with self.shards.use(partition, still) as shard:
            await shard.apply(partition, items)
        return True

    async def _open(self, number: int) -> ImpressionsShard:
        means = self._means
        try:
            topic = means.names.changelog("impressions")
            log = ImpressionsLog(Changelog(means.log, topic, number, means.worker))
            await log.open()
        except Exception as error:
            means.fail(error)  # nobody else may ask for it: it looks for files by itself
            raise
        shard = ImpressionsShard(log, self._stream_means())
        shard.go()
        return shard

    def _stream_means(self) -> StreamMeans:
        means, settings = self._means, self._means.settings
        files = tables_of(settings)
        running = Running(
            files, means.clock, lambda address: source_at(address, settings),
            settings.max_unzipped_bytes,
        )  # fmt: skip
        hour, _, minute = settings.impressions_due.partition(":")
        days = MissingDays(files, means.clock, 60 * int(hour) + int(minute), means.send)
        return StreamMeans(
            running, incoming_of(settings), means.clock, means.send, means.fail,
            settings.impressions_poll, days,
        )  # fmt: skip

    async def stop(self) -> None:
        """Closes the queue; a step under way ends at its next block, and leaves nothing."""
        shard = self.shard if self.shards.opened else None
        await self.shards.close()
        if shard is not None:
            await shard.finish()
