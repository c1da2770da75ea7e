"""A worker with sinks, killed at random moments, against a webhook that misbehaves, a real
database and a folder: each flush gets to all of them, with one content, into rows and files once.
"""

import asyncio
import json
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from config.clock import SystemClock
from config.settings import Settings
from connectors.streams import open_log
from tests.connectors.sinks.billing import SECRET, Billing, Call, signature
from tests.connectors.sinks.database import database
from tests.faults.process import NoAnswer, Process
from tests.waiting import until

pytestmark = pytest.mark.mysql
PARTITIONS = 2
ROUNDS = 6
ANSWERS: list[Any] = [200, 200, 200, 200, 500, 429, "reset", "took, then reset", "garbage"]
SETTLE_S = 90.0


@contextmanager
def serving(billing: Billing) -> Iterator[None]:
    """The target answers in a thread of its own."""
    loop = asyncio.new_event_loop()
    ended, ready = asyncio.Event(), threading.Event()

    async def serve() -> None:
        async with billing.serve():
            ready.set()
            await ended.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    ready.wait()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join()
        loop.close()


def documents(billing: Billing, table: str, out: Path) -> list[dict[str, Any]]:
    retry = {"first": "10ms", "most": "100ms"}
    several = {"any": [{"field": "meta.count", "op": ">=", "value": 3}]}
    return [
        {
            "kind": "aggregator",
            "name": "calls",
            "group": {"fields": ["account"]},
            "aggregate": [{"field": "n", "operation": "sum"}],
            "flush": {
                "by": "timeout",
                "timeout": {"duration": {"seconds": 2}},
                "conditions": several,
            },
        },
        {
            "kind": "sink",
            "name": "hook",
            "http": {"url": billing.url, "secret": "HOOK", "timeout": "2s"},
            "retry": retry,
        },
        {"kind": "sink", "name": table, "mysql": {"url": "DB", "table": table}, "retry": retry},
        {
            "kind": "sink",
            "name": "files",
            "files": {"path": str(out), "rotate": {"records": 7, "seconds": 1}},
        },
    ]


def flushes(settings: dict[str, str]) -> dict[str, list[bytes]]:
    """id -> what lies on topic `aggregates` under it."""

    async def read() -> dict[str, list[bytes]]:
        found: dict[str, list[bytes]] = {}
        log = open_log(Settings(data_dir=Path(settings["SLUICE_DATA_DIR"])), SystemClock())
        await log.start()
        for partition in range(PARTITIONS):
            at = 0
            while True:
                part = await log.read("aggregates", partition, at)
                if not part.items:
                    break
                for item in part.items:
                    value = item[3] or b""
                    found.setdefault(json.loads(value)["id"], []).append(value)
                at = part.next_offset
        await log.stop()
        return found

    return asyncio.run(read())


def test_kills_lose_nothing_and_repeat_nothing(
    mysql_url: str, unique: Callable[[str], str], tmp_path: Path
) -> None:
    rng = random.Random(7)

    def behave(_call: Call) -> object:
        answer = rng.choice(ANSWERS)
        if answer == 429:
            return web.Response(status=429, headers={"Retry-After": "0"})
        return answer

    billing, table, out = Billing(behave), unique("t").replace("-", "x"), tmp_path / "out"
    settings = {
        "SLUICE_DATA_DIR": str(tmp_path / "data"),
        "SLUICE_PARTITIONS": str(PARTITIONS),
        "SLUICE_COMMIT_INTERVAL_S": "0.2",
        "SLUICE_SESSION_TIMEOUT_S": "2",
        "SLUICE_TEST_ROLES": "route,aggregate,sinks",
        "HOOK": SECRET,
        "DB": mysql_url,
    }
    with serving(billing):
        process = Process(settings, tmp_path / "log")
        try:
            for document in documents(billing, table, out):
                key = f"{document['kind']}/{document['name']}"
                value = json.dumps(
                    {"kind": document["kind"], "name": document["name"], "document": document}
                )
                until(partial(asked, process, "config", [[0, key, value]]), 60)
            for number in range(ROUNDS):
                rows = [
                    [rng.randrange(PARTITIONS), None, json.dumps({"account": f"a{n % 9}", "n": n})]
                    for n in range(number * 60, number * 60 + 60)
                ]
                until(partial(asked, process, "usage", rows), 60)
                threading.Event().wait(rng.uniform(0.05, 1.2))  # a moment nobody chose
                process.kill()
                process = Process(settings, tmp_path / "log")
            until(lambda: settled(process), SETTLE_S)
        finally:
            process.kill()
    check(flushes(settings), billing, mysql_url, table, out)


def asked(process: Process, topic: str, rows: list[Any]) -> bool:
    """Whether the records are on the topic. A worker that starts says no."""
    try:
        return bool(process.ask("append", topic=topic, rows=rows))
    except NoAnswer:
        assert not process.dead, process.log.read_text()[-2000:]
        return False


def settled(process: Process) -> bool:
    """Whether nothing is open and all sinks have everything."""
    try:
        told = process.ask("sinks")
        shards = process.ask("shards")
    except NoAnswer:
        assert not process.dead, process.log.read_text()[-2000:]
        return False
    nothing = {"count": {"open": 0}}
    still = [s["totals"].get("calls", nothing)["count"]["open"] for s in shards.values()]
    unsent = [s["unsent"] + s["unread"] for s in shards.values()]
    return (
        len(shards) == PARTITIONS
        and not any(still)
        and not any(unsent)
        and len(told) == 3 * PARTITIONS
        and not any(told.values())
    )


def check(
    wanted: dict[str, list[bytes]], billing: Billing, url: str, table: str, out: Path
) -> None:
    """Every flush is where it belongs, and nothing else."""
    assert len(wanted) > 60
    assert all(len(set(values)) == 1 for values in wanted.values())
    contents = {one: values[0] for one, values in wanted.items()}
    took: dict[str, set[bytes]] = {}
    for call in billing.calls:
        assert call.headers["webhook-signature"] == signature(call)
    for body in billing.took:
        took.setdefault(json.loads(body)["id"], set()).add(body)
    assert {one: {value} for one, value in contents.items()} == took
    with database(url) as db:
        rows = dict(db.rows(f"SELECT id, record FROM {table}"))
    assert {one: json.loads(value) for one, value in contents.items()} == {
        one: json.loads(text) for one, text in rows.items()
    }
    lines = [
        line for path in sorted(out.glob("*.jsonl")) for line in path.read_bytes().splitlines()
    ]
    assert sorted(lines) == sorted(contents.values())
    assert not list(out.glob(".*.part"))
