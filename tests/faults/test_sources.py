"""A worker that is killed with kill -9 while it fetches: no page is asked for again once it was
archived, and every record is archived once."""

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from connectors.archive.archive import Archive
from connectors.files.local import LocalFiles
from tests.connectors.sources.service import Items
from tests.waiting import until

ROOT = Path(__file__).resolve().parents[2]
START_S = 60.0
RECORDS = 3_000
PAGE = 20


class Slow(Items):
    """Some of its answers fail, and it tells when a page is asked for that was archived."""

    def __init__(self, archive: Archive, rng: random.Random) -> None:
        super().__init__(rng.choice([None, None, None, None, 500, "drop"]) for _ in range(10**6))
        self.items = [
            {"id": n, "at": 1_700_000_000_000 + n * 60_000} for n in range(1, RECORDS + 1)
        ]
        self.again: list[str] = []
        self._archive = archive
        self.known: set[str] = set()
        self.seen = lambda keys: self.again.extend(key for key in keys if key in self.known)

    def look(self) -> int:
        """Notes what is archived now; how much it is."""
        self.known |= {str(each.record.attributes["id"]) for each in self._archive.records("s")}
        return len(self.known)


@contextmanager
def serving(service: Slow) -> Iterator[None]:
    """The service answers in a thread of its own."""
    loop = asyncio.new_event_loop()
    ended, ready = asyncio.Event(), threading.Event()

    async def serve() -> None:
        async with service.serve():
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


class Server:
    """`sluice up` on a folder; killed by its own id."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._out = folder / "up.log"
        environ = {k: v for k, v in os.environ.items() if not k.startswith("SLUICE_")}
        settings = {"SLUICE_DATA_DIR": str(folder / "data"), "SLUICE_WEB_PORT": "0"}
        with self._out.open("wb") as out:
            command = [sys.executable, "-m", "app.cli", "up", "--no-examples"]
            self.process = subprocess.Popen(
                command, cwd=ROOT, env=environ | settings, stdout=out, stderr=subprocess.STDOUT
            )
        until(self._url, START_S, "the server serves")

    def _url(self) -> str:
        assert self.process.poll() is None, self._out.read_text()
        words = self._out.read_text().split()
        return next((word for word in words if word.startswith("http://")), "")

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(self._url() + path, data, headers, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read() or b"null")

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


@pytest.mark.faults
def test_kill_9_while_fetching_loses_no_page_and_asks_for_none_again(tmp_path: Path) -> None:
    rng = random.Random(7)
    archive = Archive(LocalFiles(tmp_path / "data" / "archive"))
    service = Slow(archive, rng)
    kills = 0
    with serving(service):
        document = {
            "connector": "http_json", "schedule": "0 0 1 1 *", "base_url": service.url,
            "retry": {"times": 20, "first": "1ms", "most": "5ms"},
            "fetch": {"path": "/items", "params": {"limit": PAGE}, "records": "items", "key": "id",
                      "ts": "at", "paging": {"next": "next", "param": "after"},
                      "cursor": {"field": "id", "param": "after"}},
        }  # fmt: skip
        while service.look() < RECORDS:
            server = Server(tmp_path)
            try:
                if kills == 0:
                    server.ask("PUT", "/api/documents/source/s?wait=30", document)
                until(lambda server=server: server.ask("POST", "/api/metrics/sources/s/fetch"), 30)  # type: ignore[misc]  # the loop's
                wanted = min(RECORDS, service.look() + rng.randrange(100, 500))
                until(lambda wanted=wanted: service.look() >= wanted, 60)  # type: ignore[misc]  # the loop's
            finally:
                server.kill()
            kills += 1
        service.look()
        archived = [str(each.record.attributes["id"]) for each in archive.records("s")]
    assert kills >= 6
    assert service.again == []
    assert sorted(archived) == sorted(str(n) for n in range(1, RECORDS + 1))
