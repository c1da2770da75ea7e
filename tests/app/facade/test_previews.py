"""What-ifs: retained records under a document, beside what really happened."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from app.backend import Unavailable
from app.facade import previews, tally, whatif
from app.history_shapes import Preview, WhatIf
from app.since import Since
from tests.app.facade.house import HOUR_MS, START_MS, House, Living, aggregator

BEGINNING = Since("beginning")


def live(folder: Path, steps: Callable[[Living], Awaitable[None]]) -> None:
    """Runs `steps` with a worker of its own."""

    async def run() -> None:
        async with House(folder).open() as worker:
            await steps(worker)

    asyncio.run(run())


async def preview(worker: Living, document: dict[str, Any], since: Since = BEGINNING) -> Preview:
    """A preview that is over."""
    begun = await worker.facade.start_preview(document, since, "beginning")
    found = await worker.facade.preview(begun.id, 30)
    assert found is not None and found.over
    return found


async def result(worker: Living, document: dict[str, Any], since: Since = BEGINNING) -> WhatIf:
    found = await preview(worker, document, since)
    assert found.result is not None, found
    return found.result


async def a_day(worker: Living) -> None:
    """Four flushes of an hour each for X and one for Y, and one session of X left open."""
    await worker.put(aggregator())
    for hour in range(5):
        await worker.send({"account": "X", "bytes": 10}, {"account": "X", "bytes": 0.5})
        if hour == 0:
            await worker.send({"account": "Y", "bytes": 1})
        if hour < 4:
            worker.clock.advance(HOUR_MS + 60_000)
            await worker.work()


def test_the_document_in_force_gives_what_happened(tmp_path: Path) -> None:
    async def steps(worker: Living) -> None:
        await a_day(worker)
        found = await result(worker, aggregator())
        assert (found.flushes_now, found.flushes_what_if) == (5, 5)
        assert found.groups == {"same": 2, "moved": 0, "differs": 0, "only_now": 0,
                                "only_what_if": 0}  # fmt: skip
        assert not found.items
        assert found.open_sessions == 1
        (opened,) = found.open
        assert json.loads(opened)["sequence"] == 5

    live(tmp_path, steps)


def test_a_longer_timeout_flushes_less_often_and_the_same_in_all(tmp_path: Path) -> None:
    async def steps(worker: Living) -> None:
        await a_day(worker)
        longer = {"by": "timeout", "timeout": {"duration": {"hours": 3}}}
        found = await result(worker, aggregator(flush=longer))
        assert found.flushes_what_if == 2
        (x, y) = found.items
        assert (x.status, x.now_count, x.what_if_count) == ("differs", 4, 1)
        difference = x.results["sum_bytes"]
        assert (difference.now, difference.what_if) == (Decimal("42.0"), Decimal("31.5"))
        assert difference.difference == Decimal("-10.5")
        assert y.status == "moved"
        assert found.totals["count"].difference == -2

    live(tmp_path, steps)


def test_sessions_that_began_before_are_left_out_on_both_sides(tmp_path: Path) -> None:
    async def steps(worker: Living) -> None:
        await worker.put(aggregator())
        for _ in range(9):  # a record each ten minutes: six make a session
            await worker.send({"account": "X", "bytes": 1})
            worker.clock.advance(HOUR_MS // 6)
        worker.clock.advance(HOUR_MS)
        await worker.work()
        for since in (Since("instant", START_MS + HOUR_MS // 3), Since("offset", 1)):
            found = await result(worker, aggregator(), since)
            assert (found.left_out, found.flushes_left_out) == (4, 1)
            assert (found.flushes_now, found.groups["same"]) == (1, 1)

    live(tmp_path, steps)


def test_a_new_group_is_beside_the_old_one(tmp_path: Path) -> None:
    async def steps(worker: Living) -> None:
        await a_day(worker)
        count = [{"field": "*", "operation": "count"}]
        other = aggregator(group={"fields": ["account", "bytes"]}, aggregate=count)
        found = await result(worker, other)
        assert (found.groups["only_now"], found.groups["only_what_if"]) == (2, 3)
        assert found.dropped == ["sum_bytes"]
        assert found.totals["count"].difference == 0

    live(tmp_path, steps)


def test_what_would_be_rejected_is_told(tmp_path: Path) -> None:
    async def steps(worker: Living) -> None:
        await worker.put(aggregator())
        await worker.send({"account": "X", "bytes": "many"}, {"bytes": 1}, b"no", {"account": "Y"})
        found = await result(worker, aggregator(event_id="id"))
        assert found.rejected == {"not_a_number": 1, "missing_group_field": 1, "undecodable": 1,
                                  "missing_event_id": 1}  # fmt: skip
        assert found.applied == 0
        assert {letter["reason"] for letter in found.letters} == set(found.rejected)

    live(tmp_path, steps)


def test_more_than_the_limit_is_refused_with_what_would_be_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def steps(worker: Living) -> None:
        await a_day(worker)
        monkeypatch.setattr(whatif, "MOST_RECORDS", 10)
        found = await preview(worker, aggregator())
        assert found.state == "failed"
        assert "usage has 11 records since then, a preview looks at 10 at most" in found.detail
        assert "later --since" in found.detail
        assert (await preview(worker, aggregator(), Since("instant", START_MS + 1))).result

    live(tmp_path, steps)


def test_a_group_with_too_many_flushes_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def steps(worker: Living) -> None:
        await a_day(worker)
        monkeypatch.setattr(tally, "MOST_FLUSHES", 3)
        found = await preview(worker, aggregator())
        assert 'the group ["X"] has 4 flushes' in found.detail

    live(tmp_path, steps)


def test_one_is_stopped_while_another_waits_and_nothing_stays_on_disk(tmp_path: Path) -> None:
    async def steps(worker: Living) -> None:
        await a_day(worker)
        begun = [await worker.facade.start_preview(aggregator(), BEGINNING, "") for _ in range(3)]
        stopped = await worker.facade.stop_preview(begun[1].id)
        assert stopped is not None and stopped.state == "stopped"
        for one, state in ((begun[0], "done"), (begun[2], "done")):
            found = await worker.facade.preview(one.id, 30)
            assert found is not None and found.state == state
        assert not (worker.parts.settings.data_dir / "previews").exists()
        assert await worker.facade.preview("nobody", 0) is None

    live(tmp_path, steps)


def test_too_many_at_once_wait_outside(tmp_path: Path) -> None:
    async def steps(worker: Living) -> None:
        await worker.put(aggregator())
        with pytest.raises(Unavailable, match="others wait"):
            for _ in range(previews.MOST + 1):
                await worker.facade.start_preview(aggregator(), BEGINNING, "")

    live(tmp_path, steps)


def test_the_worker_is_not_held_up(tmp_path: Path) -> None:
    """What else is due on the loop waits for no longer than a piece of the work takes."""

    async def steps(worker: Living) -> None:
        await worker.put(aggregator())
        worker.paused = True
        records = [
            (None, json.dumps({"account": f"a{i % 700}", "bytes": i}).encode(), None, ())
            for i in range(6_000)
        ]
        await worker.log.append("usage", 0, records)
        worker.clock.advance(2 * HOUR_MS)
        clock = asyncio.get_running_loop().time
        begun = await worker.facade.start_preview(aggregator(), BEGINNING, "")
        waits: list[float] = []
        while True:
            before = clock()
            found = await worker.facade.preview(begun.id, 0.001)
            waits.append(clock() - before)
            assert found is not None
            if found.over:
                break
        assert found.result is not None and found.result.flushes_what_if == 700
        assert sorted(waits)[len(waits) * 9 // 10] < 0.1, waits
        assert len(waits) > 20

    live(tmp_path, steps)
