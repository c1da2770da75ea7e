"""Pages of records over all partitions of a topic."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from app.backend import BadCursor
from app.facade.cursors import cursor_of
from app.facade.records import Records
from app.shapes import RecordPage
from connectors.streams.base import TopicSpec, UnknownTopic
from connectors.streams.embedded.log import EmbeddedLog
from domain.clock import FixedClock
from tests.app.facade.house import START_MS, House, Living
from tests.waiting import auntil

Story = Callable[[Living], Awaitable[None]]


def tell(tmp_path: Path, story: Story) -> None:
    async def work() -> None:
        async with House(tmp_path, partitions=3).open() as living:
            await story(living)

    asyncio.run(work())


async def put(living: Living, partition: int, *values: bytes, at: int | None = None) -> None:
    await living.log.append("usage", partition, [(None, value, at, ()) for value in values])


def shown(page: RecordPage) -> list[tuple[int, bytes | None]]:
    return [(record.partition, record.value) for record in page.records]


def test_pages_hold_each_record_once_and_come_again_the_same(tmp_path: Path) -> None:
    async def story(living: Living) -> None:
        for n in range(20):
            await put(living, n % 3, b"%d" % n, at=START_MS + n)
        read = living.facade.read_records
        found: list[bytes | None] = []
        places: list[tuple[int, int, int]] = []
        cursor = "beginning"
        for _ in range(3):
            page = await read("usage", cursor, 7, 0.0)
            assert await read("usage", cursor, 7, 0.0) == page
            found += [record.value for record in page.records]
            places += [(r.partition, r.offset, r.timestamp_ms) for r in page.records]
            cursor = page.next
        assert found == [b"%d" % n for n in range(20)]
        assert places == [(n % 3, n // 3, START_MS + n) for n in range(20)]
        end = await read("usage", cursor, 7, 0.0)
        assert (end.records, end.next) == ([], cursor)

    tell(tmp_path, story)


def test_a_producers_clock_that_goes_back_does_not_disorder_a_partition(tmp_path: Path) -> None:
    async def story(living: Living) -> None:
        await put(living, 0, b"late", at=START_MS + 9)
        await put(living, 0, b"early", at=START_MS)
        await put(living, 1, b"between", at=START_MS + 5)
        page = await living.facade.read_records("usage", "beginning", 10, 0.0)
        assert shown(page) == [(1, b"between"), (0, b"late"), (0, b"early")]

    tell(tmp_path, story)


def test_from_the_end_only_what_comes_later_is_read(tmp_path: Path) -> None:
    async def story(living: Living) -> None:
        await put(living, 0, b"before")
        page = await living.facade.read_records("usage", "end", 10, 0.0)
        assert shown(page) == []
        await put(living, 2, b"after")
        assert shown(await living.facade.read_records("usage", page.next, 10, 0.0)) == [
            (2, b"after")
        ]

    tell(tmp_path, story)


def test_a_reader_at_the_end_is_woken_by_a_record_of_any_partition(tmp_path: Path) -> None:
    async def work() -> None:
        log = EmbeddedLog(tmp_path / "log", FixedClock(START_MS))
        await log.start()
        await log.ensure_topic(TopicSpec("usage", 3))
        async with House(tmp_path, partitions=3).open() as living:
            # the worker itself goes on with its own log: it reads topics that this one lacks
            parts = replace(living.parts, log=log)
            reading = asyncio.create_task(Records(parts).read("usage", "end", 10, 20.0))
            await auntil(lambda: len(log._wakes._waiting) == 3)
            await log.append("usage", 2, [(None, b"news", None, ())])
            page = await asyncio.wait_for(reading, 30.0)
            assert shown(page) == [(2, b"news")]
            # none of the three reads is left behind
            assert log._wakes._waiting == {}
        await log.stop()

    asyncio.run(work())


def test_cursors_of_other_lists_and_topics_are_refused(tmp_path: Path) -> None:
    async def story(living: Living) -> None:
        read = living.facade.read_records
        end = (await read("usage", "end", 1, 0.0)).next
        for cursor in ("x", "", cursor_of(["usage", [0, 0, 0, 0]]), cursor_of(["usage", [-1]])):
            with pytest.raises(BadCursor):
                await read("usage", cursor, 1, 0.0)
        with pytest.raises(BadCursor):
            await read("aggregates", end, 1, 0.0)
        with pytest.raises(UnknownTopic):
            await read("nowhere", "beginning", 1, 0.0)

    tell(tmp_path, story)


def test_partitions_that_were_added_are_read_from_their_beginning(tmp_path: Path) -> None:
    async def story(living: Living) -> None:
        await put(living, 0, b"a")
        await put(living, 2, b"c")
        page = await living.facade.read_records("usage", cursor_of(["usage", [1, 0]]), 10, 0.0)
        assert shown(page) == [(2, b"c")]

    tell(tmp_path, story)


def test_nobody_reads_the_topic_of_users_and_passwords(tmp_path: Path) -> None:
    async def story(living: Living) -> None:
        await living.log.ensure_topic(TopicSpec("sluice-people", 1))
        with pytest.raises(UnknownTopic):
            await living.facade.read_records("sluice-people", "beginning", 10, 0.0)

    tell(tmp_path, story)
