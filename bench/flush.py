"""`sluice bench flush`: J2, the job of `stream` with each session flushed a fixed time after its
first record; Kafka Streams does it with an index of its own and a punctuator.

Records are a millisecond apart by their timestamps, and a session lives for as many milliseconds as
there are accounts: about six accounts of ten are open at any time, and a session gets two records.
What was flushed and what is still open must add up to what was put in.
"""

import asyncio
import json
import struct
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any
from uuid import uuid4

from bench import check
from bench.job import Expected, fill
from bench.machine import machine
from bench.measure import NotMeasured, watch
from bench.stream import Plan, environ_of
from bench.systems import SYSTEMS
from config.clock import SystemClock
from config.settings import Settings
from connectors.streams import open_log
from connectors.streams.base import Log, TopicSpec

LEAST_MS = 10_000  # a session lives for so long at least
Sums = tuple[int, int, float]
"""(records, sum of bytes, sum of price)"""


@dataclass(frozen=True)
class Flusher:
    """A system: the command, how it is told of sessions, and how what it sends is read."""

    command: Callable[[str], list[str]]
    flushed: Callable[[bytes], Sums]
    open: check.Decode
    keyed: bool | None = None


def _sluice(value: bytes) -> Sums:
    values = json.loads(value)["values"]
    return values["count"], values["sum_bytes"], values["sum_price"]


def _packed(value: bytes) -> Sums:
    size, _, count, price = struct.unpack_from(">qqqd", value)
    return count, size, price


def _held(key: bytes, value: bytes) -> check.State | None:
    return check.packed(key, value) if len(value) == 40 else None


FLUSHERS = {
    "sluice": Flusher(SYSTEMS["sluice"].command, _sluice, check.sluice, keyed=True),
    "sluice-routed": Flusher(SYSTEMS["sluice"].command, _sluice, check.sluice, keyed=False),
    "kstreams": Flusher(
        lambda jars: ["java", "-Xms1g", "-Xmx1g", "-cp", jars, "KStreamsFlush"], _packed, _held
    ),
}


async def bench(plan: Plan) -> dict[str, Any]:
    """Runs the systems one after the other; the report as written to bench/results/."""
    plan.work.mkdir(parents=True, exist_ok=True)
    log = open_log(Settings(stream=f"kafka://{plan.broker}"), SystemClock())
    await log.start()
    results = []
    try:
        for accounts in plan.accounts:
            for name in plan.systems:
                results.append(await _one(log, plan, name, accounts))
                print(json.dumps(results[-1]), flush=True)
    finally:
        await log.stop()
    return {"bench": "flush", "when": time.strftime("%FT%TZ", time.gmtime()), **machine(),
            "results": results}  # fmt: skip


async def _one(log: Log, plan: Plan, name: str, accounts: int) -> dict[str, Any]:
    flusher, system = FLUSHERS[name], SYSTEMS[name]
    count, lives_ms = plan.records, max(accounts, LEAST_MS)
    topic, expected = await fill(
        log, count, accounts, plan.work, f"timed-{count}-{accounts}", every_ms=1
    )
    group = f"flush-{name}-{uuid4().hex[:8]}"
    out = f"bills-{group}"
    await log.ensure_topic(TopicSpec(out, 4))
    folder = plan.work / "runs" / group
    result: dict[str, Any] = {"system": name, "records": count, "accounts": accounts}
    environ = await environ_of(log, plan, system, topic, group, folder, lives_ms=lives_ms, out=out)
    environ |= {"BENCH_OUT": out, "BENCH_FLUSH_MS": str(lives_ms)}
    try:
        watched = await watch(
            log, flusher.command(plan.jars), environ,
            topic=topic, group=group, count=count, folder=folder, limit_s=plan.limit_s,
            then=system.then(group),
        )  # fmt: skip
        figures = watched.figures()
    except NotMeasured as error:
        return result | {"failed": str(error)}
    flushes, sums = await _sent(log, out, flusher.flushed)
    left = await check.totals(log, group, flusher.open)
    found = _added(sums, left)
    if found != (expected.count, expected.bytes, expected.price):
        return result | {"failed": f"totals are wrong: {found}, expected {expected}"}
    return result | asdict(figures) | {"records": count, "flushes": flushes, "open": left.keys}


def _added(sums: Sums, left: Expected) -> Sums:
    return sums[0] + left.count, sums[1] + left.bytes, sums[2] + left.price


async def _sent(log: Log, topic: str, read: Callable[[bytes], Sums]) -> tuple[int, Sums]:
    """How many flushes there are, and what they add up to."""
    number, count, size, price = 0, 0, 0, 0.0
    for partition in range((await log.topics())[topic]):
        offset = 0
        while True:
            part = await log.read(topic, partition, offset, max_bytes=4 << 20)
            for _, _, _, value, _ in part.items:
                more, bytes_, money = read(value or b"")
                number, count, size, price = number + 1, count + more, size + bytes_, price + money
            if part.next_offset >= part.end_offset or part.next_offset <= offset:
                break
            offset = part.next_offset
    return number, (count, size, price)


def run(plan: Plan) -> dict[str, Any]:
    """`bench`, from ordinary code."""
    return asyncio.run(bench(plan))
