"""`sluice bench stream`: J1 on Sluice and its peers (see `bench/job.py`)."""

import asyncio
import json
import os
import subprocess
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from aiokafka.admin import AIOKafkaAdminClient

from bench import check
from bench.job import document, fill
from bench.machine import machine
from bench.measure import LOOK_S, NotMeasured, end, watch
from bench.systems import PEERS, ROOT, SYSTEMS, System
from config.clock import SystemClock
from config.settings import Settings
from connectors.streams import open_log
from connectors.streams.base import Log, TopicSpec


@dataclass(frozen=True)
class Plan:
    """What is run: `records` for the fast systems, at each number of `accounts`."""

    systems: tuple[str, ...]
    records: int
    accounts: tuple[int, ...]
    broker: str
    jars: str
    work: Path
    limit_s: float = 600.0


async def bench(plan: Plan) -> dict[str, Any]:
    """Runs the systems one after the other; the report as written to bench/results/."""
    plan.work.mkdir(parents=True, exist_ok=True)
    log = open_log(Settings(stream=f"kafka://{plan.broker}"), SystemClock())
    await log.start()
    results = []
    try:
        for accounts in plan.accounts:
            for name in plan.systems:
                results.append(await _one(log, plan, SYSTEMS[name], accounts))
                print(json.dumps(results[-1]), flush=True)
    finally:
        await log.stop()
    return {
        "bench": "stream",
        "when": time.strftime("%FT%TZ", time.gmtime()),
        **machine(),
        "results": results,
    }


async def _one(log: Log, plan: Plan, system: System, accounts: int) -> dict[str, Any]:
    count = max(int(plan.records * system.share), 10_000)
    topic, expected = await fill(log, count, accounts, plan.work)
    group = f"{system.name}-{uuid4().hex[:8]}"
    folder = plan.work / "runs" / group
    result: dict[str, Any] = {"system": system.name, "records": count, "accounts": accounts}
    environ = await environ_of(log, plan, system, topic, group, folder)
    try:
        if system.exits:
            return result | _to_its_end(plan, system, environ, folder, count)
        watched = await watch(
            log, system.command(plan.jars), environ,
            topic=topic, group=group, count=count, folder=folder, limit_s=plan.limit_s,
            then=system.then(group),
        )  # fmt: skip
        figures = watched.figures()
    except NotMeasured as error:
        return result | {"failed": str(error)}
    if system.decode is not None:
        found = await check.totals(log, group, system.decode)
        if found != expected:
            return result | {"failed": f"totals are wrong: {found}, expected {expected}"}
    return result | asdict(figures) | {"records": count}


async def environ_of(
    log: Log, plan: Plan, system: System, topic: str, group: str, folder: Path, **more: Any
) -> dict[str, str]:
    """What a system finds in its environment; for Sluice, its document is on `config` then. `more`
    is for `job.document`.
    """
    environ = {
        "BENCH_BROKER": plan.broker,
        "BENCH_TOPIC": topic,
        "BENCH_GROUP": group,
        "BENCH_STATE": str(folder / "state"),
        "PYTHONPATH": f"{ROOT}:{PEERS}",
        "NO_COLOR": "1",
    }
    if system.keyed is not None:
        environ |= {
            "SLUICE_STREAM": f"kafka://{plan.broker}",
            "SLUICE_APP_ID": group,
            "SLUICE_DATA_DIR": str(folder / "data"),
            "SLUICE_WEB_PORT": "0",
        }
        body = document(topic, system.keyed, system.event_id, **more)
        message = {"kind": "aggregator", "name": "j1", "document": body}
        await _empty_config(log, plan.broker)
        await log.append("config", 0, [(b"aggregator/j1", json.dumps(message).encode(), None, ())])
    return environ


async def _empty_config(log: Log, broker: str) -> None:
    """Makes topic `config` afresh: a new group would live through the documents of earlier runs."""
    admin = AIOKafkaAdminClient(bootstrap_servers=broker)
    await admin.start()
    try:
        if "config" in await admin.list_topics():
            await admin.delete_topics(["config"])
        while "config" in await admin.list_topics():
            await asyncio.sleep(LOOK_S)
    finally:
        await admin.close()
    while not await log.ensure_topic(TopicSpec("config", 1, compact=True)):
        await asyncio.sleep(LOOK_S)


def _to_its_end(
    plan: Plan, system: System, environ: dict[str, str], folder: Path, count: int
) -> dict[str, Any]:
    """A system that ends by itself at the end of the topic: its whole process is measured."""
    (folder / "state").mkdir(parents=True)
    env = {**os.environ, **environ}
    prepare = [*system.command(plan.jars)[:1], "-m", "bytewax.recovery", "state", "1"]
    subprocess.run(prepare, env=env, cwd=folder, check=True)
    start = time.monotonic()
    with (folder / "log").open("wb") as sink:
        process = subprocess.Popen(
            ["taskset", "-c", "1", *system.command(plan.jars)],
            env=env, cwd=folder, stdout=sink, stderr=sink,
        )  # fmt: skip
    try:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    finally:
        end(process)
    if process.returncode:
        raise NotMeasured(f"ended with {process.returncode}", folder / "log")
    cpu, wall = usage.ru_utime + usage.ru_stime, time.monotonic() - start
    return {
        "per_cpu_s": round(count / cpu),
        "per_wall_s": round(count / wall),
        "memory_mib": usage.ru_maxrss // 1024,
        "cpu_s": round(cpu, 2),
        "wall_s": round(wall, 2),
        "note": "whole process, totals not read back",
    }


def run(plan: Plan) -> dict[str, Any]:
    """`bench`, from ordinary code."""
    return asyncio.run(bench(plan))
