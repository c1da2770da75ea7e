"""Records of sources into rollups: each partition of `source-events` is a shard of its own.

No Faust in here. A batch is one commit of the shard's ledger or a few: what the records changed,
the figures of the buckets for `rollups`, dead letters, and the position behind the batch are kept
together. What comes again after a kill is known by its offset, a record fetched again by its
version.
"""

from collections.abc import Awaitable, Callable, Sequence

from agents.letters import Letter
from agents.shards import Shards
from config.names import Names
from domain.errors import Reject
from domain.metrics.records import decode
from domain.metrics.rolling import Rolling
from tables.ledger import Ledger
from tables.stream import Item

TP = tuple[str, int]
EVENTS = "source-events"
COMMIT_RECORDS = 500  # of one commit: some thousand rows, 50 ms of work


class RollupShard:
    """One shard that is open. Calls must not overlap."""

    def __init__(self, ledger: Ledger, now_ms: Callable[[], int]) -> None:
        self.ledger = ledger
        self._now_ms = now_ms
        self.records = 0
        self.refused = 0

    async def still_ours(self) -> bool:
        """See `Opened`."""
        return await self.ledger.still_ours()

    def close(self) -> None:
        """See `Opened`."""
        self.ledger.close()

    async def apply(self, number: int, items: Sequence[Item]) -> None:
        """Applies the records of the partition in order; those applied before change nothing."""
        await self.ledger.settle()
        left = [item for item in items if item[0] >= self.ledger.marker.applied]
        for at in range(0, len(left), COMMIT_RECORDS):
            await self._commit(number, left[at : at + COMMIT_RECORDS])

    async def _commit(self, number: int, items: Sequence[Item]) -> None:
        book = self.ledger.book()
        rolling = Rolling(book)
        for offset, _, _, value, _ in items:
            if value is None:
                continue
            try:
                rolling.take(decode(value))
            except Reject as reject:
                letter = Letter(
                    EVENTS, number, offset, None, reject.reason, reject.detail, value, None,
                    self._now_ms(),
                )  # fmt: skip
                book.send_bytes(letter.output())
                self.refused += 1
        rolling.close()
        await self.ledger.commit(book, items[-1][0] + 1)
        self.records += rolling.taken


class RollUp:
    """The shards of this worker. `open_shard(number)` gives one that is recovered and claimed."""

    def __init__(self, names: Names, open_shard: Callable[[int], Awaitable[RollupShard]]) -> None:
        self.topic = names.topic(EVENTS)
        self.shards = Shards[RollupShard](open_shard)

    async def assign(self, assigned: set[TP]) -> None:
        """These partitions (physical topics) are this worker's from now on, and no others."""
        await self.shards.assign({number for topic, number in assigned if topic == self.topic})

    async def take(self, number: int, items: Sequence[Item], still: Callable[[], bool]) -> None:
        """One batch of one partition; returns when all that came of it is out. Raises NotOwned."""
        async with self.shards.use(number, still) as shard:
            await shard.apply(number, items)

    async def stop(self) -> None:
        """Closes what is open."""
        await self.shards.close()
