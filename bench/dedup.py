"""`python -m bench.dedup [IDS] [WORK]`: memory and disk of that many event ids in one shard, and
what a record costs there with ids and without.

The changelog is a stand-in that counts its bytes: the log itself is measured by `sluice bench
stream` (`sluice-dedup`).
"""

import asyncio
import json
import os
import random
import resource
import shutil
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from agents.aggregate import DIRECT, ShardProcessor
from agents.chunks import Chunk
from agents.folds import Folds
from bench.job import document
from bench.machine import machine
from config.documents.aggregator import load_aggregator
from config.settings import Settings
from connectors.streams.base import Slice
from domain.aggregation.numbers import canonical_key
from domain.aggregation.rule import Rule, compile_rule
from tables.changelog import Changelog
from tables.changes import Output
from tables.formats import SHARD
from tables.shard import Shard
from tables.store import RocksStore
from tables.stream import Row

START_MS = 1_700_000_000_000
DAY_MS = 86_400_000
IDS = 10_000_000
ACCOUNTS = 10_000
BATCH = 5_000
WITHOUT = 500_000  # records that the other figure is of


class Counted:
    """A stream that keeps nothing of what is appended."""

    def __init__(self) -> None:
        self.records = self.bytes = 0

    async def append(self, _topic: str, _partition: int, rows: Sequence[Row]) -> tuple[int, int]:
        """Counts the rows."""
        self.records += len(rows)
        self.bytes += sum(len(key or b"") + len(value or b"") for key, value, _, _ in rows)
        return self.records - len(rows), self.records - 1

    async def read(
        self,
        topic: str,
        partition: int,
        offset: int,
        *,
        max_bytes: int = 1 << 20,
        wait_s: float = 0.0,
    ) -> Slice:
        """Nothing is there."""
        return Slice([], offset, self.records)

    async def begin_offsets(self, tps: Iterable[tuple[str, int]]) -> dict[tuple[str, int], int]:
        """Where it begins."""
        return dict.fromkeys(tps, 0)

    async def end_offsets(self, tps: Iterable[tuple[str, int]]) -> dict[tuple[str, int], int]:
        """Where it ends."""
        return dict.fromkeys(tps, self.records)


async def measure(records: int, folder: Path, *, ids: bool) -> dict[str, Any]:
    """Records of one day, spread over it, for one shard."""
    shutil.rmtree(folder, ignore_errors=True)
    rule = compile_rule(load_aggregator(document("usage", keyed=True, event_id=ids)), 1)
    settings = Settings()
    store = RocksStore(folder, settings.state_memory_bytes, durable=False)
    log = Counted()
    changelog = Changelog(log, "changes", 0, "bench", SHARD)

    async def send(_: list[Output]) -> None:
        """No session is due."""

    shard = Shard(
        0, store, changelog, lambda _n, _v: rule, send,
        cache_rows=settings.cache_rows, now_ms=lambda: START_MS,
    )  # fmt: skip
    await shard.open()
    processor = ShardProcessor(shard, Folds(lambda _n, _v: rule, lambda _n: rule))
    spent, memory = 0.0, 0
    for chunk in _chunks(rule, records):
        began = time.process_time()
        await processor.apply(DIRECT, [chunk])
        spent += time.process_time() - began
        memory = max(memory, store.memory())
    shard.close()
    return {
        "event_ids": ids,
        "records": records,
        "us_per_record": round(spent / records * 1e6, 2),
        "changelog_bytes_per_record": round(log.bytes / records),
        "disk_bytes_per_record": round(store.size_bytes() / records, 1),
        "disk_mib": store.size_bytes() >> 20,
        "store_memory_mib": memory >> 20,
        "process_memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10,
    }


def _chunks(rule: Rule, records: int) -> Iterable[Chunk]:
    rnd = random.Random(1)
    keys = [canonical_key((f"acct-{number:06d}",)) for number in range(ACCOUNTS)]
    kinds = [item.kind for item in rule.inputs]
    for at in range(0, records, BATCH):
        groups: dict[bytes, list[Any]] = {}
        upto = min(at + BATCH, records)
        for offset in range(at, upto):
            values = tuple(os.urandom(16) if kind == "event_id" else 7 for kind in kinds)
            entry = (offset, START_MS + offset * DAY_MS // records, values)
            groups.setdefault(rnd.choice(keys), []).append(entry)
        yield Chunk("usage", 0, rule.name, 1, list(groups.items()), upto - 1)


def main(ids: int, work: Path) -> None:
    """Measures and prints JSON."""
    without = asyncio.run(measure(min(ids, WITHOUT), work / "dedup", ids=False))
    with_ids = asyncio.run(measure(ids, work / "dedup", ids=True))
    print(json.dumps({"bench": "dedup", **machine(), "results": [without, with_ids]}, indent=1))


if __name__ == "__main__":
    told = [*sys.argv[1:], *[str(IDS), ".bench"][len(sys.argv) - 1 :]]
    main(int(told[0]), Path(told[1]))
