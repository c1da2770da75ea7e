"""Erasing takes dead letters and evidence along, on a stream that can't erase in place."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.backend import IdempotencyConflict
from app.command_shapes import Commanded
from app.facade.erasing import OLD_MS, Erasing
from app.history_shapes import Whereabouts
from app.shapes import Change
from tests.app.facade.house import HOUR_MS, House, Living, aggregator

WHO = {"group": {"account": "secret-x"}}
MESSAGE = json.dumps({**WHO, "actor": "ada", "reason": "asked"}).encode()
WHY = Change("ada", "asked by the customer")
MENDED = aggregator(aggregate=[{"field": "*", "operation": "count"}])
OURS = (
    b'{"account": "secret-x", "bytes": "many"}',
    b'{"account": "secret-x", "bytes": 1',
    b'{"bytes": "some", "account": "secret-x"}',
)
OTHERS = (b'{"account": "y", "bytes": "more"}', b"\xff", b'{"account": "secret-x2", "bytes": 1')


async def erase(living: Living, change: Change = WHY, wait_s: float = 5.0) -> Commanded:
    done = await living.facade.give_command("acc", "erase", WHO, change, wait_s)
    assert done is not None and done.done
    return done


async def begun(living: Living) -> None:
    """Letters of two accounts, one of them replayed, and a flushed session of both."""
    await living.put(aggregator())
    good = b'{"account": "secret-x", "bytes": 1}', b'{"account": "y", "bytes": 1}'
    await living.send(OURS[0], *good)
    await living.put(MENDED)
    await living.facade.replay_dead_letters({}, WHY, False, 5.0)
    await living.put(aggregator())
    await living.send(*OURS[1:], *OTHERS)
    living.clock.advance(2 * HOUR_MS)
    await living.work()


def on_topic(living: Living) -> list[dict[str, Any]]:
    return [
        json.loads(item[3] or b"")
        for (topic, _), items in sorted(living.log.rows.items())
        for item in items
        if topic == "dead-letters"
    ]


async def letters(living: Living) -> list[bytes]:
    page = await living.facade.dead_letters({}, 100, None)
    return sorted(each.original or b"" for each in page.items)


async def killed(folder: Path, step: int, survive: int, change: Change) -> tuple[House, Any, bool]:
    """A house whose worker was killed at an append of an erasure, of which so many rows survive;
    its totals before; whether the erasure was over by then."""
    house = House(folder, partitions=1)
    async with house.open() as living:
        await begun(living)
        before, left = await living.totals(), step

        def survives(_topic: str, rows: int) -> int:
            nonlocal left
            left -= 1
            return rows if left > 0 else min(survive, rows) if left == 0 else 0

        house.log.survives = survives
        task = asyncio.create_task(erase(living, change, 0.2))
        await asyncio.wait([task], timeout=1)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    house.log.survives = lambda _topic, rows: rows
    return house, before, left > 0


async def all_steps(killed_at: Callable[[int], Awaitable[bool]], stride: int) -> int:
    """The first step at which nothing was left to kill."""
    step = 2  # the first is the note: without it nothing was begun
    while await killed_at(step):
        step += stride
    return step


def test_letters_of_the_account_are_gone_from_list_and_topic(tmp_path: Path) -> None:
    async def story() -> None:
        async with House(tmp_path).open() as living:
            await begun(living)
            assert len(await letters(living)) == 6
            before = await living.totals()
            counted = await living.facade.count_command("acc", "erase", WHO, Change("t"))
            assert counted is not None
            assert (counted.letters, counted.source_records) == (3, None)
            done = await erase(living)
            assert (done.letters, done.sessions) == (3, 1)
            assert await letters(living) == sorted(OTHERS)
            told = on_topic(living)
            assert {len(each) for each in told if "erased_at" in each} == {2}
            assert len([each for each in told if "erased_at" not in each]) == 3
            assert await living.totals() == before
            assert sum(each.total for each in await living.facade.dead_letter_counts()) == 3
            again = await erase(living)
            assert (again.letters, again.sessions) == (0, 0)

    asyncio.run(story())


def test_source_records_of_what_was_erased_explain_nothing(tmp_path: Path) -> None:
    async def story() -> None:
        async with House(tmp_path).open() as living:
            await begun(living)
            flushes = [
                json.loads(item[3] or b"")
                for (topic, _), items in living.log.rows.items()
                for item in items
                if topic == "aggregates"
            ]
            (mine,) = [each for each in flushes if each["group"]["account"] == "secret-x"]
            (other,) = [each for each in flushes if each["group"]["account"] == "y"]

            async def records(flush: dict[str, Any]) -> int:
                key = json.dumps([flush["group"]["account"]])
                told = await living.facade.explain(
                    "acc", flush["id"], Whereabouts(key=key), 10, None
                )
                assert told is not None
                return len(told.records)

            assert (await records(mine), await records(other)) == (2, 1)
            await erase(living)
            assert (await records(mine), await records(other)) == (0, 1)

    asyncio.run(story())


def test_a_key_that_stands_for_another_request_erases_nothing(tmp_path: Path) -> None:
    async def story() -> None:
        async with House(tmp_path, partitions=1).open() as living:
            await begun(living)
            kept, used = await letters(living), Change("ada", "another reason", "once")
            where = {"group": {"account": "nobody"}}
            await living.facade.give_command("acc", "flush", where, used, 0.0)
            with pytest.raises(IdempotencyConflict):
                await erase(living, replace(WHY, idempotency_key="once"))
            assert await letters(living) == kept
            assert not [each for each in on_topic(living) if "erased_at" in each]

    asyncio.run(story())


@pytest.mark.parametrize(
    ("survive", "stride"),
    [(0, 7), (1, 9), *(pytest.param(n, 1, marks=pytest.mark.faults) for n in (0, 1))],
)
def test_a_kill_at_any_append_leaves_what_the_same_call_completes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, survive: int, stride: int
) -> None:
    monkeypatch.setattr("app.facade.evidence.WAIT_S", 0.2)
    change = Change("ada", "asked by the customer", "once")

    async def killed_at(step: int) -> bool:
        house, before, all_done = await killed(tmp_path / f"{step}", step, survive, change)
        async with house.open("w-2") as living:
            await erase(living, change)
            assert await letters(living) == sorted(OTHERS)
            told = {each["id"] for each in on_topic(living) if "erased_at" not in each}
            page = await living.facade.dead_letters({}, 100, None)
            assert told == {each.id for each in page.items}
            assert await living.totals() == before
        return not all_done

    assert asyncio.run(all_steps(killed_at, stride)) > 10


@pytest.mark.parametrize("stride", [7, pytest.param(1, marks=pytest.mark.faults)])
def test_a_kill_at_any_append_is_finished_by_the_next_console(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stride: int
) -> None:
    monkeypatch.setattr("app.facade.evidence.WAIT_S", 0.2)

    async def killed_at(step: int) -> bool:
        house, before, all_done = await killed(tmp_path / f"{step}", step, 0, WHY)
        async with house.open("w-2") as living:
            async with asyncio.timeout(60):  # nobody asks: the console follows, and finds the note
                while await living.facade._notes.open():
                    await living.facade._commands.go_on(first=True)
                    await asyncio.sleep(0)
            assert await letters(living) == sorted(OTHERS)
            assert await living.totals() == before
            again = await erase(living)
            assert (again.letters, again.sessions) == (0, 0)
        return not all_done

    assert asyncio.run(all_steps(killed_at, stride)) > 10


def test_an_erasure_that_waits_is_told_without_its_values(tmp_path: Path) -> None:
    async def story() -> None:
        async with House(tmp_path).open() as living:
            await begun(living)
            note = Erasing("an-id", "acc", "w-2", living.clock.now_ms(), "k", "f", MESSAGE)
            await living.facade._notes.begin(note)

            async def told() -> list[str]:
                found = (await living.facade.overview()).troubles
                return [f"{one}" for one in found if one.code == "erasure-unfinished"]

            assert not await told()
            living.clock.advance(OLD_MS)
            (one,) = await told()
            assert "account" in one and "secret-x" not in one
            await living.facade._notes.end("an-id")
            assert not await told()

    asyncio.run(story())
