"""The input partitions of this worker: each batch decided once, then applied or sent on (see
`route.py`, `tables/routes.py`).
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from agents.aggregate import DIRECT, ShardProcessor
from agents.chunks import parcels
from agents.letters import Letter
from agents.limits import runs_after
from agents.route import Routed, Router
from agents.shards import Shards
from agents.unread import until_served
from domain.aggregation.limit import Limit
from domain.clock import Clock
from tables.documents import Documents
from tables.growths import Growth
from tables.routes import RouteLog
from tables.stream import Item

SendParcel = Callable[[int, bytes], Awaitable[None]]


class Intakes:
    """All input partitions, by (public topic, partition).

    `shard_count(revision)` is by how many shards records are routed then; `cross(growth, still)`
    returns when all that was sent before by the old number has arrived.
    """

    def __init__(
        self,
        *,
        documents: Documents,
        clock: Clock,
        shards: Shards[ShardProcessor],
        shard_count: Callable[[int], int],
        cross: Callable[[Growth, Callable[[], bool]], Awaitable[None]],
        max_record_bytes: int,
        open_route_log: Callable[[str, int], Awaitable[RouteLog]],
        partitions_of: Callable[[str], int],
        send_parcel: SendParcel,
        send_letters: Callable[[list[Letter]], Awaitable[None]],
        revision_reached: Callable[[int], Awaitable[None]],
        limit: Limit,
    ) -> None:
        self._documents = documents
        self._clock = clock
        self._shards = shards
        self._shard_count = shard_count
        self._cross = cross
        self._locks: dict[tuple[str, int], asyncio.Lock] = {}
        self._crossed: set[tuple[int, str, int]] = set()
        self._max_record_bytes = max_record_bytes
        self._open_route_log = open_route_log
        self._partitions_of = partitions_of
        self._send_parcel = send_parcel
        self._send_letters = send_letters
        self._revision_reached = revision_reached
        self._limit = limit
        self._logs: dict[tuple[str, int], RouteLog] = {}
        self._doubted: set[tuple[str, int]] = set()
        self._routers: dict[str, tuple[int, Router]] = {}
        self.positions: dict[tuple[str, int], int] = {}
        # the newest timestamp that was sent on from here: what is only decided doesn't count yet
        self.until: dict[tuple[str, int], int] = {}
        self.records = 0

    def assign(self, assigned: set[tuple[str, int]]) -> None:
        """Forgets what is no longer ours; what stays is looked at before its next batch: somebody
        may have had it.
        """
        self._logs = {at: log for at, log in self._logs.items() if at in assigned}
        self._doubted = set(self._logs)
        self.positions = {at: offset for at, offset in self.positions.items() if at in assigned}
        self.until = {at: until for at, until in self.until.items() if at in assigned}
        self._crossed = {each for each in self._crossed if each[1:] in assigned}

    def routes(self) -> dict[tuple[str, int], Any]:
        """What was decided on each partition that had a batch here."""
        return {at: log.route for at, log in self._logs.items()}

    async def route_log(self, topic: str, partition: int) -> RouteLog:
        """The decisions on a partition, taken over on first use."""
        at = (topic, partition)
        log = self._logs.get(at)
        if log is not None and at in self._doubted:
            self._doubted.discard(at)
            if not await log.still_ours():
                log = None
        if log is None:
            log = await self._open_route_log(topic, partition)
            self._logs[at] = log
        return log

    async def take(
        self, topic: str, partition: int, items: Sequence[Item], still: Callable[[], bool]
    ) -> None:
        """Handles one batch; returns when everything that came of it is durable. Raises
        TooManyLetters before it decides.
        """
        async with self._lock(topic, partition):
            await self._take(topic, partition, items, still)

    def _lock(self, topic: str, partition: int) -> asyncio.Lock:
        return self._locks.setdefault((topic, partition), asyncio.Lock())

    async def cross(
        self, growth: Growth, topic: str, partition: int, position: int, still: Callable[[], bool]
    ) -> bool:
        """Brings a partition past the switch of a growth, unless a batch of it does; `position` is
        where it is read. Whether it is past it, whoever has it from now on.
        """
        if self._past(growth, topic, partition):
            return True  # asked for no lock: while records pour in, a batch has it nearly always
        lock = self._lock(topic, partition)
        if lock.locked():
            return False
        async with lock:
            log = await self.route_log(topic, partition)
            if self.positions.get((topic, partition), position) < log.route.decided:
                return False  # some of what was decided by the old number may not have been sent
            await self._revision_reached(growth.switched)
            if (growth.after, topic, partition) not in self._crossed:
                await self._cross(growth, still)
                self._crossed.add((growth.after, topic, partition))
            if not log.route.segments or log.route.segments[-1][1] < growth.switched:
                await log.decide(log.route.decided, growth.switched)
        return True

    def _past(self, growth: Growth, topic: str, partition: int) -> bool:
        """Whether a batch brought it past the switch: all that was decided by the old number was
        sent before that batch, and had arrived.
        """
        log = self._logs.get((topic, partition))
        if log is None or (growth.after, topic, partition) not in self._crossed:
            return False
        new = [start for start, revision in log.route.segments if revision >= growth.switched]
        return bool(new) and self.positions.get((topic, partition), 0) >= new[0]

    async def _reach(
        self, topic: str, partition: int, revision: int, still: Callable[[], bool]
    ) -> None:
        """Before the first records that are routed by the new number of a growth."""
        growth = self._documents.growths.latest
        if growth is None or growth.finished or not 0 < growth.switched <= revision:
            return
        if (growth.after, topic, partition) not in self._crossed:
            await self._cross(growth, still)
            self._crossed.add((growth.after, topic, partition))

    async def _take(
        self, topic: str, partition: int, items: Sequence[Item], still: Callable[[], bool]
    ) -> None:
        log = await self.route_log(topic, partition)
        end = items[-1][0] + 1

        async def by_revision() -> list[tuple[int, int, int]]:
            parts = log.revisions(items[0][0], end, self._documents.revision)
            await self._revision_reached(max(revision for *_, revision in parts))
            return parts

        served = until_served(self._documents, topic, partition, by_revision, still)
        for low, high, revision in await served:
            part = [item for item in items if low <= item[0] < high]
            if not part:
                continue
            await self._reach(topic, partition, revision, still)
            routed = self._router(topic, revision).route(partition, part, self._clock.now_ms())
            if high > log.route.decided:
                runs = runs_after(self._limit, log.route, topic, partition, revision, part, routed)
                counted = _counted(log, routed, len(part))
                counted |= {"runs": runs, "runs_revision": revision}
                await log.decide(high, revision, **counted)
            await self._send(partition, revision, routed, still)
            at = (topic, partition)
            self.until[at] = max(self.until.get(at, 0), routed.until)
        self.records += len(items)
        self.positions[topic, partition] = end

    def _router(self, topic: str, revision: int) -> Router:
        known = self._routers.get(topic)
        if known is None or known[0] != revision:
            rules = [
                rule
                for rule in self._documents.aggregators(revision)
                if rule.document.input == topic
            ]
            router = Router(
                topic, rules, self._shard_count(revision), self._partitions_of(topic),
                self._max_record_bytes,
            )  # fmt: skip
            known = self._routers[topic] = (revision, router)
        return known[1]

    async def _send(
        self, partition: int, revision: int, routed: Routed, still: Callable[[], bool]
    ) -> None:
        if routed.letters:
            await self._send_letters(routed.letters)
        sent = [
            self._send_parcel(shard, parcel)
            for shard, chunks in routed.chunks.items()
            for parcel in parcels(revision, chunks)
        ]
        if sent:
            await asyncio.gather(*sent)
        if routed.own:
            async with self._shards.use(partition, still) as processor:
                await processor.apply(DIRECT, routed.own)


def _counted(log: RouteLog, routed: Routed, records: int) -> dict[str, Any]:
    """The counts of the route after this part of a batch."""
    route = log.route
    rejected = {name: dict(reasons) for name, reasons in route.rejected.items()}
    for letter in routed.letters:
        reasons = rejected.setdefault(letter.aggregator or "", {})
        reasons[letter.reason] = reasons.get(letter.reason, 0) + 1
    filtered = dict(route.filtered)
    for name, number in routed.filtered.items():
        filtered[name] = filtered.get(name, 0) + number
    return {
        "rejected": rejected,
        "filtered": filtered,
        "unmatched": route.unmatched + routed.unmatched,
        "records": route.records + records,
        "until": max(route.until, routed.until),
    }
