"""When sources are fetched: by the schedule in its zone, once for what was missed, one by one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from agents.collect import Collector
from agents.source_schedule import next_run_ms
from connectors.sources.base import Cursor, Kit, Page, Window
from connectors.streams.murmur2 import partition_for
from domain.aggregation.instants import parse_instant
from domain.metrics.fetched import Fetched
from tests.agents.sources.test_fetch_histories import document
from tests.agents.sources.world import LANES, NAMES, NOW_MS, World
from tests.connectors.sources.service import Items

HOUR_MS = 3_600_000


@pytest.mark.parametrize(
    ("schedule", "zone", "after", "due"),
    [
        ("*/15 * * * *", "UTC", "2026-03-01T10:15:00Z", "2026-03-01T10:30:00Z"),
        ("30 2 * * *", "Europe/Stockholm", "2026-03-28T12:00:00Z", "2026-03-29T01:30:00Z"),
        ("0 4 * * *", "Europe/Stockholm", "2026-03-28T12:00:00Z", "2026-03-29T02:00:00Z"),
        ("0 4 * * *", "Europe/Stockholm", "2026-10-24T12:00:00Z", "2026-10-25T03:00:00Z"),
        ("*/30 * * * *", "Europe/Stockholm", "2026-10-25T00:30:00Z", "2026-10-25T01:00:00Z"),
        ("30 2 * * *", "Europe/Stockholm", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"),
        ("0 0 29 2 *", "UTC", "2026-01-01T00:00:00Z", "2028-02-29T00:00:00Z"),
        ("0 9 * * 1", "Asia/Kathmandu", "2026-03-01T00:00:00Z", "2026-03-02T03:15:00Z"),
    ],
)
def test_the_next_run_is_by_the_zone_s_clock(
    schedule: str, zone: str, after: str, due: str
) -> None:
    begin = parse_instant(after)
    assert begin is not None
    assert next_run_ms(schedule, zone, begin) == parse_instant(due)


def test_nothing_is_fetched_on_apply_and_what_was_missed_is_one_fetch(tmp_path: Path) -> None:
    world, service = World(tmp_path), Items()

    async def run() -> None:
        async with service.serve() as url:
            world.apply(**document(url, schedule="0 * * * *"))
            looks = iter(range(20))
            await world.until(lambda _: next(looks, None) is None)
            assert service.requests == 0
            service.items = [{"id": 1, "at": NOW_MS}]
            world.clock.advance(5 * HOUR_MS)  # no worker was there meanwhile
            await world.until(lambda c: world.fetcher_of(c, "s").place.fetched_ms is not None)
            assert service.requests == 1
            looks = iter(range(20))
            await world.until(lambda _: next(looks, None) is None)
            assert service.requests == 1
            world.clock.advance(HOUR_MS)
            await world.until(
                lambda c: world.fetcher_of(c, "s").place.fetched_ms == world.clock.now_ms()
            )
            assert service.requests == 2

    asyncio.run(run())


def test_a_call_that_fails_is_told_and_the_others_do_not_notice(tmp_path: Path) -> None:
    world = World(tmp_path)
    bad, good = Items(iter([500] * 3)), Items()
    good.items = bad.items = [{"id": 1, "at": NOW_MS}]

    async def run() -> None:
        async with bad.serve() as bad_url, good.serve() as good_url:
            retry = {"times": 2, "first": "1ms"}
            world.apply(**document(bad_url, name="bad", retry=retry))
            world.apply(**document(good_url, name="good"))
            told = await world.fetch("bad")
            assert told == "failed: 127.0.0.1/items answered 500: trouble, 3 times"
            assert await world.fetch("good") == "done"

            def failing(collector: Collector) -> bool:
                trouble = world.fetcher_of(collector, "bad").place.trouble
                return trouble is not None and trouble.status == 500

            await world.until(failing)
            assert await world.fetch("bad") == "done"
            await world.until(lambda c: world.fetcher_of(c, "bad").place.trouble is None)

    asyncio.run(run())


def test_a_second_request_waits_for_the_fetch_under_way(tmp_path: Path) -> None:
    world, service = World(tmp_path), Items()
    service.items = [{"id": n, "at": NOW_MS} for n in range(1, 8)]
    together: list[int] = []

    async def run() -> None:
        async with service.serve() as url:
            world.apply(**document(url))
            jobs: list[Any] = []

            def both(collector: Collector) -> bool:
                fetcher = world.fetcher_of(collector, "s")
                if not jobs:
                    jobs.append(fetcher.ask())
                if jobs[0].state == "running" and len(jobs) == 1:
                    jobs.extend([fetcher.ask(), fetcher.ask()])
                together.append(sum(job.state == "running" for job in jobs[:2]))
                return len(jobs) == 3 and all(job.done.is_set() for job in jobs)

            await world.until(both)
            assert jobs[1] is jobs[2] is not jobs[0]
            assert [job.records for job in jobs] == [7, 0, 0]

    asyncio.run(run())
    assert max(together) == 1


def test_a_fetch_by_time_leaves_the_cursor_and_counts_nothing_twice(tmp_path: Path) -> None:
    world, service = World(tmp_path), Items()
    service.items = [{"id": n, "at": NOW_MS + n * HOUR_MS, "v": 1} for n in range(1, 6)]

    async def run() -> None:
        async with service.serve() as url:
            world.apply(**document(url))
            assert await world.fetch("s") == "done"
            service.items[2]["v"] = 2
            window = Window(NOW_MS + 2 * HOUR_MS, NOW_MS + 4 * HOUR_MS)
            assert await world.fetch("s", window=window) == "done"
            await world.until(lambda c: world.fetcher_of(c, "s").place.cursor == {"last": 5})

    asyncio.run(run())
    assert {key: each["v"] for key, each in world.newest("s").items()} == {
        "1": 1, "2": 1, "3": 2, "4": 1, "5": 1,
    }  # fmt: skip
    assert len(world.archived("s")) == 5 + 2


def test_an_installation_that_lost_its_stream_goes_on_from_the_archive(tmp_path: Path) -> None:
    world, service = World(tmp_path), Items()
    service.items = [{"id": n, "at": NOW_MS} for n in range(1, 6)]

    async def run() -> None:
        async with service.serve() as url:
            world.apply(**document(url))
            assert await world.fetch("s") == "done"
            anew = World(tmp_path)
            anew.apply(**document(url))
            service.items.append({"id": 6, "at": NOW_MS})
            before = len(service.asked)
            assert await anew.fetch("s") == "done"
            assert [query["after"] for _, query in service.asked[before:]] == ["5"]

    asyncio.run(run())


class Plug:
    """A connector of another package."""

    RANGED = False
    BASE_URL = None

    def __init__(self, kit: Kit) -> None:
        self._kit = kit

    async def fetch(self, cursor: Cursor, window: Window | None = None) -> AsyncIterator[Page]:
        assert self._kit.source.fetch == {"depth": 3, "names": ["a"]}
        if cursor is None:
            yield Page([Fetched(NOW_MS, {"id": "one"})], {"at": 1})
        else:
            yield Page([], [][0])  # it does not understand its own answer


def test_a_connector_can_come_from_another_package(tmp_path: Path) -> None:
    entry = EntryPoint("plug", f"{__name__}:Plug", "sluice.sources")

    def found(group: str, name: str) -> tuple[EntryPoint, ...]:
        return (entry,) if (group, name) == ("sluice.sources", "plug") else ()

    world = World(tmp_path)

    async def run() -> None:
        with (
            patch("config.documents.source.entry_points", found),
            patch("connectors.sources.registry.entry_points", found),
        ):
            world.apply(
                name="s", connector="plug", schedule="0 * * * *", key="id",
                fetch={"depth": 3, "names": ["a"]},
            )  # fmt: skip
            assert await world.fetch("s") == "done"
            assert world.newest("s").keys() == {"one"}
            assert "does not understand the answer" in await world.fetch("s")

    asyncio.run(run())


def test_no_secret_stands_on_a_topic_or_in_the_archive(tmp_path: Path) -> None:
    world, service = World(tmp_path, environ={"TOK": "very-secret"}), Items(iter([401]))
    service.items = [{"id": 1, "at": NOW_MS}]

    async def run() -> None:
        async with service.serve() as url:
            world.apply(**document(url, credentials={"token": "TOK"}))
            assert "answered 401" in await world.fetch("s")
            assert await world.fetch("s") == "done"

    asyncio.run(run())
    texts = [json.dumps(str(row)) for part in world.log.rows.values() for row in part]
    texts += [str(path.read_bytes()) for path in tmp_path.rglob("*.avro")]
    assert texts and not any("very-secret" in text for text in texts)


def test_pushes_count_once_through_kills(tmp_path: Path) -> None:
    world = World(tmp_path, append_kills={3: 0, 7: 0}, step_kills={2, 6, 9}, file_kills={1, 4})
    lane = partition_for(b"s", LANES)

    async def push(number: int) -> None:
        body = {"repository": {"full_name": "acme/alpha"}, "number": number}
        value = {"delivery": f"d{number // 2}", "event": "star", "at": NOW_MS, "body": body}
        row = (b"s", json.dumps(value).encode(), None, ())
        other = (b"other", b"not ours", None, ())
        world.log.survives = lambda _topic, count: count
        await world.log.append(NAMES.deliveries, lane, [other, row])

    async def run() -> None:
        world.apply(name="s", connector="github_webhook", credentials={"secret": "S"})
        for number in range(12):  # each delivery comes twice
            await push(number)
            end = 2 * (number + 1)
            await world.until(
                lambda c, end=end: (world.fetcher_of(c, "s").place.cursor or {}) == {"offset": end}  # type: ignore[misc]  # the loop's
            )

    asyncio.run(run())
    assert world.kills >= 5
    assert world.newest("s").keys() == {f"d{n}" for n in range(6)}
    assert world.events("s") == world.newest("s")
    assert len(world.archived("s")) == 12


def test_a_record_too_large_for_the_topic_goes_without_its_attributes(tmp_path: Path) -> None:
    world, service = World(tmp_path), Items()
    service.items = [{"id": 1, "at": NOW_MS, "text": "x" * (1 << 20)}, {"id": 2, "at": NOW_MS}]
    metric = {"name": "items", "value": 1, "type": "counter"}

    async def run() -> None:
        async with service.serve() as url:
            world.apply(**document(url, metrics=[metric]))
            assert await world.fetch("s") == "done"

    asyncio.run(run())
    assert world.events("s") == {"1": {"ts": NOW_MS}, "2": world.newest("s")["2"]}
    assert len(str(world.newest("s")["1"]["text"])) == 1 << 20
