"""`sluice bench viewers`: what people who watch live pages cost, with nothing else to do.

A server with open sessions is asked for its live pages as event streams, by 20 viewers, and its CPU
time is read: of nobody watching, of all on the Overview, of all on one page of sessions, and of
viewers spread over all live pages. The aim is 5 % of a core.
"""

import json
import shutil
import socket
import threading
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.console import server
from bench.console_live import START_S, get, until_ready
from bench.machine import machine
from bench.measure import cpu_s

VIEWERS = 20
WARM_S = 5.0
PAGES = ("/", "/processes", "/funnel", "/usage", "/sessions?aggregator=bench", "/campaigns",
         "/dashboards", "/impressions", "/configuration", "/dead-letters", "/tables")  # fmt: skip
DOCUMENT: dict[str, Any] = {
    "kind": "aggregator", "name": "bench", "input": "usage", "group": {"fields": ["account"]},
    "aggregate": [{"field": "bytes", "operation": "sum"}],
    "flush": {"by": "timeout", "timeout": {"duration": {"hours": 24}}},
}  # fmt: skip
CASES: dict[str, Sequence[str]] = {
    "nobody": (),
    "20 on the Overview": ["/"] * VIEWERS,
    "20 on sessions": ["/sessions?aggregator=bench"] * VIEWERS,
    "20 over 11 pages": [PAGES[n % len(PAGES)] for n in range(VIEWERS)],
}


def run(sessions: int, work: Path, seconds: float = 20.0) -> dict[str, Any]:
    """Reports percent of a core, and of the part that isn't there with nobody watching."""
    folder = work / "viewers"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with (folder / "server.log").open("wb") as out:
        process, port = server(folder, out)
        try:
            url = f"http://127.0.0.1:{port}"
            _fill(url, sessions)
            results, idle = [], 0.0
            for case, paths in CASES.items():
                percent, events, size = _watched(port, paths, process.pid, seconds)
                idle = idle if paths else percent
                results.append(
                    {
                        "asked": case,
                        "core_percent": round(percent, 2),
                        "more_than_nobody": round(percent - idle, 2),
                        "events_per_s": round(events, 1),
                        "bytes_per_s": round(size),
                    }
                )
        finally:
            process.terminate()
            process.wait()
    return {"bench": "viewers", "when": time.strftime("%FT%TZ", time.gmtime()), **machine(),
            "sessions": sessions, "results": results}  # fmt: skip


def _fill(url: str, sessions: int) -> None:
    until_ready(url)
    deadline = time.monotonic() + START_S
    _send(f"{url}/api/documents/aggregator/bench?wait=30", "PUT", json.dumps(DOCUMENT).encode())
    rows = b"\n".join(b'{"account":"a%d","bytes":%d}' % (n, n) for n in range(sessions))
    _send(f"{url}/api/topics/usage/records", "POST", rows, "application/x-ndjson")
    while True:
        told = json.loads(get(f"{url}/api/aggregators/bench/totals"))
        if told["count"].get("open") == sessions:
            return
        if time.monotonic() > deadline:
            raise ValueError(f"totals are wrong: {told}")
        time.sleep(0.5)


def _send(url: str, method: str, body: bytes, media: str = "application/json") -> None:
    request = urllib.request.Request(url, body, {"Content-Type": media}, method=method)
    with urllib.request.urlopen(request, timeout=120) as response:
        response.read()


class _Viewer(threading.Thread):
    """Reads one stream to its end, and counts."""

    def __init__(self, port: int, path: str) -> None:
        super().__init__(daemon=True)
        self.socket = socket.create_connection(("127.0.0.1", port))
        head = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n\r\n"
        self.socket.sendall(head.encode())
        self.bytes = self.events = 0

    def run(self) -> None:
        """Until the socket is closed."""
        while True:
            try:
                piece = self.socket.recv(1 << 20)
            except OSError:
                return
            if not piece:
                return
            self.bytes += len(piece)
            self.events += piece.count(b"event: ")


def _watched(
    port: int, paths: Sequence[str], pid: int, seconds: float
) -> tuple[float, float, float]:
    """(percent of a core, events a second, bytes a second) of these viewers."""
    viewers = [_Viewer(port, path) for path in paths]
    for viewer in viewers:
        viewer.start()
    time.sleep(WARM_S)
    before, began = cpu_s(pid), time.monotonic()
    had = sum(v.events for v in viewers), sum(v.bytes for v in viewers)
    time.sleep(seconds)
    spent, took = cpu_s(pid) - before, time.monotonic() - began
    events = sum(v.events for v in viewers) - had[0]
    size = sum(v.bytes for v in viewers) - had[1]
    for viewer in viewers:
        if not viewer.is_alive():
            raise ValueError("a stream ended while it was watched")
        viewer.socket.shutdown(socket.SHUT_RDWR)
        viewer.socket.close()
    return 100 * spent / took, events / took, size / took
