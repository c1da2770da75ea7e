"""One system of `sluice bench campaigns` in a process of its own: prints a JSON line a phase.

`python -m bench.campaigns_shard SYSTEM ROWS NEGATIVES FOLDER`; SLUICE_STREAM, SLUICE_DOCUMENTS and
SLUICE_NEGATIVES say where to. `sluice` is the shard of a flow as a worker has it, with its
changelog on the stream and the stores behind it; `sluice-shard` is the same without the stores.
"""

import asyncio
import json
import resource
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec

from agents.campaign_parcels import Entry
from agents.campaign_stores import CampaignStores
from agents.execute import Executing
from agents.flow_shard import FlowShard
from bench import campaigns_peers as peers
from bench.campaigns_job import DAY, OPENS_MS, START_MS, Flows, flow, number
from config.clock import SystemClock
from config.collecting import collect_seldom
from config.settings import resolve
from connectors.stores.opening import open_documents, open_negatives
from connectors.streams import open_log
from connectors.streams.base import Log, TopicSpec
from domain.campaigns import machine
from domain.campaigns.check import recount, slots_of
from domain.campaigns.document import flow_json
from domain.campaigns.keys import key
from domain.campaigns.rows import Campaign, decode
from tables.changelog import Changelog
from tables.ledger import Ledger
from tables.ledger_book import Output, Write
from tables.store import RocksStore

REQUEST = "bench-0000000000000001"
PART = 2_000  # rows of a command, as uploads have
Phase = Callable[[], Awaitable[None]]


class Wrong(Exception):
    """What was made is not what was to be made."""


class Bench:
    """The shard, and what it sent."""

    def __init__(self, rows: int, negatives: int, folder: Path, log: Log, stores: bool) -> None:
        self.rows, self.negatives, self._folder, self._log = rows, negatives, folder, log
        settings = resolve().settings
        self.stores: CampaignStores | None = None
        if stores:
            self.stores = CampaignStores(
                open_documents(settings.documents, folder),
                open_negatives(settings.negatives, folder),
            )
        self.now_ms = START_MS
        self.orders = 0
        self._told = 0

    async def open(self) -> None:
        """Makes topics, the shard, and the campaign without rows."""
        name = f"bench-{self._folder.name}"
        self._orders = f"{name}-executions"
        await self._log.ensure_topic(TopicSpec(self._orders, 1))
        await self._log.ensure_topic(TopicSpec(name, 1, compact=True))
        store = RocksStore(
            self._folder / "shard", resolve().settings.state_memory_bytes, durable=False
        )
        changelog = Changelog(self._log, name, 0, "bench")
        self.ledger = Ledger(0, store, changelog, self._send, self._deliver)
        await self.ledger.open()
        flows = Flows(flow(self.rows))
        self.shard = FlowShard(self.ledger, Executing(machine), flows, lambda: self.now_ms)
        description = {"flow": "bench", "name": "bench", "slots": ["10:00-12:00", "16:00-18:00"]}
        told = {"description": description, "flow": flow_json(flow(self.rows)), "now_ms": START_MS}
        await self._tell("upload", told)

    async def _send(self, outputs: list[Output]) -> None:
        rows = [(key, value, None, ()) for topic, key, value in outputs if topic == "executions"]
        if rows:
            self.orders += len(rows)
            await self._log.append(self._orders, 0, rows)

    async def _deliver(self, writes: list[Write], version: int) -> None:
        if self.stores is not None:
            await self.stores.deliver(writes, version)

    async def _tell(self, command: str, body: dict[str, Any]) -> None:
        event = {"kind": "command", "id": f"k{self._told}", "command": command,
                 "request_id": REQUEST, "actor": "a", "reason": "r", "body": body}  # fmt: skip
        entry = Entry(0, "campaign-events", 0, self._told, self.now_ms, REQUEST.encode(),
                      msgspec.json.encode(event))  # fmt: skip
        self._told += 1
        while not await self.shard.apply([(self._told - 1, [entry])]):
            pass

    async def _ticks(self) -> None:
        while await self.shard.tick(self.now_ms):
            pass

    async def create(self) -> None:
        """The rows come in, and the FDDs of both slots are made."""
        for first in range(0, self.rows, PART):
            last = min(self.rows, first + PART)
            rows = [
                [number(n), {"name": "somebody", "n": str(n)}, None] for n in range(first, last)
            ]
            await self._tell("rows", {"first": first + 1, "rows": rows})
        await self._tell("rows_end", {"accepted": self.rows})
        await self._ticks()

    async def strike(self) -> None:
        """The negatives: every tenth number."""
        for first in range(0, self.negatives, PART):
            last = min(self.negatives, first + PART)
            rows = [number(n * 10) for n in range(first, last)]
            more = {"first": first + 1, "upload_id": "u", "filename": "n.csv", "more": True}
            await self._tell("negatives", {"rows": rows, **more})

    async def dispatch(self) -> None:
        """The first slot begins, with a channel for everybody."""
        self.now_ms = OPENS_MS
        await self._ticks()

    async def check(self) -> None:
        """Counts the FDDs anew in the shard and in the stores. Raises Wrong."""
        book = self.ledger.view()
        raw = book.get(key("c", REQUEST))
        campaign = decode(Campaign, raw or b"")
        kept = slots_of(book, campaign, DAY)
        if recount(book, REQUEST, DAY) != kept:
            raise Wrong(f"counts {kept} are not those of the FDDs")
        states: dict[str, int] = {}
        for counts in kept.values():
            for state, many in counts.states.items():
                states[state] = states.get(state, 0) + many
        left = self.rows - self.negatives
        wanted = {"CREATED": left, "LEASED": left, "NEGATIVE": 2 * self.negatives}
        if states != {state: many for state, many in wanted.items() if many} or self.orders != left:
            raise Wrong(f"{states} and {self.orders} orders, expected {wanted}")
        if self.stores is not None:
            stored: dict[str, int] = {}
            for each in await self.stores.documents.counts(REQUEST):
                stored[each.state] = stored.get(each.state, 0) + each.count
            if stored != states:
                raise Wrong(f"the store has {stored}, expected {states}")


async def main(system: str, rows: int, negatives: int, folder: Path) -> None:
    """Runs the phases and prints what each cost; what is wrong ends it."""
    collect_seldom()
    if system in peers.PEERS:
        await peers.run(system, rows, negatives, measured)
        return
    log = open_log(resolve().settings, SystemClock())
    await log.start()
    try:
        bench = Bench(rows, negatives, folder, log, system == "sluice")
        await bench.open()
        figures = [
            await measured("create", 2 * rows, bench.create),
            await measured("negatives", negatives, bench.strike),
            await measured("dispatch", rows - negatives, bench.dispatch),
        ]
        await bench.check()
        if bench.stores is not None:
            await bench.stores.documents.forget(REQUEST)
            await bench.stores.close()
        print(json.dumps(figures))
    finally:
        await log.stop()


async def measured(name: str, count: int, work: Phase) -> dict[str, Any]:
    """What a phase cost this process."""
    cpu_s, wall_s = time.process_time(), time.monotonic()
    await work()
    cpu_s, wall_s = time.process_time() - cpu_s, time.monotonic() - wall_s
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    return {
        "format": name, "records": count, "per_cpu_s": round(count / cpu_s),
        "per_wall_s": round(count / wall_s), "memory_mib": memory,
        "cpu_s": round(cpu_s, 2), "wall_s": round(wall_s, 2),
    }  # fmt: skip


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4])))
