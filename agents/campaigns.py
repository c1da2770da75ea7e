"""The campaigns of one worker: what comes in on the public topics goes to the shard of its flow,
and each shard that is this worker's applies it, and does what the clock brings.

No Faust in here: the worker feeds batches and assignments, tests feed them by hand. When a store is
away, shards that have something for it hold: nothing is acknowledged, nothing dropped, `holding`
tells it, and they go on by themselves.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from agents.campaign_parcels import BY_RETRIGGER, decode_parcel, parcels
from agents.campaign_route import EVENTS, RESULTS, Sent, route
from agents.flow_shard import FlowShard
from agents.frontier import Frontier
from agents.letters import Letter
from agents.limits import campaign_run
from agents.shards import NotOwned, Shards
from agents.told import TellAsked, campaign_changes
from agents.uploads.events import UploadEvents
from config.names import Names
from connectors.stores.base import StoreUnavailable
from connectors.streams.base import Log
from domain.aggregation.limit import NONE, Limit
from domain.clock import Clock
from tables.ledger_book import Output
from tables.stream import Item

TP = tuple[str, int]
Still = Callable[[], bool]
FIRST_WAIT_S, LONGEST_WAIT_S = 0.1, 5.0  # a store that is back is found within so long
ROLES = {"campaigns": (EVENTS,), "execute": (RESULTS,), "retrigger": ()}
"""The public topics that each role reads."""


@dataclass
class Held:
    """Which store a shard waits for, since when, and when it tries again (monotonic seconds)."""

    where: str
    detail: str
    since_s: float
    wait_s: float = FIRST_WAIT_S
    again_s: float = 0.0


F = TypeVar("F")


class Campaigns(Generic[F]):
    """See the module. `open_shard(number)` gives a shard that is recovered and claimed."""

    def __init__(
        self,
        *,
        log: Log,
        names: Names,
        clock: Clock,
        group: str,
        open_shard: Callable[[int], Awaitable[FlowShard[F]]],
        send: Callable[[list[Output]], Awaitable[None]],
        uploads: UploadEvents | None = None,
        limit: Limit = NONE,
        tell: TellAsked | None = None,
    ) -> None:
        self._tell = tell
        self._limit = limit
        # of records that go nowhere; begins anew with the worker
        self._runs: dict[TP, list[int] | None] = {}
        self._uploads = uploads
        self._log, self._names, self._clock = log, names, clock
        self._send = send
        self.shards = Shards[FlowShard[F]](open_shard)
        self.frontier = Frontier(log, group, names.campaigns_in)
        self.holding: dict[int, Held] = {}
        self.routed = 0
        self.shard_count = 0

    @staticmethod
    def topics(roles: Sequence[str], names: Names) -> set[str]:
        """The physical topics that these roles consume."""
        found = {names.topic(name) for role in roles for name in ROLES.get(role, ())}
        if "campaigns" in roles:
            found.add(names.campaigns_in)
        if "retrigger" in roles:
            found.add(names.retrigger_in)
        return found

    async def assign(self, assigned: set[TP]) -> None:
        """These partitions (physical topics) are this worker's from now on, and no others."""
        self.shard_count = (await self._log.topics())[self._names.campaigns_in]
        public = {self._names.topic(EVENTS), self._names.topic(RESULTS), self._names.retrigger_in}
        self.frontier.assign({tp for tp in assigned if tp[0] in public})
        mine = {partition for topic, partition in assigned if topic == self._names.campaigns_in}
        self.holding = {n: held for n, held in self.holding.items() if n in mine}
        await self.shards.assign(mine)

    async def take(
        self, physical: str, partition: int, items: Sequence[Item], still: Still
    ) -> None:
        """One batch of one partition; returns when all that came of it is durable, and out if it
        was for a shard. Raises NotOwned."""
        if physical == self._names.campaigns_in:
            await self._apply(partition, items, still)
        elif physical == self._names.retrigger_in:
            await self._unheld(still)
            await self._pass_on(partition, items)
        else:
            await self._unheld(still)
            await self._route(self._names.public(physical), partition, items)
        self.frontier.read(physical, partition, items[-1][0] + 1)

    # What comes in

    async def _route(self, topic: str, partition: int, items: Sequence[Item]) -> None:
        now_ms, left, letters = self._clock.now_ms(), items, list[Letter]()
        if topic == EVENTS and self._uploads is not None:
            left, letters = await self._uploads.passed(partition, items, now_ms)
        sent = route(topic, partition, left, self.shard_count, now_ms)
        refused = sorted((*letters, *sent.letters), key=lambda letter: letter.offset)
        if topic == EVENTS and self._tell is not None:
            bad = {letter.offset for letter in refused}
            await self._tell(list(campaign_changes(topic, partition, items, bad)))
        if refused or self._runs.get((topic, partition)) is not None:
            bad = {letter.offset for letter in refused}
            taken = [item[0] for item in items if item[0] not in bad]
            known = self._runs.get((topic, partition))
            self._runs[topic, partition] = campaign_run(
                self._limit, known, topic, partition, refused, taken
            )
        if refused:
            await self._send([letter.output() for letter in refused])
        await self._append(sent)
        self.routed += len(items)

    async def _append(self, sent: Sent) -> None:
        # The parcels of a shard in one append: a later one never overtakes an earlier one.
        parts = [
            (topic, number, parcels(entries))
            for topic, by_shard in (
                (self._names.campaigns_in, sent.entries),
                (self._names.retrigger_in, sent.retriggers),
                (self._names.insight_in, sent.watched),
            )
            for number, entries in by_shard.items()
        ]
        await asyncio.gather(
            *(
                self._log.append(topic, number, [(None, parcel, None, ()) for parcel in made])
                for topic, number, made in parts
            )
        )

    async def _pass_on(self, number: int, items: Sequence[Item]) -> None:
        """The retrigger role: what waits for it goes on to the shard, marked with its way."""
        entries = [entry for item in items for entry in decode_parcel(item[3] or b"")]
        for entry in entries:
            entry.path = BY_RETRIGGER
        await self._append(Sent({number: entries}))

    async def _apply(self, number: int, items: Sequence[Item], still: Still) -> None:
        batch = [(item[0], decode_parcel(item[3] or b"")) for item in items]
        while True:
            async with self.shards.use(number, still) as shard:
                held = self.holding.get(number)
                done = held is None and await self._try(number, shard.apply(batch))
            if done:
                return
            if number in self.holding:
                if not still():
                    raise NotOwned(number)  # the next owner gets the batch again
                await asyncio.sleep(FIRST_WAIT_S)

    async def _try(self, number: int, work: Awaitable[bool]) -> bool:
        """What the work returns; False when a store is away, which is then noted."""
        try:
            done = await work
        except StoreUnavailable as error:
            now_s = asyncio.get_running_loop().time()
            held = self.holding.setdefault(number, Held(error.where, error.detail, now_s))
            held.where, held.detail = error.where, error.detail
            held.again_s = now_s + held.wait_s
            held.wait_s = min(held.wait_s * 2, LONGEST_WAIT_S)
            return False
        self.holding.pop(number, None)
        return done

    async def _unheld(self, still: Still) -> None:
        """Returns when no shard here holds: till then no event is taken."""
        while self.holding:
            if not still():
                raise NotOwned(min(self.holding, default=0))
            await asyncio.sleep(FIRST_WAIT_S)

    # What the clock brings

    async def tick(self) -> bool:
        """Does what is due in the shards that are here; whether there is more to do at once."""
        owned = self.shards.open_ones()
        if not owned:
            return False
        until = await self.frontier.reached(self.shards.owned, self._clock.now_ms())
        # side by side: one that is at work on a batch doesn't hold up the others' timers
        more = await asyncio.gather(*(self._tick(number, until) for number in owned))
        return any(more)

    async def _tick(self, number: int, until: dict[int, int]) -> bool:
        held = self.holding.get(number)
        if held is not None and held.again_s > asyncio.get_running_loop().time():
            return False
        try:
            async with self.shards.use(number) as shard:
                return await self._try(number, shard.tick(until.get(number, 0)))
        except NotOwned:
            return False

    async def stop(self) -> None:
        """Closes what is open."""
        await self.shards.close()
