"""Funnel and usage events: each partition of `<app>-insight-in` is a shard, which keeps them and
their figures by customer.

No Faust in here. A batch is one commit of the shard's ledger or a few: what the events changed and
the position of each public partition behind them are kept together, so that what comes again after
a kill changes nothing.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from agents.campaign_parcels import Entry, decode_parcel
from agents.campaign_route import Unreadable, decode_event, letter_of
from agents.shards import NotOwned, Shards
from config.names import Names
from domain.errors import Reject
from domain.insight.erase import Erased, Whom, erase
from domain.insight.taking import forget, next_forgotten_ms, take
from tables.ledger import Ledger, Source
from tables.stream import Item

TP = tuple[str, int]
COMMIT_EVENTS = 500  # of one commit: some thousand rows, 50 ms of work
FORGOTTEN = 500  # events of one commit


class InsightShard:
    """One shard that is open. Calls must not overlap."""

    def __init__(self, ledger: Ledger, now_ms: Callable[[], int]) -> None:
        self.ledger = ledger
        self._now_ms = now_ms
        self.events = 0
        self.forgotten = 0

    async def still_ours(self) -> bool:
        """See `Opened`."""
        return await self.ledger.still_ours()

    def close(self) -> None:
        """See `Opened`."""
        self.ledger.close()

    async def apply(self, items: Sequence[Item]) -> None:
        """Applies parcels in order; those applied before change nothing."""
        await self.ledger.settle()
        held: list[tuple[int, Entry]] = []
        applied = self.ledger.marker.applied
        for offset, timestamp, _, value, _ in items:
            if offset >= applied:
                held += [(timestamp, entry) for entry in decode_parcel(value or b"")]
        for at in range(0, len(held), COMMIT_EVENTS):
            # the parcels count as applied with the last event of the last of them
            last = at + COMMIT_EVENTS >= len(held)
            await self._commit(held[at : at + COMMIT_EVENTS], items[-1][0] + 1 if last else None)

    async def _commit(self, entries: Sequence[tuple[int, Entry]], applied: int | None) -> None:
        book = self.ledger.book()
        floors: dict[Source, int] = {}
        for received_ms, entry in entries:
            source = (entry.path, entry.topic, entry.partition)
            if entry.offset <= floors.get(source, self.ledger.applied.get(source, -1)):
                continue
            floors[source] = entry.offset
            where = (entry.partition, entry.offset)
            try:
                raw = decode_event(entry.topic, entry.body)
                take(book, raw, entry.body, where, entry.timestamp, received_ms)
            except (Reject, Unreadable) as error:  # it was placed by a worker of another version
                letter = letter_of(entry, error.reason, error.detail, self._now_ms())
                book.send_bytes(letter.output())
            self.events += 1
        await self.ledger.commit(book, applied, floors)

    async def tick(self) -> bool:
        """Forgets what is old enough; whether there is more."""
        await self.ledger.settle()
        now_ms = self._now_ms()
        next_ms = next_forgotten_ms(self.ledger.view())
        if next_ms is None or next_ms >= now_ms:
            return False
        book = self.ledger.book()
        count = forget(book, now_ms, FORGOTTEN)
        if count:
            await self.ledger.commit(book)
            self.forgotten += count
        return count == FORGOTTEN

    async def erase(self, whom: Whom, after: bytes, dry_run: bool) -> Erased:
        """Takes customers out of the next events behind `after`; returns when that is durable."""
        await self.ledger.settle()
        book = self.ledger.book()
        found = erase(book, whom, after, dry_run)
        if found.events and not dry_run:
            await self.ledger.commit(book)
        return found


class Insight:
    """The shards of this worker. `open_shard(number)` gives one that is recovered and claimed."""

    def __init__(self, names: Names, open_shard: Callable[[int], Awaitable[InsightShard]]) -> None:
        self.topic = names.insight_in
        self.shards = Shards[InsightShard](open_shard)

    async def assign(self, assigned: set[TP]) -> None:
        """These partitions (physical topics) are this worker's from now on, and no others."""
        await self.shards.assign({number for topic, number in assigned if topic == self.topic})

    async def take(self, number: int, items: Sequence[Item], still: Callable[[], bool]) -> None:
        """One batch of one partition; returns when all that came of it is durable. Raises
        NotOwned."""
        async with self.shards.use(number, still) as shard:
            await shard.apply(items)

    async def tick(self) -> bool:
        """Forgets what is old enough in the shards that are here; whether there is more."""
        more = False
        for number in self.shards.open_ones():
            try:
                async with self.shards.use(number) as shard:
                    more |= await shard.tick()
            except NotOwned:
                continue
        return more

    async def erase(self, left: Mapping[int, bytes], whom: Whom, dry_run: bool) -> dict[int, Any]:
        """A page of each of these shards that is here, behind its place in `left`: `epoch`, and
        what `Erased` has."""
        told: dict[int, Any] = {}
        for number, after in left.items():
            if number not in self.shards.opened:
                continue
            try:
                async with self.shards.use(number) as shard:
                    found = await shard.erase(whom, after, dry_run)
                    told[number] = {"epoch": shard.ledger.changelog.epoch, **found._asdict()}
            except NotOwned:
                continue
        return told

    async def stop(self) -> None:
        """Closes what is open."""
        await self.shards.close()
