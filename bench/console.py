"""`sluice bench console`: how soon dashboards and their queries are answered over 10,000,000 rows
of rollups.

The rows are written into a shard's folder as the rules write them, then a server is started on it
and asked over HTTP, one question after the other. The totals of what it answers are compared with
those of what was written.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from math import ceil
from pathlib import Path
from typing import Any

from bench.machine import ROOT, machine
from bench.measure import cpu_s, peak_mib
from config.settings import Settings
from domain.metrics.grains import GRAINS, Grain, buckets
from domain.metrics.partials import Partial
from domain.metrics.rolling import cube_bytes
from domain.metrics.series import Series, cube_key, encode, series_id, series_key
from tables.layout import encode as pack
from tables.ledger_layout import LOCAL, ROW, Local
from tables.store import RocksStore

SERIES = 12  # of a metric: what one dashboard compares
YEARS = 5
DAY_MS = 86_400_000
HOURS = 256  # days that have rows by hour: with the five years 8,300 rows a series
PIECE = 20_000  # rows in a write batch
TIMES = 100  # how often each is asked
START_S = 120.0
LOOK_S = 0.2

WIDGETS: list[dict[str, Any]] = [
    {"type": "line", "metric": "bench.m0", "group": ["repo"]},
    {"type": "bar", "metric": "bench.m1", "grain": "week", "range": "182d", "overlay": "year"},
    {"type": "pie", "metric": "bench.m2", "group": ["repo"], "grain": "month", "range": "90d"},
    {"type": "number", "metric": "bench.m3", "overlay": "month"},
    {"type": "table", "metric": "bench.m4", "grain": "month", "range": "365d", "group": ["repo"]},
    {"type": "line", "metric": "bench.m5", "grain": "hour", "range": "48h", "overlay": "week"},
]
BOARD = {"kind": "dashboard", "name": "bench", "title": "Bench", "widgets": WIDGETS}
QUERY = "/api/metrics/query?metric=bench.m7"
ASKED = {
    "dashboard as JSON": "/api/metrics/dashboards/bench",
    "dashboard page": "/dashboards/bench",
    "widget as CSV": "/api/metrics/dashboards/bench/widgets/0.csv",
    "query, 30 days": QUERY,
    "query, 30 days by series": f"{QUERY}&group=repo",
    "query, 30 days by series over the year before": f"{QUERY}&group=repo&overlay=year",
    "query, 5 years by month by series": f"{QUERY}&group=repo&grain=month&from=2020-01-01",
    "query, one series by hour": f"{QUERY}&grain=hour&where.repo=acme/r3",
    "list of dashboards": "/dashboards",
}


def run(rows: int, work: Path, times: int = TIMES) -> dict[str, Any]:
    """Makes the rows, asks, and reports p50, p95 and p99 in ms."""
    folder = work / "console"
    shutil.rmtree(folder, ignore_errors=True)
    now_ms = int(time.time() * 1000)
    started = time.monotonic()
    written, days = fill(folder, rows, now_ms)
    print(f"{written:,} rows written in {time.monotonic() - started:.0f} s", flush=True)
    with (folder / "server.log").open("wb") as out:
        process, port = server(folder, out)
        try:
            url = f"http://127.0.0.1:{port}"
            _apply(url)
            _check(url, days)
            results = [_ask(url, name, path, times, process.pid) for name, path in ASKED.items()]
            memory = peak_mib(process.pid)
        finally:
            process.terminate()
            process.wait()
    return {"bench": "console", "when": time.strftime("%FT%TZ", time.gmtime()), **machine(),
            "rows": written, "memory_mib": memory, "results": results}  # fmt: skip


def fill(folder: Path, rows: int, now_ms: int) -> tuple[int, int]:
    """Writes about so many rows; how many, and how many days up to now each series has."""
    settings = Settings(data_dir=folder)
    spans = _spans(now_ms)
    each = sum(map(len, spans.values())) + 1
    store = RocksStore(folder / "tables" / settings.app_id / "rollups-0",
                       settings.state_memory_bytes, durable=False)  # fmt: skip
    held: list[tuple[bytes, bytes]] = []
    written = 0
    for n in range(ceil(rows / each)):
        for row in _rows(n, spans):
            held.append(row)
            if len(held) == PIECE:
                store.write(held)
                written += len(held)
                held.clear()
    # without it the worker takes the rows for the rest of a recovery and begins anew
    store.write([*held, (LOCAL, pack(Local(written=now_ms)))])
    store.flush()
    store.close()
    return written + len(held), len(spans["day"])


def _spans(now_ms: int) -> dict[Grain, list[int]]:
    """The starts of the buckets that each series has, by grain."""
    first = now_ms - YEARS * 365 * DAY_MS
    return {
        grain: [start for start, _ in buckets(grain, "UTC", begin, now_ms, 1_000_000)]
        for grain in GRAINS
        for begin in [now_ms - HOURS * DAY_MS if grain == "hour" else first]
    }


def _rows(n: int, spans: dict[Grain, list[int]]) -> Iterator[tuple[bytes, bytes]]:
    series = Series(f"bench.m{n // SERIES}", "counter", {"repo": f"acme/r{n % SERIES}"}, "UTC")
    ident = series_id(series.metric, series.dimensions)
    yield ROW + series_key(series.metric, ident), encode(series)
    for grain, starts in spans.items():
        for start in starts:
            partial = Partial()
            partial.add(start, 1, 1)
            partial.add(start + 1, 1, n % SERIES)
            yield ROW + cube_key(ident, grain, start), cube_bytes(1, partial)


def server(folder: Path, out: Any) -> tuple[subprocess.Popen[bytes], int]:
    """One worker with everything, on the rows."""
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = int(held.getsockname()[1])
    environ = {name: v for name, v in os.environ.items() if not name.startswith("SLUICE_")}
    environ |= {"SLUICE_DATA_DIR": str(folder), "SLUICE_WEB_PORT": str(port),
                "SLUICE_PARTITIONS": "1", "PYTHONPATH": str(ROOT)}  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "app.cli", "up", "--no-examples"],
        env=environ, stdout=out, stderr=subprocess.STDOUT,
    )  # fmt: skip
    return process, port


def until_ready(url: str) -> None:
    """Returns when the server does its work."""
    deadline = time.monotonic() + START_S
    while True:
        try:
            get(url + "/health/ready")
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(LOOK_S)


def _apply(url: str) -> None:
    until_ready(url)
    body = json.dumps(BOARD).encode()
    request = urllib.request.Request(
        f"{url}/api/documents/dashboard/bench?wait=30", body,
        {"Content-Type": "application/json"}, method="PUT",
    )  # fmt: skip
    with urllib.request.urlopen(request) as response:
        response.read()


def _check(url: str, days: int) -> None:
    """Raises ValueError when the figures are not those that were written."""
    since = datetime.fromtimestamp(time.time() - (days - 1) * 86_400, UTC).date()
    told = json.loads(get(f"{url}{QUERY}&group=repo&from={since}"))
    sums = [sum(point["sum"] or 0 for point in one["points"]) for one in told["series"]]
    wanted = sorted(days * (1 + n) for n in range(SERIES))
    if sorted(sums) != wanted:
        raise ValueError(f"totals are wrong: {sums}, expected {wanted}")


def _ask(url: str, name: str, path: str, times: int, pid: int) -> dict[str, Any]:
    get(url + path)
    took: list[float] = []
    before = cpu_s(pid)
    for _ in range(times):
        began = time.perf_counter()
        size = len(get(url + path))
        took.append((time.perf_counter() - began) * 1000)
    took.sort()
    cpu_ms = (cpu_s(pid) - before) * 1000 / times
    marks = {f"p{p}_ms": round(took[min(times - 1, times * p // 100)], 1) for p in (50, 95, 99)}
    return {"asked": name, **marks, "cpu_ms": round(cpu_ms, 1), "bytes": size}


def get(url: str) -> bytes:
    """The body of an answer."""
    with urllib.request.urlopen(url, timeout=60) as response:
        found: bytes = response.read()
        return found
