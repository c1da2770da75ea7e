"""Open sessions of all partitions, found by their group values and listed page by page."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from app.backend import BadCursor, Unavailable
from app.facade import owners, shard_rows
from app.facade.cursors import cursor_of
from app.shapes import Page, SessionRow
from domain.aggregation.instants import print_instant
from tests.app.facade.house import HOUR_MS, House, Living, aggregator

Story = Callable[[Living], Awaitable[None]]


def tell(tmp_path: Path, story: Story, partitions: int = 3) -> None:
    async def work() -> None:
        async with House(tmp_path, partitions).open() as living:
            await story(living)

    asyncio.run(work())


async def listed(living: Living, limit: int = 100, cursor: str | None = None, **group: str) -> Any:
    found = await living.facade.sessions("acc", group, limit, cursor)
    assert found is not None
    return found


def keys(page: Page[SessionRow]) -> list[str]:
    return [row.key for row in page.items]


def test_sessions_of_all_partitions_come_in_key_order_page_by_page(tmp_path: Path) -> None:
    async def story(living: Living) -> None:
        await living.put(aggregator())
        await living.send(*({"account": f"a{n:02}", "bytes": n} for n in range(25)))
        found: list[str] = []
        cursor: str | None = None
        for _ in range(4):
            page = await listed(living, 7, cursor)
            found += keys(page)
            cursor = page.next
        assert cursor is None
        assert found == [f'["a{n:02}"]' for n in range(25)]
        assert {row.partition for row in (await listed(living)).items} == {0, 1, 2}

    tell(tmp_path, story)


def test_a_page_that_ends_with_the_last_session_has_no_next(tmp_path: Path) -> None:
    async def story(living: Living) -> None:
        await living.put(aggregator())
        await living.send(*({"account": f"a{n}", "bytes": n} for n in range(4)))
        assert len(keys(await listed(living, 4))) == 4
        assert (await listed(living, 4)).next is None

    tell(tmp_path, story)


def test_a_session_is_listed_as_the_record_it_will_flush(tmp_path: Path) -> None:
    async def story(living: Living) -> None:
        await living.put(aggregator())
        await living.send({"account": "x", "bytes": 9007199254740993}, {"account": "x"})
        (row,) = (await listed(living)).items
        record = json.loads(row.record)
        assert record["values"] == {"sum_bytes": 9007199254740993, "count": 2}
        assert (record["sequence"], record["meta"]["flushType"]) == (1, "")
        now = living.clock.now_ms()
        assert record["explain"]["due"] == print_instant(now + HOUR_MS)
        assert (row.due_ms, row.created_ms, row.updated_ms) == (now + HOUR_MS, now, now)
        assert row.worker == "w-1"

    tell(tmp_path, story)


def test_a_group_value_given_as_text_finds_text_and_number(tmp_path: Path) -> None:
    async def story(living: Living) -> None:
        await living.put(aggregator(group={"fields": ["account", "n"]}))
        pairs: list[tuple[str, Any]] = [("x", 5), ("x", "5"), ("x", 6), ("y", 5)]
        await living.send(*({"account": a, "n": n, "bytes": 1} for a, n in pairs))
        assert keys(await listed(living, account="x", n="5")) == ['["x","5"]', '["x",5]']
        assert keys(await listed(living, n="5")) == ['["x","5"]', '["x",5]', '["y",5]']
        assert keys(await listed(living, account="x", n="7")) == []
        assert keys(await listed(living, nothing="x")) == []

    tell(tmp_path, story)


def test_flushed_sessions_are_not_listed_and_cost_only_their_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(living: Living) -> None:
        await living.put(aggregator())
        await living.send(*({"account": f"a{n:02}", "bytes": n} for n in range(20)))
        living.clock.advance(HOUR_MS + 1)
        await living.work()
        await living.send({"account": "z", "bytes": 1})
        monkeypatch.setattr(shard_rows, "EXAMINED", 3)
        monkeypatch.setattr(shard_rows, "PIECE", 2)
        assert keys(await listed(living, 5)) == ['["z"]']
        monkeypatch.setattr("app.facade.sessions.LOOKED", 6)
        page = await listed(living, 5)
        assert (keys(page), page.next is None) == ([], False)

    tell(tmp_path, story)


def test_another_group_specification_is_listed_too_until_it_has_run_out(tmp_path: Path) -> None:
    async def story(living: Living) -> None:
        await living.put(aggregator())
        await living.send({"account": "x", "n": 1, "bytes": 1})
        await living.put(aggregator(group={"fields": ["account", "n"]}))
        await living.send({"account": "x", "n": 1, "bytes": 1})
        assert sorted(keys(await listed(living, account="x"))) == ['["x",1]', '["x"]']
        versions = [json.loads(row.record)["version"] for row in (await listed(living)).items]
        assert sorted(versions) == [1, 2]

    tell(tmp_path, story)


def test_an_unknown_aggregator_is_none_and_a_foreign_cursor_is_refused(tmp_path: Path) -> None:
    async def story(living: Living) -> None:
        assert await living.facade.sessions("acc", {}, 10, None) is None
        await living.put(aggregator())
        for cursor in ("nonsense", "###", cursor_of(["a", 1])):
            with pytest.raises(BadCursor):
                await listed(living, 10, cursor)

    tell(tmp_path, story)


def test_a_session_is_shown_with_its_flushes_each_once(tmp_path: Path) -> None:
    async def story(living: Living) -> None:
        await living.put(aggregator())
        for _ in range(2):
            await living.send({"account": "x", "bytes": 1}, {"account": "y", "bytes": 1})
            living.clock.advance(HOUR_MS + 1)
            await living.work()
        (topic, partition), rows = next(
            (tp, rows) for tp, rows in living.log.rows.items() if tp[0] == "aggregates" and rows
        )
        for _, at, key, value, headers in list(rows):  # sent again after a crash
            await living.log.append(topic, partition, [(key, value, at, headers)])
        await living.send({"account": "x", "bytes": 7})
        found = await living.facade.session("acc", '["x"]')
        assert found is not None
        assert found.open is not None
        assert json.loads(found.open.record)["sequence"] == 3
        records = [json.loads(flush.record) for flush in found.flushes]
        assert [record["sequence"] for record in records] == [2, 1]
        assert {record["group"]["account"] for record in records} == {"x"}

    tell(tmp_path, story)


def test_a_session_that_is_flushed_is_known_by_its_flushes(tmp_path: Path) -> None:
    async def story(living: Living) -> None:
        await living.put(aggregator(output={"topic": "aggregates", "envelope": "cloudevents"}))
        await living.send({"account": "x", "bytes": 1})
        living.clock.advance(HOUR_MS + 1)
        await living.work()
        found = await living.facade.session("acc", '["x"]')
        assert found is not None
        assert (found.open, len(found.flushes)) == (None, 1)
        assert await living.facade.session("acc", '["never"]') is None
        assert await living.facade.session("other", '["x"]') is None

    tell(tmp_path, story)


def test_while_a_partition_is_nobodys_nothing_is_made_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owners, "MOVING_S", 0.05)

    async def story(living: Living) -> None:
        await living.put(aggregator())
        living.paused = True
        await living.engine.shards.assign({0})
        with pytest.raises(Unavailable, match="state of partitions 1, 2"):
            await listed(living)

    tell(tmp_path, story)
