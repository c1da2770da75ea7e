"""Which copies a worker keeps, how old each is, and what becomes of one that can't be kept."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from agents.standbys import AGAIN_S, LATE_S, Standbys
from connectors.streams.base import StreamUnavailable
from connectors.streams.memory import MemoryLog
from domain.clock import FixedClock
from domain.errors import SluiceError
from tables.changelog import Changelog
from tables.standby import Left
from tests.waiting import auntil

TOPIC = "changelog"


@dataclass
class Toy:
    """A copy that reads and keeps nothing; `held` holds it up, `fails` is raised."""

    changelog: Changelog
    readable: bool = False
    open: bool = True
    left: bool = False
    held: bool = False
    fails: Exception | None = None

    async def catch_up(self) -> None:
        while self.held:
            await asyncio.sleep(0)
            if self.left:
                raise Left
        if self.fails is not None:
            raise self.fails
        async for _ in self.changelog.follow(self.changelog.next_offset):
            pass
        self.readable = True

    def leave(self) -> None:
        self.left = True

    def close(self) -> None:
        assert self.open
        self.open = False


@dataclass
class Worker:
    """The log, a clock that is set, and the copies that were made."""

    now_s: float = 100.0
    made: list[Toy] = field(default_factory=list)
    failed: list[BaseException] = field(default_factory=list)
    log: Any = field(default_factory=lambda: MemoryLog(FixedClock(0)))
    next: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.log.counts[TOPIC] = 3
        self.standbys = Standbys(self.log, self._make, self.failed.append, lambda: self.now_s)

    def _make(self, _table: str, number: int) -> Toy:
        self.made.append(Toy(Changelog(self.log, TOPIC, number, "copy"), **self.next))
        return self.made[-1]

    async def look(self) -> None:
        """One look, and all that comes of it but what is held up."""
        await self.standbys.look()
        await auntil(self._at_rest, 5)

    def _at_rest(self) -> bool:
        busy = sum(one.task is not None for one in self.standbys.kept.values())
        return busy <= sum(toy.held for toy in self.made)

    async def append(self, number: int) -> None:
        await self.log.append(TOPIC, number, [(b"k", b"\0" * 9, None, ())])


def keep(worker: Worker, *numbers: int) -> None:
    """Looks are made by hand from here on."""
    worker.standbys.take({("sessions", number) for number in numbers})
    assert worker.standbys._task is not None
    worker.standbys._task.cancel()


def ages(worker: Worker) -> dict[int, float]:
    return {n: age for n, (_, age) in worker.standbys.readable("sessions").items()}


def test_a_copy_is_as_old_as_the_last_look_that_found_it_complete() -> None:
    async def run() -> None:
        worker = Worker()
        keep(worker, 0, 1)
        await worker.append(1)
        await worker.look()
        assert ages(worker) == {0: 0, 1: 0}
        worker.made[1].held = True
        await worker.append(1)
        worker.now_s += 3
        await worker.look()
        assert ages(worker) == {0: 0, 1: 3}
        assert worker.standbys.kept["sessions", 1].left == 1
        assert not worker.standbys.lacking()
        worker.now_s += LATE_S
        await worker.look()
        assert worker.standbys.lacking() == [("sessions", 1, "it is 63 s old")]
        worker.made[1].held = False
        await worker.look()
        worker.now_s += 2
        assert ages(worker) == {0: 2, 1: 2}
        await worker.standbys.stop()

    asyncio.run(run())


def test_a_copy_that_is_not_wanted_any_more_is_closed_before_leave_returns() -> None:
    async def run() -> None:
        worker = Worker(next={"held": True})
        keep(worker, 0, 1)
        await worker.look()
        await worker.standbys.leave({("sessions", 1)})
        assert [toy.open for toy in worker.made] == [False, True]
        assert list(worker.standbys.kept) == [("sessions", 1)]
        await worker.standbys.stop()
        assert not any(toy.open for toy in worker.made)
        assert not worker.failed

    asyncio.run(run())


def test_a_copy_that_cant_be_kept_is_tried_again_after_a_minute() -> None:
    async def run() -> None:
        worker = Worker(next={"fails": SluiceError("no good")})
        keep(worker, 0)
        await worker.look()
        assert not worker.made[0].open and not ages(worker)
        assert worker.standbys.lacking() == [("sessions", 0, "no good")]
        worker.next = {}
        await worker.look()
        assert len(worker.made) == 1
        worker.now_s += AGAIN_S
        await worker.look()
        assert ages(worker) == {0: 0}
        assert not worker.failed
        await worker.standbys.stop()

    asyncio.run(run())


def test_a_stream_that_is_away_ages_the_copies_and_what_must_not_happen_ends_the_worker() -> None:
    async def run() -> None:
        worker = Worker()
        keep(worker, 0)
        await worker.look()
        await worker.append(0)
        worker.made[0].fails = StreamUnavailable("memory", "a test")
        worker.now_s += 5
        await worker.look()
        assert ages(worker) == {0: 5} and worker.made[0].open
        worker.made[0].fails = ZeroDivisionError("a fault")
        await worker.look()
        assert [type(error) for error in worker.failed] == [ZeroDivisionError]
        await worker.standbys.stop()

    asyncio.run(run())
