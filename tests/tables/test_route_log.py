"""What was decided about an input partition is found again, however often it was taken over."""

import asyncio

from connectors.streams.memory import MemoryLog
from domain.clock import FixedClock
from tables.changelog import Changelog
from tables.routes import TAIL, RouteLog

TOPIC = "sluice-routes-usage-changelog"


def opened(log: MemoryLog, owner: str) -> RouteLog:
    return RouteLog(Changelog(log, TOPIC, 0, owner))


def test_a_decision_behind_more_claims_than_the_tail_holds_is_found() -> None:
    async def work() -> None:
        log = MemoryLog(FixedClock(0))
        log.counts[TOPIC] = 1
        first = opened(log, "w-0")
        await first.open()
        await first.decide(7, 1, unmatched=3)
        for n in range(TAIL + 10):
            await opened(log, f"w-{n}").open()
        found = opened(log, "later")
        await found.open()
        assert (found.route.decided, found.route.unmatched) == (7, 3)
        await found.decide(9, 1)
        assert found.revisions(0, 10, 2) == [(0, 9, 1), (9, 10, 2)]

    asyncio.run(work())


def test_reading_claims_nothing() -> None:
    async def work() -> None:
        log = MemoryLog(FixedClock(0))
        log.counts[TOPIC] = 1
        owner, reader = opened(log, "owner"), opened(log, "reader")
        await owner.open()
        await owner.decide(1, 1)
        await reader.read()
        assert reader.route.decided == 1
        assert await owner.still_ours()
        await owner.decide(2, 1)
        await reader.read()
        assert reader.route.decided == 2

    asyncio.run(work())
