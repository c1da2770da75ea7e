"""The queue of impressions, killed at any change of the tables and any append to the log."""

import asyncio
import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agents.impressions.incoming import Incoming
from agents.impressions.load import undo_load
from agents.impressions.lock import LEASE_S
from agents.impressions.missing import MissingDays
from agents.impressions.running import Running
from agents.impressions.source import Source
from agents.impressions.store import Store
from agents.impressions.stream import ImpressionsShard, StreamMeans
from connectors.streams.memory import Killed as LogKilled
from connectors.streams.memory import MemoryLog
from domain.aggregation.instants import parse_instant
from domain.clock import FixedClock
from domain.impressions.events import EVENTS
from domain.impressions.layout import DIMENSION, JOINED, PARTITIONED, TABLES, UPDATED
from tables.changelog import Changelog
from tables.impressions import ImpressionsLog
from tables.ledger_book import Output
from tests.agents.impressions.kit import (
    NOW_MS,
    MemoryFiles,
    check_clean,
    check_table,
    packed,
)

CHANGELOG = "sluice-impressions-changelog"
OVER = ("done", "failed")


@dataclass
class World:
    """One worker after the other on the same log, tables and incoming place."""

    clock: FixedClock = field(default_factory=lambda: FixedClock(NOW_MS))
    files: MemoryFiles = field(default_factory=MemoryFiles)
    place: MemoryFiles = field(default_factory=lambda: MemoryFiles(where="s3://in"))
    alerts: list[dict[str, Any]] = field(default_factory=list)
    letters: list[bytes] = field(default_factory=list)
    due_minute: int | None = None

    def __post_init__(self) -> None:
        self.log = MemoryLog(self.clock)
        for topic in (CHANGELOG, EVENTS):
            self.log.counts[topic] = 1

    def put(self, name: str, content: bytes) -> None:
        self.place.held[name] = content, f"tag-{hash(content)}"

    async def ask(self, kind: str, name: str) -> None:
        body = json.dumps({"type": kind, "file": f"s3://in/{name}"}).encode()
        await self.log.append(EVENTS, 0, [(None, body, None, ())])

    async def send(self, outputs: list[Output]) -> None:
        for topic, key, value in outputs:
            if topic == EVENTS:
                await self.log.append(EVENTS, 0, [(key, value, None, ())])
            elif topic == "alerts":
                self.alerts.append(json.loads(value))
            else:
                self.letters.append(value)

    def means(self, fail: Callable[[BaseException], None]) -> StreamMeans:
        def source(address: str) -> Source:
            return Source(self.place, address.removeprefix("s3://in/"), address)

        days = None
        if self.due_minute is not None:
            days = MissingDays(self.files, self.clock, self.due_minute, self.send)
        running = Running(self.files, self.clock, source, 1 << 30)
        incoming = Incoming(self.place)
        return StreamMeans(running, incoming, self.clock, self.send, fail, 0.01, days, 0.01)

    async def run(self, until: Callable[[ImpressionsShard], bool]) -> bool:
        """A worker, until that holds; False when it was killed before."""
        ended = asyncio.Event()
        log = ImpressionsLog(Changelog(self.log, CHANGELOG, 0, "w"))
        try:
            await log.open()
        except LogKilled:
            return False
        shard = ImpressionsShard(log, self.means(lambda _error: ended.set()))
        shard.go()
        offset = 0
        try:
            while not ended.is_set():
                part = await self.log.read(EVENTS, 0, offset)
                if part.items:
                    await shard.apply(0, part.items)
                offset = part.next_offset
                if until(shard):
                    return True
                await asyncio.sleep(0)
        except LogKilled:
            pass
        finally:
            shard.close()
            await shard.finish()
        self.clock.advance(round(1000 * LEASE_S) + 1)  # the locks that were left behind run out
        return False

    async def statuses(self) -> list[dict[str, Any]]:
        items = self.log.rows.get((EVENTS, 0), [])
        every = [json.loads(item[3] or b"null") for item in items]
        return [one for one in every if one["type"] == "status"]


def day(number: int) -> bytes:
    return packed(*(f"06/0{1 + i % 2}/2025,{number}-{i},c{i % 3},v,{i / 7!r}" for i in range(6)))


def dimension(number: int) -> bytes:
    return f"campaign_id,name\nc{1 + number % 2},n{number}\nc0,z{number // 2}\n".encode()


def all_over(shard: ImpressionsShard, count: int) -> bool:
    return len(shard.log.jobs) == count and all(
        job.state in OVER for job in shard.log.jobs.values()
    )


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.sampled_from(["found", "load", "dimension"]), min_size=1, max_size=4),
    st.lists(st.tuples(st.integers(0, 60), st.integers(0, 12)), max_size=4),
)
def test_killed_anywhere_every_job_is_done_once(
    asked: list[str], kills: list[tuple[int, int]]
) -> None:
    asyncio.run(_killed(asked, kills))


