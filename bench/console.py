"""`sluice bench console`: how soon every page and query is answered over 10,000,000 sessions, FDDs
and rows of rollups.

The rows are written into the folders of shards and stores as the rules write them, then a server is
started on them and asked over HTTP, one question after the other (`console_asked.py` has them all).
The totals of what it answers are compared with those of what was written.

To reach: a p95 of 50 ms. On a machine that does other things, too, `cpu_ms` is the figure to go by:
processor time of the server for an answer.
"""

import asyncio
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import console_fdds, console_rollups, console_sessions
from bench.console_asked import ASKED, QUERY, STREAMED
from bench.console_live import get, places, tell
from bench.machine import ROOT, machine
from bench.measure import busy_s, peak_mib, rss_mib

TIMES = 100  # how often each is asked
AT_MOST_S = 20.0  # for one of them
PARTITIONS = 4
HOUR_MS, DAY_MS = 3_600_000, 86_400_000
GOAL_MS = 50
LEAST = 900_000  # rows of rollups: for the eight metrics that are asked for


def run(rows: int, work: Path, times: int = TIMES) -> dict[str, Any]:
    """Makes the rows, asks, and reports p50, p95 and p99 in ms."""
    folder = work / "console"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    midnight_ms = int(time.time() * 1000) // DAY_MS * DAY_MS
    now_ms = midnight_ms + 2 * HOUR_MS  # the slots of the day are to come
    days, campaigns = fill(folder, rows, midnight_ms, now_ms)
    environ = {"SLUICE_CLOCK": f"trial:{_clock(folder, now_ms)}"}
    with (folder / "server.log").open("wb") as out:
        process, port = server(folder, out, PARTITIONS, environ)
        try:
            url = f"http://127.0.0.1:{port}"
            tell(url)
            _check(url, days, rows, now_ms)
            known = places(url, rows, campaigns, _day(now_ms))
            results = list(_asked(url, known, times, process.pid))
            memory = {"memory_mib": peak_mib(process.pid), "at_the_end_mib": rss_mib(process.pid)}
        finally:
            process.terminate()
            process.wait()
    shutil.rmtree(folder)
    return {"bench": "console", "when": time.strftime("%FT%TZ", time.gmtime()), **machine(),
            "rows": rows, **memory, "results": results}  # fmt: skip


def fill(folder: Path, rows: int, midnight_ms: int, now_ms: int) -> tuple[int, int]:
    """Writes about so many rows of each; days of rollups, and campaigns."""
    started = time.monotonic()
    _, days = console_rollups.fill(folder, max(rows, LEAST), now_ms)
    print(f"rollups written in {time.monotonic() - started:.0f} s", flush=True)
    asyncio.run(console_sessions.fill(folder, rows, now_ms, PARTITIONS))
    print(f"sessions written in {time.monotonic() - started:.0f} s", flush=True)
    campaigns, _ = asyncio.run(console_fdds.fill(folder, rows, midnight_ms, PARTITIONS))
    print(f"FDDs written in {time.monotonic() - started:.0f} s", flush=True)
    return days, campaigns


def _clock(folder: Path, now_ms: int) -> Path:
    """The file of a trial clock that runs on from then."""
    at = [datetime.fromtimestamp(ms / 1000, UTC).strftime("%FT%TZ")
          for ms in (now_ms, time.time() * 1000)]  # fmt: skip
    path = folder / "clock"
    path.write_text(f"{at[0]} 1 {at[1]}\n")
    return path


def server(
    folder: Path, out: Any, partitions: int = 1, more: dict[str, str] | None = None
) -> tuple[subprocess.Popen[bytes], int]:
    """One worker with everything, on the rows."""
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = int(held.getsockname()[1])
    environ = {name: v for name, v in os.environ.items() if not name.startswith("SLUICE_")}
    environ |= {"SLUICE_DATA_DIR": str(folder), "SLUICE_WEB_PORT": str(port),
                "SLUICE_PARTITIONS": str(partitions), "PYTHONPATH": str(ROOT)}  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "app.cli", "up", "--no-examples"],
        env=environ | (more or {}), stdout=out, stderr=subprocess.STDOUT,
    )  # fmt: skip
    return process, port


def _day(now_ms: int) -> str:
    return datetime.fromtimestamp(now_ms / 1000, UTC).date().isoformat()


def _check(url: str, days: int, rows: int, now_ms: int) -> None:
    """Raises ValueError when the figures are not those that were written."""
    since = _day(now_ms - (days - 1) * DAY_MS)
    told = json.loads(get(f"{url}{QUERY}&group=repo&from={since}"))
    sums = [sum(point["sum"] or 0 for point in one["points"]) for one in told["series"]]
    wanted = sorted(days * (1 + n) for n in range(console_rollups.SERIES))
    if sorted(sums) != wanted:
        raise ValueError(f"totals of rollups are wrong: {sums}, expected {wanted}")
    counted = json.loads(get(f"{url}/api/aggregators/bench/totals"))
    if not counted["balanced"] or counted["count"]["open"] < rows:
        raise ValueError(f"totals of sessions are wrong: {counted}")
    tabs = json.loads(get(f"{url}/api/campaigns?limit=1"))["tabs"]
    if tabs["pending"] < rows * 0.8:
        raise ValueError(f"tabs of campaigns are wrong: {tabs}")


def _asked(url: str, known: dict[str, str], times: int, pid: int) -> Iterator[dict[str, Any]]:
    for streamed, asked in ((False, ASKED), (True, STREAMED)):
        for addresses in asked.values():
            for address in addresses:
                found = ask(url, address.format(**known), times, pid, streamed)
                if not streamed and found.get("cpu_ms", 0) > GOAL_MS:
                    found["failed"] = f"over {GOAL_MS} ms"
                print(json.dumps(found), flush=True)
                yield found


def ask(url: str, path: str, times: int, pid: int, streamed: bool = False) -> dict[str, Any]:
    """Asks so often, or as often as there is time; of what is streamed, up to the first byte."""
    shown = f"{path} (streamed)" if streamed else path
    try:
        first(url + path) if streamed else get(url + path)
    except urllib.error.HTTPError as error:
        return {"asked": shown, "failed": f"answered with {error.code}"}
    took: list[float] = []
    before, until = busy_s(pid), time.monotonic() + AT_MOST_S
    while len(took) < times and (not took or time.monotonic() < until):
        began = time.perf_counter()
        size = first(url + path) if streamed else len(get(url + path))
        took.append((time.perf_counter() - began) * 1000)
    cpu_ms = (busy_s(pid) - before) * 1000 / len(took)
    took.sort()
    last = len(took) - 1
    marks = {f"p{p}_ms": round(took[min(last, len(took) * p // 100)], 1) for p in (50, 95, 99)}
    return {"asked": shown, **marks, "cpu_ms": round(cpu_ms, 1), "bytes": size}


def first(url: str) -> int:
    """Bytes of the first piece of an answer."""
    with urllib.request.urlopen(url, timeout=60) as response:
        return len(response.read1(1 << 16))
