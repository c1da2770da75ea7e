"""`sluice bench recovery`: how soon a system goes on with a million sessions, from the changelog
with an empty disk, and with a warm one.

The clock runs from the start of the process until a record appended then to each partition is
committed: imports, joining the group and recovery are all in it, for every system alike.
"""

import asyncio
import json
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

from bench import check
from bench.job import PARTITIONS, fill
from bench.machine import machine
from bench.measure import LOOK_S, NotMeasured, behind, cpu_s, end, peak_mib, started, watch
from bench.stream import Plan, environ_of
from bench.systems import SYSTEMS, System
from config.clock import SystemClock
from config.settings import Settings
from connectors.streams import open_log
from connectors.streams.base import Log
from connectors.streams.murmur2 import partition_for

PER_SESSION = 2  # records an account on average: seven accounts of eight get one
STATE = ("data", "state")  # what a system keeps in its folder


async def bench(plan: Plan) -> dict[str, Any]:
    """Runs the systems one after the other; the report as written to bench/results/."""
    plan.work.mkdir(parents=True, exist_ok=True)
    log = open_log(Settings(stream=f"kafka://{plan.broker}"), SystemClock())
    await log.start()
    results = []
    try:
        for accounts in plan.accounts:
            for name in plan.systems:
                results += await _one(log, plan, SYSTEMS[name], accounts)
                print(json.dumps(results[-1]), flush=True)
    finally:
        await log.stop()
    return {"bench": "recovery", "when": time.strftime("%FT%TZ", time.gmtime()), **machine(),
            "results": results}  # fmt: skip


async def _one(log: Log, plan: Plan, system: System, accounts: int) -> list[dict[str, Any]]:
    count = accounts * PER_SESSION
    group = f"{system.name}-{uuid4().hex[:8]}"
    # of its own: more is appended later
    topic, expected = await fill(log, count, accounts, plan.work, f"recovery-{group}")
    folder = plan.work / "runs" / group
    told: dict[str, Any] = {"system": system.name, "sessions": expected.keys}
    if system.decode is None or system.exits:
        return [told | {"failed": "it keeps no state that outlives it"}]
    environ = await environ_of(log, plan, system, topic, group, folder)
    try:
        await watch(
            log, system.command(plan.jars), environ,
            topic=topic, group=group, count=count, folder=folder, limit_s=plan.limit_s,
            then=system.then(group),
        )  # fmt: skip
        found = await check.totals(log, group, system.decode)
        if found != expected:
            return [told | {"failed": f"totals are wrong: {found}, expected {expected}"}]
        rows = []
        for how in ("warm", "cold"):
            if how == "cold":
                for name in STATE:
                    shutil.rmtree(folder / name, ignore_errors=True)
            command = system.command(plan.jars)
            again = await _again(
                log, plan, command, environ, topic=topic, group=group, then=system.then(group)
            )
            rows.append(told | {"disk": how} | again)
        return rows
    except NotMeasured as error:
        return [told | {"failed": str(error)}]


async def _again(
    log: Log, plan: Plan, command: list[str], environ: Mapping[str, str],
    *, topic: str, group: str, then: str | None,
) -> dict[str, Any]:  # fmt: skip
    """Starts it once more, and ends it when it has taken a record of each partition (with `then`:
    off the stream of its shards, too).
    """
    folder = plan.work / "runs" / group
    began = time.monotonic()
    process = started(command, environ, folder)
    try:
        wanted = await _nudge(log, topic)
        while True:
            found = await log.committed(group, list(wanted))
            taken = all((found[tp] or 0) >= offset for tp, offset in wanted.items())
            if taken and (then is None or not await behind(log, group, then)):
                break
            _check(process, folder, began, plan.limit_s)
            await asyncio.sleep(LOOK_S)
        wall = time.monotonic() - began
        return {
            "wall_s": round(wall, 2),
            "cpu_s": round(cpu_s(process.pid), 2),
            "memory_mib": peak_mib(process.pid),
        }
    finally:
        end(process)


def _check(process: subprocess.Popen[bytes], folder: Path, began: float, limit_s: float) -> None:
    if process.poll() is not None:
        raise NotMeasured(f"ended with {process.returncode}", folder / "log")
    if time.monotonic() - began > limit_s:
        process.send_signal(signal.SIGTERM)
        raise NotMeasured(f"nothing was taken for {limit_s} s", folder / "log")


async def _nudge(log: Log, topic: str) -> dict[tuple[str, int], int]:
    """Appends a record to each partition; the offsets to be committed then."""
    wanted: dict[tuple[str, int], int] = {}
    number = 0
    while len(wanted) < PARTITIONS:
        account = f"nudge-{number}"
        number += 1
        partition = partition_for(account.encode(), PARTITIONS)
        if (topic, partition) in wanted:
            continue
        text = json.dumps({"id": account, "account": account, "bytes": 1, "price": 0.25})
        row = (account.encode(), text.encode(), None, ())
        _, last = await log.append(topic, partition, [row])
        wanted[topic, partition] = last + 1
    return wanted


def run(plan: Plan) -> dict[str, Any]:
    """`bench`, from ordinary code."""
    return asyncio.run(bench(plan))
