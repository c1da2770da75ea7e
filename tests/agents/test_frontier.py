"""Timers go as far as the inputs have been read, and an assignment meanwhile starts that anew."""

import asyncio
from collections.abc import Callable, Iterable

import pytest

from agents.frontier import TP, Frontier
from connectors.streams.base import TopicSpec
from connectors.streams.memory import MemoryLog
from domain.clock import FixedClock

OWN, INPUT = "in", ("events", 0)


class Interrupted(MemoryLog):
    """Calls `meanwhile` while one of its answers is awaited, the `at`-th of them."""

    at = 0
    meanwhile: Callable[[], None] = staticmethod(lambda: None)

    async def _turn(self) -> None:
        self.at -= 1
        if self.at == 0:
            self.meanwhile()

    async def committed(self, group: str, tps: Iterable[TP]) -> dict[TP, int | None]:
        found = await super().committed(group, tps)
        await self._turn()
        return found

    async def end_offsets(self, tps: Iterable[TP]) -> dict[TP, int]:
        found = await super().end_offsets(tps)
        await self._turn()
        return found


async def begun() -> tuple[Interrupted, Frontier]:
    log = Interrupted(FixedClock(1_000))
    await log.ensure_topic(TopicSpec(OWN, 1))
    await log.ensure_topic(TopicSpec(INPUT[0], 1))
    frontier = Frontier(log, "group", OWN)
    frontier.assign({INPUT})
    return log, frontier


def test_what_waits_to_be_read_holds_timers_back() -> None:
    async def run() -> None:
        log, frontier = await begun()
        assert await frontier.reached([0], 1_000) == {0: 1_000}
        await log.append(*INPUT, [(b"k", b"v", None, ())])
        assert await frontier.reached([0], 2_000) == {0: 1_000}
        frontier.read(*INPUT, 1)
        assert await frontier.reached([0], 3_000) == {0: 2_000}

    asyncio.run(run())


@pytest.mark.parametrize("at", [1, 2, 3, 4])
def test_an_assignment_meanwhile_starts_anew(at: int) -> None:
    async def run() -> None:
        log, frontier = await begun()
        log.at, log.meanwhile = at, lambda: frontier.assign({INPUT})
        assert await frontier.reached([0], 1_000) == {0: 0}
        assert log.at <= 0  # it came to that
        assert await frontier.reached([0], 2_000) == {0: 2_000}

    asyncio.run(run())
