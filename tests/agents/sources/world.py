"""A worker's sources on a log in memory and a folder: killed at any step, and begun again."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agents.collect import CollectMeans, Collector
from agents.fetching import Fetcher
from config.documents.registry import load_document
from config.names import Names
from connectors.archive.archive import Archive, Archived
from connectors.files.base import Found, Writing
from connectors.files.local import LocalFiles
from connectors.outbound import Outbound
from connectors.streams.memory import Killed, MemoryLog
from domain.aggregation.flush import to_json
from domain.clock import FixedClock
from domain.metrics.records import decode, key_of
from domain.metrics.source import Source
from tables.documents import Documents, Version, version_change

NAMES = Names("sluice")
LANES = 2
NOW_MS = 1_700_000_000_000 // 3_600_000 * 3_600_000
PATIENCE_S = 60.0


class MortalFiles(LocalFiles):
    """A folder whose n-th change ends the process, before (even) or after (odd) it is done."""

    def __init__(self, root: Path, kills: set[int]) -> None:
        super().__init__(root)
        self._kills = kills
        self._count = itertools.count()
        self.armed = True

    def _risk(self, work: Callable[[], Any]) -> Any:
        number = next(self._count) if self.armed else -1
        if number in self._kills and number % 2 == 0:
            raise Killed(f"before change {number}")
        found = work()
        if number in self._kills:
            raise Killed(f"after change {number}")
        return found

    def write(self, name: str) -> Any:
        return _MortalWriting(super().write(name), self._risk)

    def remove(self, name: str, tag: str | None = None) -> None:
        self._risk(lambda: super(MortalFiles, self).remove(name, tag))

    def settle(self) -> None:
        """The whole machine's disk is not the test's."""
        self._risk(lambda: None)


class _MortalWriting:
    def __init__(self, inner: Writing, risk: Callable[[Callable[[], Any]], Any]) -> None:
        self._inner, self._risk = inner, risk

    def write(self, piece: bytes | memoryview, /) -> None:
        self._inner.write(piece)

    def place(self) -> Found:
        found: Found = self._risk(self._inner.place)
        return found

    def drop(self) -> None:
        self._inner.drop()


@dataclass
class World:
    """What outlives a kill. `append_kills`: numbers of appends that end the process, with how many
    rows of them survive; `step_kills`: of steps of pages; `file_kills`: of changes of files."""

    folder: Path
    append_kills: dict[int, int] = field(default_factory=dict)
    step_kills: set[int] = field(default_factory=set)
    file_kills: set[int] = field(default_factory=set)
    environ: dict[str, str] = field(default_factory=dict)
    clock: FixedClock = field(default_factory=lambda: FixedClock(NOW_MS))
    kills: int = 0
    ever: set[tuple[str, str]] = field(default_factory=set)
    """(source, key) of what was in the archive, whole, at any time"""

    def __post_init__(self) -> None:
        self._appends, self._steps = itertools.count(), itertools.count()
        self._lives = itertools.count()
        self.log = MemoryLog(self.clock)
        topics = ("source-events", NAMES.changelog("sources"), NAMES.deliveries)
        self.log.counts = dict.fromkeys(topics, LANES)
        self.documents = Documents()
        self.files = MortalFiles(self.folder / "archive", self.file_kills)
        self.archive = Archive(self.files)

    def apply(self, **document: Any) -> None:
        """Puts a source in force."""
        body = {"kind": "source", "retry": {"first": "1ms", "most": "5ms"}, **document}
        name = load_document(body).name
        revision = self.documents.revision + 1
        text = to_json(body).decode()
        now = self.clock.now_ms()
        version = Version("source", name, revision, text, "", "", now, (0, revision), revision)
        self.documents.take([version_change(version)])

    def _survives(self, _topic: str, count: int) -> int:
        lasting = self.append_kills.pop(next(self._appends), None)
        return count if lasting is None else min(lasting, count - 1)

    def _step(self, _step: int) -> None:
        number = next(self._steps)
        if number in self.step_kills:
            raise Killed(f"at step {number}")

    async def fetch(self, name: str, **asked: Any) -> str:
        """Asks for a fetch until one has ended; its state and detail."""
        while True:
            told = await self._one_life(name, asked)
            if told is not None:
                return told
            self.kills += 1
            self.look()

    async def until(self, good: Callable[[Collector], bool]) -> None:
        """Lives until that."""
        while await self._one_life(None, {}, good) is None:
            self.kills += 1
            self.look()

    def look(self) -> set[tuple[str, str]]:
        """Notes what is archived now, under the keys of the documents."""
        for name in self.archive.sources():
            self.ever |= {(name, key) for key in self.newest(name)}
        return self.ever

    async def _one_life(
        self,
        name: str | None,
        asked: dict[str, Any],
        good: Callable[[Collector], bool] = lambda _c: False,
    ) -> str | None:
        failed: list[BaseException] = []
        self.log.survives = self._survives
        self.files.armed = True
        means = CollectMeans(
            log=self.log, names=NAMES, clock=self.clock, documents=self.documents,
            worker=f"w{next(self._lives)}", outbound=Outbound(loopback=True),
            environ=self.environ, archive=self.archive, fail=failed.append,
            on_step=self._step,
        )  # fmt: skip
        collector = Collector(means)
        deadline = asyncio.get_running_loop().time() + PATIENCE_S
        told = None
        try:
            await collector.assign(set(range(LANES)))
            job = None
            while not failed and told is None:
                assert asyncio.get_running_loop().time() < deadline, "it takes too long"
                await collector.reconcile()
                if name is not None and job is None:
                    fetcher = collector.fetcher(name)
                    assert fetcher is not None, [x.impossible for x in collector.owned.values()]
                    job = fetcher.ask(**asked)
                if job is not None and job.done.is_set():
                    told = f"{job.state}: {job.detail}" if job.detail else job.state
                elif good(collector):
                    told = "good"
                else:
                    await _breath()
        except Killed as killed:
            failed.append(killed)
        self.log.survives = lambda _topic, count: count
        self.files.armed = False
        await collector.close()
        for error in failed:
            if not isinstance(error, Killed):
                raise error
        return None if failed else told

    # What came of it

    def source(self, name: str) -> Source:
        version = self.documents.version_at("source", name, self.documents.revision)
        assert version is not None
        found = load_document(json.loads(version.document or ""))
        assert isinstance(found, Source)
        return found

    def archived(self, name: str) -> list[Archived]:
        """Every record of the archive, in the order of versions."""
        found = self.archive.records(name)
        return sorted(found, key=lambda each: each.version)

    def newest(self, name: str) -> dict[str, dict[str, Any]]:
        """By key, the attributes that count, and `ts`."""
        mapping = self.source(name).mapping
        found: dict[str, dict[str, Any]] = {}
        for each in self.archived(name):
            record = each.record
            key = key_of(mapping, record.ts_ms, record.attributes)
            found[key] = {**record.attributes, "ts": record.ts_ms}
        return found

    def events(self, name: str) -> dict[str, dict[str, Any]]:
        """By key, attributes and `ts` of the event with the highest version; each has one
        content."""
        contents: dict[int, bytes] = {}
        newest: dict[str, tuple[int, dict[str, Any]]] = {}
        for lane in range(LANES):
            for row in self.log.rows.get(("source-events", lane), []):
                record = decode(row[3] or b"")
                if record.source != name:
                    continue
                assert contents.setdefault(record.version, row[3] or b"") == row[3]
                if record.version >= newest.get(record.key, (-1, {}))[0]:
                    newest[record.key] = record.version, {**record.attributes, "ts": record.ts}
        return {key: found for key, (_, found) in newest.items()}

    def fetcher_of(self, collector: Collector, name: str) -> Fetcher:
        found = collector.fetcher(name)
        assert found is not None
        return found


async def _breath() -> None:
    """Lets the sources run for a moment."""
    loop = asyncio.get_running_loop()
    woken = loop.create_future()
    loop.call_later(0.001, woken.cancel)
    await asyncio.gather(woken, return_exceptions=True)
