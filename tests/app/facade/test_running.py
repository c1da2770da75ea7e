"""What runs on a worker, how far it is, and what of it can be ended."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from app.backend import Unavailable
from app.facade.exports import Exports
from app.facade.machine import MINUTES, Machine
from app.recoveries import Recoveries
from connectors.streams.memory import MemoryLog
from domain.clock import FixedClock
from tables.changelog import Changelog
from tests.app.facade.house import House

KEY = b"k"


async def rows(count: int) -> AsyncIterator[dict[str, Any]]:
    for n in range(count):
        yield {"n": n}


def test_an_export_is_told_of_and_ends_when_it_is_cancelled(tmp_path: Path) -> None:
    async def work() -> None:
        async with House(tmp_path).open() as living:
            facade = living.facade
            exports: Exports = facade._exports
            export = exports.counted("raw report of today", rows(10), 5)
            assert (await anext(export), await anext(export)) == ({"n": 0}, {"n": 1})
            (one,) = (await facade.processes()).running
            assert (one.kind, one.name, one.owner) == ("export", "raw report of today", "w-1")
            assert (one.started_ms, one.progress, one.cancellable) == (5, None, True)
            assert await facade.cancel_process(one.id) is True
            with pytest.raises(Unavailable):
                await anext(export)
            assert (await facade.processes()).running == []
            assert await facade.cancel_process(one.id) is None

    asyncio.run(work())


def test_a_worker_tells_its_minutes(tmp_path: Path) -> None:
    async def work() -> None:
        async with House(tmp_path).open() as living:
            now = [1_000.0]
            machine = Machine(
                living.parts, lambda _: None, lambda: now[0], lambda: now[0], lambda: now[0] / 4
            )
            for second in range(70 * 60):
                now[0] += 1
                await machine.look(0.5 if second % 60 == 3 else 0.0)
            history = machine.history()
            assert len(history) == MINUTES
            assert [minute.real_ms % 60_000 for minute in history] == [0] * MINUTES
            gaps = {b.real_ms - a.real_ms for a, b in itertools.pairwise(history)}
            assert gaps == {60_000}
            assert {minute.cpu for minute in history} == {0.25}
            assert {minute.loop_lag_s for minute in history[:-1]} == {0.5}
            assert machine.cpu == 0.25
            assert history[0].memory > 1 << 20

    asyncio.run(work())


def test_a_recovery_is_told_of_until_the_shard_is_claimed() -> None:
    async def work() -> None:
        log = MemoryLog(FixedClock(0))
        log.counts["c"] = 1
        writer = Changelog(log, "c", 0, "w")
        await writer.claim()
        await writer.append([(KEY, b"1"), (KEY, b"2")])
        recoveries = Recoveries(lambda: 7)
        reader = Changelog(log, "c", 0, "r")
        recoveries.begin("sessions", 0, reader)
        assert list(recoveries.under_way()) == []
        async for _ in reader.follow(0):
            pass
        assert list(recoveries.under_way()) == [("sessions", 0, 7, 3, 3)]
        await reader.claim()
        assert list(recoveries.under_way()) == []

    asyncio.run(work())
