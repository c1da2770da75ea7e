"""A week of one source, fetched by a process that is killed with kill -9 again and again."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import threading
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from aiohttp import web

from config.documents.registry import load_document
from config.trial_file import stand
from connectors.archive.archive import Archive
from connectors.files.base import Missing
from connectors.files.local import LocalFiles
from domain.aggregation.instants import print_instant
from domain.metrics.moments import DAY
from domain.metrics.records import key_of
from domain.metrics.source import Source
from tests.agents.sources.weeks import ENVIRON, FIRST
from tests.agents.sources.world import NOW_MS
from tests.connectors.sources.service import Fault, Service
from tests.faults.forked import Nursery
from tests.faults.source_weeks import SECRET, STANDING, Asked, Story, story
from tests.waiting import until

DAY_MS = 86_400_000
DAYS = 7
FAULTS: list[Fault] = [None, None, None, None, None, None, 500, 503, 429, "limit", "drop"]
PATIENCE_S = 120.0
PULSE_S = 0.15  # within which a kill comes behind the request that it waits for
QUIET = (urllib.error.URLError, OSError)  # of a process that is gone, or not there yet


@dataclass
class Figures:
    """What one campaign saw. `inside`: kills that came while a fetch was under way."""

    name: str
    kills: int = 0
    inside: int = 0
    requests: int = 0
    again: list[str] = field(default_factory=list)
    records: int = 0
    pages: int = 0

    def __str__(self) -> str:
        return (
            f"{self.name}: {self.kills} kills ({self.inside} inside a fetch), "
            f"{self.requests} requests, {len(self.again)} of them for what was archived, "
            f"{self.pages} pages, {self.records} records counted once"
        )


@contextmanager
def serving(service: Service) -> Iterator[asyncio.AbstractEventLoop]:
    """The service answers in a thread of its own; its loop."""
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
        yield loop
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join()
        loop.close()


class Campaign:
    """See the module. `play` returns what it saw, when everything is as it must be."""

    def __init__(self, name: str, seed: int, folder: Path, kills: int, nursery: Nursery) -> None:
        self.rng = random.Random(f"{name} {seed}")
        self.story: Story = story(name, self.rng, (self.rng.choice(FAULTS) for _ in range(200)))
        self.figures = Figures(name)
        self._nursery, self._folder, self._kills = nursery, folder, kills
        self._data, self._log, self._clock = folder / "data", folder / "up.log", folder / "clock"
        self._archive = Archive(LocalFiles(self._data / "archive"))
        self._pid, self._now_ms = 0, NOW_MS - DAY_MS
        self._wait = -1  # requests until the kill is due; below 0 none is
        self._loop: asyncio.AbstractEventLoop

    def play(self) -> Figures:
        """The week."""
        self._data.mkdir(parents=True)
        self._tell_time()
        self.story.begin(self._data)
        self.story.service.arrived = self._arrived
        outages = set(self.rng.sample(range(1, DAYS - 1), 2))
        with serving(self.story.service) as self._loop:
            try:
                self._begin()
                self._ask("PUT", "/api/documents/source/s?wait=60", self._document())
                for number in range(DAYS):
                    self._day(FIRST + number * DAY, number in outages, number)
                until(self._is_counted, PATIENCE_S, "everything is counted")
            finally:
                if self._pid:
                    self._kill()
        self._check()
        return self.figures

    def _day(self, day: date, outage: bool, number: int) -> None:
        left = self._kills - self.figures.kills
        share = left if number == DAYS - 1 else min(left, -(-left // (DAYS - number)) + 1)
        if outage and self._pid and share:
            self._kill()
            share -= 1
        if not (outage and self.figures.name in STANDING):
            self._on_loop(lambda: self.story.happen(day))
        if outage:
            self._now_ms += DAY_MS
            self._tell_time()
            return
        for turn in range(share):
            self._wait = self.rng.choice([0, 0, 0, 1, 1, 2, 4])
            if turn == 0:
                self._now_ms += DAY_MS
                self._tell_time()
            self._live_until_killed()
        if share == 0:
            self._now_ms += DAY_MS
            self._tell_time()
        self._wait = -1
        if not self._pid:
            self._begin()
        self._serve()
        until(self._is_fetched, PATIENCE_S, "the day is fetched")

    def _live_until_killed(self) -> None:
        """One life: it ends at a request, some moments behind it, or when all is done."""
        if not self._pid:
            self._begin()
        if self.story.behind is None:  # nothing is asked of the service: any moment
            self._kill_soon()
        try:
            self._serve()
            until(lambda: self._is_gone() or self._is_fetched(), PATIENCE_S, "it goes on")
        except QUIET:
            until(self._is_gone, PATIENCE_S, "it is killed")
        if self._is_gone():
            self.figures.inside += 1
            self._bury()
        else:
            self._wait = -1
            self._kill()

    # The process

    def _begin(self) -> None:
        settings = {
            **ENVIRON, "HOOK": SECRET, "SLUICE_DATA_DIR": str(self._data), "SLUICE_WEB_PORT": "0",
            "SLUICE_CLOCK": f"trial:{self._clock}", "SLUICE_PARTITIONS": "1",
        }  # fmt: skip
        self._log.write_text("")
        self._pid = self._nursery.begin(settings, self._log)
        until(lambda: self._url() or self._is_gone(), PATIENCE_S, "the server serves")

    def _url(self) -> str:
        text = self._log.read_text()
        found = [line for line in text.splitlines(keepends=True) if "console on" in line]
        return found[0].split()[-1] if found and found[0].endswith("\n") else ""

    def _is_gone(self) -> bool:
        state = Path(f"/proc/{self._pid}/stat").read_text().rpartition(")")[2].split()[0]
        return state == "Z"

    def _kill(self) -> None:
        os.kill(self._pid, signal.SIGKILL)
        self._bury()

    def _bury(self) -> None:
        pid, self._pid = self._pid, 0  # from now on its number may be another's
        assert self._nursery.buried(pid) == signal.SIGKILL, self._log.read_text()
        self.figures.kills += 1

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(self._url() + path, data, headers, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read() or b"null")

    def _serve(self) -> None:
        """Pushes what is to be pushed."""
        if self._url():
            self.story.push(self._url())

    def _is_fetched(self) -> bool:
        """Whether the fetch of the day is over, as the process tells."""
        found = self._ask("GET", "/api/metrics/sources/s")
        if self.figures.name == "Hooks":
            return self._count() == self.story.records()
        return bool(found["last_fetch"] == print_instant(self._now_ms) and not found["running"])

    # Time and the service

    def _tell_time(self) -> None:
        stand(self._clock, self._now_ms, 0)

    def _on_loop(self, work: Any) -> None:
        async def run() -> None:
            work()

        asyncio.run_coroutine_threadsafe(run(), self._loop).result()

    def _arrived(self, request: web.Request, body: bytes) -> None:
        self.figures.requests += 1
        if self.story.behind is not None and not request.path.endswith("/token"):
            asked = Asked(
                request.path, dict(request.query), dict(request.headers), body, self._now_ms
            )
            cursor = self._archived_cursor()
            if cursor is not None and self.story.behind(asked, cursor):
                self.figures.again.append(f"{asked} behind {cursor}")
        if self._wait == 0:
            self._kill_soon()
        self._wait = max(-1, self._wait - 1)

    def _archived_cursor(self) -> dict[str, Any] | None:
        while True:
            try:
                newest = self._archive.newest("s")
            except Missing:
                continue  # taken back by who recovers
            return None if newest is None else newest[1]

    def _kill_soon(self) -> None:
        """Now, or within a moment; some come between the answer and its page."""
        pid = self._pid
        delay_s = self.rng.choice([0.0, 0.0, self.rng.random() / 30, self.rng.random() * PULSE_S])
        self._loop.call_soon_threadsafe(self._loop.call_later, delay_s, self._shoot, pid)

    def _shoot(self, pid: int) -> None:
        if pid == self._pid:
            os.kill(pid, signal.SIGKILL)

    # What came of it

    def _document(self) -> dict[str, Any]:
        url = self.story.service.url
        counter = {"type": "counter"}
        document = {
            "kind": "source", "name": "s", "schedule": "0 0 * * *", "base_url": url,
            "retry": {"times": 20, "first": "1ms", "most": "5ms"}, **self.story.document,
            "metrics": [{"name": "t.records", "value": 1, **counter},
                        {"name": "t.figure", "value": self.story.figure, **counter}],
        }  # fmt: skip
        if "csv" in document.get("fetch", {}):
            document["fetch"] = {**document["fetch"], "csv": f"{url}/ranks.csv"}
        without = {"Rankings", "Hooks", "Impressions"}
        if self.figures.name in without:
            del document["base_url"]
        return {key: value for key, value in document.items() if value is not None}

    def _sum(self, metric: str) -> float:
        found = self._ask(
            "GET", f"/api/metrics/query?metric={metric}&grain=year&from=2023-01-01&to=2024-01-01"
        )
        return sum(p["value"] or 0 for one in found["series"] for p in one["points"])

    def _count(self) -> int:
        return int(self._sum("t.records"))

    def _is_counted(self) -> bool:
        """Whether the rollups tell what the oracle does."""
        found = self._count(), self._sum("t.figure")
        wanted = self.story.records(), self.story.figures()
        assert found == wanted, f"counted {found}, to be {wanted}"
        return True

    def _check(self) -> None:
        figures, week = self.figures, self.story.week
        source = load_document(self._document())
        assert isinstance(source, Source)
        archived = sorted(self._archive.records("s"), key=lambda each: each.version)
        newest: dict[str, dict[str, Any]] = {}
        for each in archived:
            key = key_of(source.mapping, each.record.ts_ms, each.record.attributes)
            newest[key] = {**each.record.attributes, "ts": each.record.ts_ms}
        figures.records = len(newest)
        figures.pages = len({each.version >> 24 for each in archived})
        assert figures.again == [], figures.again[:3]
        assert len(newest) == self.story.records()
        if week is not None:
            told = [week.told(key, record) for key, record in newest.items()]
            assert dict(each for each in told if each is not None) == week.want
        if week is None or week.once:
            contents = Counter(repr(each.record) for each in archived)
            for each in archived:
                most = self.story.most(each.record.attributes)
                assert contents[repr(each.record)] <= most, f"archived again: {each}"
        assert figures.kills == self._kills + 1  # the last one ends the campaign