async def _killed(asked: list[str], kills: list[tuple[int, int]]) -> None:
    world = World()
    for number, kind in enumerate(asked):
        name = f"{number}.csv" if kind == "dimension" else f"{number}.csv.gz"
        # what is asked for lies where it is not looked for by itself
        name = name if kind == "found" else name.replace(".gz", "")
        world.put(name, dimension(number) if kind == "dimension" else day(number))
        if kind != "found":
            await world.ask(kind, name)
    for files_kill, log_kill in kills:
        world.files.kill_at = files_kill
        left = itertools.count()
        world.log.survives = lambda _t, n, left=left, at=log_kill: n if next(left) != at else 0  # type: ignore[misc]  # both have values
        await world.run(lambda shard: all_over(shard, len(asked)))
    world.files.kill_at = -1
    world.log.survives = lambda _t, n: n
    async with asyncio.timeout(60):
        assert await world.run(lambda shard: all_over(shard, len(asked)))
    loads = sum(kind != "dimension" for kind in asked)
    dimensions = len(asked) - loads
    store = Store(world.files)
    assert store.manifest(PARTITIONED)[0].rows == 6 * loads
    assert len(store.manifest(PARTITIONED)[0].loads) == loads
    assert len(store.manifest(DIMENSION)[0].loads) == dimensions
    for table in TABLES:
        if store.manifest(table)[0].version:
            assert check_table(world.files, table).manifest.rows == 6 * loads
    if loads and dimensions:
        joined, updated = store.manifest(JOINED)[0], store.manifest(UPDATED)[0]
        assert joined.of == store.manifest(PARTITIONED)[0].version
        if updated.version:  # else every dimension came before every load
            assert (updated.of, updated.dimension) == (joined.version, dimensions)
    check_clean(world.files)
    begun: dict[str, list[str]] = {}
    for one in await world.statuses():
        assert one["state"] not in ("failed", "waiting")
        if one["state"] == "running":
            begun.setdefault(one["job"], []).append(one["step"])
    for steps in begun.values():  # one that was noted is not begun again
        assert steps == sorted(steps, key=["partition", "dimension", "join", "update"].index)


async def _undone() -> None:
    world = World()
    world.put("1.csv.gz", day(1))
    assert await world.run(lambda shard: all_over(shard, 1))
    (load,) = Store(world.files).manifest(PARTITIONED)[0].loads
    undo_load(world.files, world.clock, load.load)
    world.put("2.csv.gz", day(2))
    assert await world.run(lambda shard: all_over(shard, 2))
    assert Store(world.files).manifest(PARTITIONED)[0].rows == 6
    await world.ask("load", "1.csv.gz")  # somebody wants it all the same
    assert await world.run(lambda shard: all_over(shard, 3))
    assert Store(world.files).manifest(PARTITIONED)[0].rows == 12


def test_a_file_that_was_taken_out_is_loaded_again_only_when_asked_for() -> None:
    asyncio.run(_undone())


async def _failing() -> None:
    world = World()
    world.put("bad.csv.gz", day(1)[:-9])
    world.put("good.csv.gz", day(2))
    await world.log.append(EVENTS, 0, [(None, b'{"type":"load"}', None, ())])
    assert await world.run(lambda shard: all_over(shard, 2) and bool(world.letters))
    states = {one["file"]: one["state"] for one in await world.statuses() if not one["step"]}
    assert states == {"s3://in/bad.csv.gz": "queued", "s3://in/good.csv.gz": "done"}
    (failed,) = [one for one in await world.statuses() if one["state"] == "failed"]
    assert (failed["file"], failed["step"]) == ("s3://in/bad.csv.gz", "partition")
    assert "gzip" in failed["problem"]
    world.put("bad.csv.gz", day(1))  # other content under the same name is another object
    assert await world.run(lambda s: {job.state for job in s.log.jobs.values()} == {"done"})
    assert Store(world.files).manifest(PARTITIONED)[0].rows == 12


def test_a_damaged_file_fails_and_the_next_is_loaded() -> None:
    asyncio.run(_failing())


async def _missed() -> None:
    world = World(due_minute=12 * 60)
    world.clock = world.log.clock = FixedClock(parse_instant("2025-06-03T13:00:00Z") or 0)
    world.put("1.csv.gz", day(1))  # of the first and second of June
    assert await world.run(lambda shard: all_over(shard, 1))
    assert world.alerts == []
    world.clock.set(parse_instant("2025-06-04T11:59:00Z") or 0)
    assert await world.run(lambda _shard: True)
    assert world.alerts == []
    world.clock.set(parse_instant("2025-06-04T12:00:00Z") or 0)
    assert await world.run(lambda shard: bool(shard.log.missed))
    assert await world.run(lambda shard: bool(shard.log.missed))
    told = [(one["day"], one["state"]) for one in world.alerts]
    assert told == [("2025-06-03", "started")]
    world.put("2.csv.gz", packed("06/03/2025,1,a,v,1"))
    assert await world.run(lambda shard: all_over(shard, 2))
    assert await world.run(lambda shard: not shard.log.missed)
    told = [(one["day"], one["state"]) for one in world.alerts]
    assert told == [("2025-06-03", "started"), ("2025-06-03", "ended")]


def test_a_day_that_does_not_come_is_told_once_and_its_end_too() -> None:
    asyncio.run(_missed())
