"""`sluice bench sessions`: memory with a million open sessions, and what a tick of the clock costs
with none due and with 10,000 due.
"""

import asyncio
import resource
import shutil
import time
from pathlib import Path
from typing import Any

from agents.aggregate import ROUTED, ShardProcessor
from agents.chunks import Chunk
from agents.folds import Folds
from bench.job import document
from config.documents.aggregator import load_aggregator
from config.settings import Settings
from connectors.streams.base import TopicSpec
from connectors.streams.memory import MemoryLog
from domain.aggregation.numbers import canonical_key
from domain.aggregation.rule import compile_rule
from domain.clock import FixedClock
from tables.changes import Output
from tables.shard import Shard
from tables.store import RocksStore

START_MS = 1_700_000_000_000
CHUNK = 10_000
DUE = 10_000
HOUR_MS = 3_600_000


def measure_sessions(sessions: int, work: Path) -> dict[str, Any]:
    """Opens that many sessions in one shard on RocksDB, and ticks."""
    return asyncio.run(_measure(sessions, work / "sessions"))


async def _measure(sessions: int, folder: Path) -> dict[str, Any]:
    shutil.rmtree(folder, ignore_errors=True)
    body = {**document("usage", keyed=False)}
    body["flush"] = {"by": "timeout", "timeout": {"timestamp_field": "until"}}
    rule = compile_rule(load_aggregator(body), 1)
    clock = FixedClock(START_MS)
    log = MemoryLog(clock)
    await log.ensure_topic(TopicSpec("changes", 1))
    sent: list[Output] = []

    async def send(outputs: list[Output]) -> None:
        sent.extend(outputs)

    settings = Settings()
    store = RocksStore(folder, settings.state_memory_bytes, durable=False)
    shard = Shard(0, store, None, lambda _n, _v: rule, send, cache_rows=settings.cache_rows)
    await shard.open()
    processor = ShardProcessor(shard, Folds(lambda _n, _v: rule, lambda _n: rule))
    before = _rss_mib()
    started = time.process_time()
    for first in range(0, sessions, CHUNK):
        groups = []
        for i in range(first, min(first + CHUNK, sessions)):
            due = START_MS + HOUR_MS if i % max(sessions // DUE, 1) else START_MS + 1_000
            values = tuple({"number": 7, "due": due}[item.kind] for item in rule.inputs)
            groups.append((canonical_key((f"acct-{i:09d}",)), [(i, START_MS, values)]))
        chunk = Chunk("usage", 0, rule.name, 1, groups, groups[-1][1][0][0])
        await processor.apply(ROUTED, [chunk])
    opened = time.process_time() - started
    none_due = await _tick(processor, START_MS)
    due = len(shard.due(START_MS + 2_000, sessions))
    some_due = await _tick(processor, START_MS + 2_000)
    result = {
        "sessions": sessions,
        "memory_mib": _rss_mib(),
        "memory_of_sessions_mib": _rss_mib() - before,
        "store_memory_mib": store.memory() >> 20,
        "disk_mib": store.size_bytes() >> 20,
        "opened_per_cpu_s": round(sessions / opened),
        "tick_none_due_ms": none_due,
        "due": due,
        "tick_due_ms": some_due,
        "flushed": len(sent),
    }
    shard.close()
    return {"bench": "sessions", "results": [result]}


async def _tick(processor: ShardProcessor, now_ms: int) -> float:
    started = time.perf_counter()
    await processor.tick([], now_ms)
    return round((time.perf_counter() - started) * 1000, 3)


def _rss_mib() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
