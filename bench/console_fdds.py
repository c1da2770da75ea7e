"""Campaigns with their FDDs for `sluice bench console`: shards and stores as the rules fill them.

Most campaigns have two slots of the day that are to come, so their FDDs wait. One had its slot
before: its FDDs are of every state, with attempts.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from agents.campaign_parcels import Entry
from agents.campaign_stores import CampaignStores
from agents.execute import Executing
from agents.flow_shard import FlowShard
from bench.campaigns_job import Flows
from bench.console_copies import Copies, added, copy_documents, shard_of, tabs_of
from config.documents.registry import load_document
from config.settings import Settings
from connectors.stores.opening import open_documents, open_negatives
from connectors.streams.murmur2 import partition_for
from domain.aggregation.instants import print_instant
from domain.campaigns import machine
from domain.campaigns.document import Flow, flow_json
from domain.campaigns.document import Flows as KnownFlows
from tables.changelog import Changelog
from tables.layout import encode
from tables.ledger import Ledger
from tables.ledger_book import Output, Write
from tables.ledger_layout import LOCAL, MARKER, Local, Marker
from tables.store import RocksStore
from tables.stream import Row, Slice

ROWS = 5_000  # of an upload
SLOTS = ("10:00-12:00", "16:00-18:00")
PART = 1_000  # rows of a command, as uploads have
FLOWS = 4
CALLED = 50_000  # FDDs at most that are called
PEOPLE = 100_000  # numbers kept for campaigns that call the same people
EVERY = 5  # so many campaigns
HOUR_MS = 3_600_000
SAME = ("execution_id", "fdd_id", "request_id", "number")


def request(n: int) -> str:
    """The request id of a campaign; shorter than they are, as it is on disk ten times an FDD."""
    return f"f{n % FLOWS}-{n:04x}"


def number(n: int) -> str:
    """A person's number."""
    return f"+9198{n:08}"


def document(name: str) -> dict[str, Any]:
    """A flow that works around the clock."""
    days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
    return {
        "kind": "flow", "name": name, "timezone": "UTC", "country": "IN",
        "working_time": {"start": "00:00", "end": "24:00", "days": days},
        "channels": 10 * CALLED, "lease": {"seconds": 600}, "executor": "topic",
    }  # fmt: skip


def flows() -> Flows:
    """All of them."""
    loaded = (load_document(document(f"f{n}")) for n in range(FLOWS))
    return Flows(*(each for each in loaded if isinstance(each, Flow)))


class Nowhere:
    """A changelog's stream that keeps nothing: the folder is all that the server gets."""

    def __init__(self) -> None:
        self._end = 0

    async def append(self, topic: str, partition: int, rows: Sequence[Row]) -> tuple[int, int]:
        first, self._end = self._end, self._end + len(rows)
        return first, self._end - 1

    async def read(
        self, topic: str, partition: int, offset: int, *, max_bytes: int = 0, wait_s: float = 0.0
    ) -> Slice:
        raise ValueError(f"nothing is kept at {offset}")

    async def begin_offsets(self, tps: Iterable[tuple[str, int]]) -> dict[tuple[str, int], int]:
        return dict.fromkeys(tps, self._end)

    async def end_offsets(self, tps: Iterable[tuple[str, int]]) -> dict[tuple[str, int], int]:
        return dict.fromkeys(tps, self._end)


