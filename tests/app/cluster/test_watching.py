"""What workers say of themselves, as another one hears it."""

import asyncio
import time
from typing import Any

import msgspec

from app.cluster.watching import FORGET_S, GONE_S, Watching
from app.process_shapes import Minute, Running, Vitals
from connectors.streams.memory import MemoryLog
from domain.clock import FixedClock
from tests.waiting import auntil

TOPIC = "sluice-processes"
HISTORY = [Minute(60_000 * n, n / 10, n, n / 100, n) for n in range(60)]
encode = msgspec.json.encode


def vitals(name: str, real_ms: int = 0) -> Vitals:
    export = Running(f"{name}:export/1", "export", "raw", name)
    return Vitals(name, "ready", 0.5, 1, 0.0, 2, HISTORY, [export], real_ms)


def item(name: str, value: Vitals | None) -> Any:
    return (0, 0, name.encode(), None if value is None else encode(value), ())


class Hearer:
    """One that listens by a clock that is moved by hand."""

    def __init__(self) -> None:
        self.now_s = 1_000.0
        self.watching = Watching(MemoryLog(FixedClock(0)), TOPIC, self.own, lambda: self.now_s)

    async def own(self) -> Vitals:
        return vitals("me")

    def states(self) -> dict[str, str]:
        return {one.worker: one.state for one in self.watching.others("me")}


def test_a_worker_not_heard_of_for_thirty_seconds_is_gone_and_then_forgotten() -> None:
    hearer = Hearer()
    hearer.watching.hear([item("w-1", vitals("w-1")), item("me", vitals("me"))])
    hearer.now_s += GONE_S
    assert hearer.states() == {"w-1": "ready"}
    hearer.now_s += 0.1
    assert hearer.states() == {"w-1": "gone"}
    (gone,) = hearer.watching.others("me")
    assert (gone.running, len(gone.history)) == ([], 60)
    hearer.watching.hear([item("w-1", vitals("w-1"))])
    assert hearer.states() == {"w-1": "ready"}
    hearer.now_s += FORGET_S + 1
    assert hearer.states() == {}


def test_one_that_stops_says_so() -> None:
    hearer = Hearer()
    hearer.watching.hear([item("w-1", vitals("w-1")), item("w-1", None), item("w-2", None)])
    assert hearer.states() == {"w-1": "stopped"}


def test_words_said_before_are_as_old_as_they_say() -> None:
    hearer = Hearer()
    real_ms = time.time_ns() // 1_000_000
    words = [item("old", vitals("old", real_ms - 60_000)), item("new", vitals("new", real_ms))]
    hearer.watching.hear(words, late=True)
    assert hearer.states() == {"old": "gone", "new": "ready"}


def test_what_can_not_be_read_is_passed_over() -> None:
    hearer = Hearer()
    hearer.watching.hear([(0, 0, b"w-1", b"{", ()), item("w-2", vitals("w-2"))])
    assert hearer.states() == {"w-2": "ready"}


def test_two_workers_hear_each_other_and_who_comes_later_hears_both() -> None:
    async def work() -> None:
        log = MemoryLog(FixedClock(0))
        log.counts[TOPIC] = 1
        crashes: list[BaseException] = []

        def one(name: str) -> Watching:
            async def own() -> Vitals:
                return vitals(name, time.time_ns() // 1_000_000)

            return Watching(log, TOPIC, own)

        first, second = one("w-1"), one("w-2")
        await first.start(crashes.append)
        await second.start(crashes.append)

        async def know_both() -> bool:
            told = [{each.worker for each in await who.all()} for who in (first, second)]
            return told == [{"w-1", "w-2"}] * 2

        await auntil(know_both)  # type: ignore[arg-type]  # mypy takes the coroutine for T itself
        await second.stop()
        later = one("w-3")
        await later.start(crashes.append)
        states = {each.worker: each.state for each in await later.all()}
        assert states == {"w-1": "ready", "w-2": "stopped", "w-3": "ready"}
        for each in (first, later):
            await each.stop()
        assert crashes == []

    asyncio.run(work())
