"""The campaigns of a worker in memory, without Faust: batches are fed by hand, and it can be killed
anywhere. What outlives a kill is the log, the stores and, if the history says so, the disks.
"""

import asyncio
import json
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from agents.campaign_flows import FlowsOfShard
from agents.campaign_stores import resolved
from agents.campaigns import Campaigns
from agents.flow_shard import FlowShard
from connectors.stores.base import StoreUnavailable
from connectors.streams.memory import Killed, MemoryLog
from connectors.streams.murmur2 import partition_for
from domain.aggregation.limit import NONE, Limit
from domain.campaigns.leases import leased
from domain.campaigns.made import documents_of
from domain.clock import FixedClock
from tables.changelog import Changelog
from tables.ledger import Ledger
from tables.ledger_book import Output, Write
from tests.agents.toy import Toy
from tests.agents.world import NAMES, START_MS, Disk

T = TypeVar("T")
PUBLIC = ("campaign-events", "execution-results")
OWN = (NAMES.campaigns_in, NAMES.retrigger_in)
BESIDE = NAMES.insight_in
OUT = ("executions", "slot-failures", "campaign-audit", "dead-letters")


@dataclass
class CampaignWorld:
    """The log, the disks, the stores, the clock, and the worker that is alive, if any."""

    machine: Any = field(default_factory=Toy)
    flows: Any = None
    apart: bool = False  # the contacts of numbers are spread over the shards
    partitions: int = 2
    clock: FixedClock = field(default_factory=lambda: FixedClock(START_MS))
    disks: dict[int, Disk] = field(default_factory=dict)
    kill_on: int | None = None
    limit: Limit = NONE
    passes: int = 0
    away: bool = False
    stored: dict[tuple[str, str], tuple[int, bytes | None]] = field(default_factory=dict)
    alive: Campaigns[Any] | None = None

    def __post_init__(self) -> None:
        self.log = MemoryLog(self.clock)
        changelog = NAMES.changelog("campaigns")
        for name in (*PUBLIC, *OWN, BESIDE, *OUT, changelog):
            self.log.counts[name] = self.partitions

    def run(self, work: Coroutine[Any, Any, T]) -> T | None:
        """What the work returns, or None when the worker was killed in it."""
        try:
            return asyncio.run(work)
        except Killed:
            self.alive = None
            return None

    def _step(self, step: int) -> None:
        if step == self.kill_on:
            if self.passes > 0:
                self.passes -= 1
                return
            self.kill_on = None
            raise Killed

    async def _send(self, outputs: list[Output]) -> None:
        for topic, key, value in outputs:
            partition = partition_for(key or b"", self.partitions)
            await self.log.append(topic, partition, [(key, value, None, ())])

    async def _deliver(self, writes: list[Write], version: int) -> None:
        if self.away:
            raise StoreUnavailable("documents", "the test took it away")
        values, leases, made = resolved(writes, version)
        for page in made:
            told = {"of": page.prefix, **{name: getattr(page, name) for name in page.__slots__}}
            values |= {("fdds", fdd["id"]): fdd for fdd in documents_of(told)}
        for place, value in values.items():
            assert self.stored.get(place, (0, b""))[0] <= version
            data = None if value is None else json.dumps(value).encode()
            self.stored[place] = (version, data)
        for lease in leases:
            for ident in lease.ids:
                known, whole = self.stored["fdds", ident]  # it was written before, whatever died
                told = leased(json.loads(whole or b""), ident, {"attempt": lease.attempt})
                if known < version:
                    self.stored["fdds", ident] = (version, json.dumps(told).encode())

    async def _open(self, number: int) -> FlowShard[Any]:
        changelog = Changelog(self.log, NAMES.changelog("campaigns"), number, "w")
        disk = self.disks.setdefault(number, Disk())
        ledger = Ledger(number, disk, changelog, self._send, self._deliver, on_step=self._step)
        await ledger.open()
        flows = FlowsOfShard(self.flows, number, self.partitions) if self.apart else self.flows
        return FlowShard(ledger, self.machine, flows, self.clock.now_ms, self.limit)

    async def worker(self) -> Campaigns[Any]:
        """A worker of all roles with all partitions; each is a loop's own."""
        campaigns = Campaigns(
            log=self.log,
            names=NAMES,
            clock=self.clock,
            group="sluice",
            open_shard=self._open,
            send=self._send,
            limit=self.limit,
        )
        self.alive = campaigns
        await campaigns.assign({(t, p) for t in (*PUBLIC, *OWN) for p in range(self.partitions)})
        for number in range(self.partitions):
            async with campaigns.shards.use(number):
                pass
        return campaigns

    async def produce(self, topic: str, partition: int, *records: Any) -> None:
        """Appends records with the clock's time: bytes as they are, else JSON."""
        rows = [
            (None, each if isinstance(each, bytes) else json.dumps(each).encode(), None, ())
            for each in records
        ]
        await self.log.append(topic, partition, rows)

    async def work(self, batch: int, commit: bool, only: int | None = None) -> bool:
        """Feeds every partition (or the `only`-th) one batch; whether there was any. Without
        `commit` the positions stay, so that what follows a kill comes again."""
        campaigns = await self.worker()
        any_work = False
        tps = [(t, p) for t in (*PUBLIC, *reversed(OWN)) for p in range(self.partitions)]
        for i, tp in enumerate(tps):
            if only is not None and i != only % len(tps):
                continue
            at = self.log.positions.get(("sluice", tp), 0)
            items = self.log.rows.get(tp, [])[at : at + batch]
            if items:
                any_work = True
                await campaigns.take(*tp, items, lambda: True)
                if commit:
                    self.log.positions["sluice", tp] = items[-1][0] + 1
        return any_work

    async def tick(self) -> int:
        """What is due happens, when everything that came before is read; how much it was."""
        campaigns = await self.worker()
        while await campaigns.tick():
            pass
        return sum(shard.timers for shard in campaigns.shards.open_ones().values())

    def settle(self) -> None:
        """Works until nothing waits and nothing is due."""
        self.kill_on, self.away = None, False
        self.log.survives = lambda _topic, n: n
        while self.run(self.work(1_000, commit=True)) or self.run(self.tick()):
            pass

    def rows(self) -> dict[bytes, bytes]:
        """All rows of all shards by key."""

        async def collect() -> dict[bytes, bytes]:
            campaigns = await self.worker()
            found: dict[bytes, bytes] = {}
            for shard in campaigns.shards.open_ones().values():
                found |= shard.ledger.rows()
            return found

        return self.run(collect()) or {}

    def outputs(self, topic: str) -> list[dict[str, Any]]:
        """Everything on a public topic, partition by partition."""
        return [
            json.loads(item[3] or b"")
            for partition in range(self.partitions)
            for item in self.log.rows.get((topic, partition), [])
        ]

    def cut(self, left: int, where: Sequence[str]) -> None:
        """The next append of more than `left` rows to one of these topics is cut: a kill."""

        def survives(topic: str, n: int) -> int:
            if n <= left or not topic.endswith(tuple(where)):
                return n
            self.log.survives = lambda _topic, n: n
            return left

        self.log.survives = survives