class Filler:
    """The shards of campaigns, at an instant that moves."""

    def __init__(self, folder: Path, midnight_ms: int, partitions: int) -> None:
        self._settings, self._partitions = Settings(data_dir=folder), partitions
        self.now_ms = midnight_ms
        self._flows = flows()
        self._stores = CampaignStores(open_documents("", folder), open_negatives("", folder))
        self._shards: dict[int, FlowShard[KnownFlows]] = {}
        self._told = 0
        self.orders: list[dict[str, Any]] = []

    async def open(self) -> None:
        """Makes the shards."""
        for shard in range(self._partitions):
            path = (self._settings.data_dir / "tables" / self._settings.app_id
                    / f"campaigns-{shard}")  # fmt: skip
            store = RocksStore(path, self._settings.state_memory_bytes, durable=False)
            ledger = Ledger(shard, store, Changelog(Nowhere(), "none", shard, "bench"),
                            self._send, self._deliver)  # fmt: skip
            await ledger.open()
            self._shards[shard] = FlowShard(
                ledger, Executing(machine), self._flows, lambda: self.now_ms
            )

    async def _send(self, outputs: list[Output]) -> None:
        self.orders += (msgspec.json.decode(v) for topic, _, v in outputs if topic == "executions")

    async def _deliver(self, writes: list[Write], version: int) -> None:
        await self._stores.deliver(writes, version)

    async def _tell(self, topic: str, request_id: str, events: Sequence[Mapping[str, Any]]) -> None:
        flow = request_id.partition("-")[0].encode()
        entries = []
        for event in events:
            entries.append(Entry(0, topic, 1 << 20, self._told, self.now_ms, request_id.encode(),
                                 msgspec.json.encode(event)))  # fmt: skip
            self._told += 1
        shard = self._shards[partition_for(flow, self._partitions)]
        while not await shard.apply([(self._told, entries)]):
            pass

    async def _command(self, request_id: str, command: str, body: Mapping[str, Any]) -> None:
        await self._tell("campaign-events", request_id, [{
            "kind": "command", "id": f"k{self._told}", "command": command,
            "request_id": request_id, "actor": "a", "reason": "r", "body": body,
        }])  # fmt: skip

    async def ticks(self, now_ms: int) -> None:
        """What is due by then happens."""
        self.now_ms = now_ms
        for shard in self._shards.values():
            while await shard.tick(now_ms):
                pass

    async def upload(self, n: int, rows: int, slots: Sequence[str]) -> None:
        """A campaign, and its FDDs of the day."""
        request_id = request(n)
        flow = self._flows(request_id.partition("-")[0])
        if flow is None:
            raise ValueError(f"{request_id} is of no flow")
        description = {"flow": flow.name, "name": f"campaign {n}", "slots": list(slots)}
        told = {"description": description, "flow": flow_json(flow), "now_ms": self.now_ms + n}
        await self._command(request_id, "upload", {**told, "columns": ["number"]})
        for first in range(0, rows, PART):
            last = min(rows, first + PART)
            some: list[list[Any]] = [
                [number(n // EVERY * PEOPLE + at), {}, None] for at in range(first, last)
            ]
            await self._command(request_id, "rows", {"first": first + 1, "rows": some})
        await self._command(request_id, "rows_end", {"accepted": rows})
        await self.ticks(self.now_ms)

    async def strike(self, n: int, numbers: Sequence[str]) -> None:
        """A file of negatives."""
        body = {"rows": list(numbers), "first": 1, "upload_id": "u", "filename": "n.csv"}
        await self._command(request(n), "negatives", body)

    async def answer(self) -> None:
        """Results of the orders, which are of one campaign: most complete, some fail, some are
        never heard of again."""
        orders, self.orders = self.orders, []
        told: list[dict[str, Any]] = []
        at = print_instant(self.now_ms)
        for n, order in enumerate(orders):
            same = {name: order[name] for name in SAME}
            if n % 10 < 9:
                told.append({"event": "started", **same, "at": at})
            if n % 10 < 8:
                ended = ("COMPLETED", None) if n % 10 < 6 else ("FAILED", "BUSY")
                told.append({"event": "finished", **same, "started_at": at, "at": at,
                             "outcome": ended[0], "reason": ended[1]})  # fmt: skip
        for first in range(0, len(told), PART):
            await self._tell("execution-results", request(0), told[first : first + PART])

    async def close(self) -> None:
        """Leaves folders as of a worker that was stopped, and has heard nothing of its topics."""
        for shard in self._shards.values():
            ledger = shard.ledger
            before = ledger.marker
            marker = Marker(before.sequence, 0, [], before.outbox, before.parts, before.undone)
            local = Local(sent=ledger.sent, written=self.now_ms)
            ledger.store.write([(MARKER, encode(marker)), (LOCAL, encode(local))])
            ledger.close()
        await self._stores.close()


async def fill(folder: Path, fdds: int, midnight_ms: int, partitions: int) -> tuple[int, int]:
    """Makes about so many FDDs of the day that begins at `midnight_ms`; how many campaigns, and how
    many FDDs of the one that had its slot. At the end it is 2 in the morning."""
    filler = Filler(folder, midnight_ms, partitions)
    await filler.open()
    called = min(CALLED, max(10, fdds // 20))
    rows = min(ROWS, max(10, fdds // 20))
    campaigns = 1 + max(1, (fdds - called) // (rows * len(SLOTS)))
    await filler.upload(0, called, ["00:30-01:30"])
    await filler.strike(0, [number(n) for n in range(0, called, 20)])
    await filler.ticks(midnight_ms + HOUR_MS // 2)
    await filler.answer()
    await filler.ticks(midnight_ms + 2 * HOUR_MS)
    for n in range(1, min(campaigns, 1 + FLOWS)):
        await filler.upload(n, rows, SLOTS)
    await filler.close()
    copy(folder, range(1 + FLOWS, campaigns), rows, partitions)
    return campaigns, called


def copy(folder: Path, campaigns: range, rows: int, partitions: int) -> None:
    """Makes these campaigns, each like the one of its flow that is there."""
    for first in range(1, 1 + FLOWS):
        path = shard_of(folder, request(first), partitions)
        store = RocksStore(path, Settings().state_memory_bytes, durable=False)
        made = Copies(store, request(first), _numbers(first))
        mine = [n for n in campaigns if n % FLOWS == first % FLOWS]
        for n in mine:
            made.make(request(n), _numbers(n), n)
        created = len(mine) * rows * len(SLOTS)
        tabs = list(tabs_of(store))
        store.write([(at, added(row, len(mine) * rows, created)) for at, row in tabs])
        store.close()
        copy_documents(
            folder, [(request(first), _numbers(first), request(n), _numbers(n)) for n in mine]
        )


def _numbers(n: int) -> str:
    return number(n // EVERY * PEOPLE)[: -len(str(PEOPLE - 1))]
