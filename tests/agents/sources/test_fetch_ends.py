"""A fetch is over with its last page: what was archived is not asked for again, whenever the kill
came; one that was left on an earlier day comes up to today."""

from __future__ import annotations

import asyncio
import random
from datetime import date
from pathlib import Path

import pytest

from domain.metrics.moments import DAY, day_of
from tests.agents.sources.weeks import ENVIRON, FIRST, WEEKS
from tests.agents.sources.world import NOW_MS, World
from tests.connectors.sources.accounts import Analytics
from tests.connectors.sources.drained import drained

DAY_MS = 86_400_000


@pytest.mark.parametrize("name", ["Twitter", "LinkedIn", "YouTube"])
@pytest.mark.parametrize("step", [2, 3, 4])
def test_a_kill_behind_the_last_page_asks_for_nothing_again(
    name: str, step: int, tmp_path: Path
) -> None:
    asyncio.run(killed(name, step, tmp_path))


async def killed(name: str, step: int, folder: Path) -> None:
    """The service tells of one day: one page of figures, and a snapshot where it has them."""
    week = WEEKS[name].made(random.Random(1), [])
    pages = 2 if name == "YouTube" else 1
    world = World(folder, step_kills={5 * (pages - 1) + step}, environ=ENVIRON)
    async with week.service.serve() as url:
        world.apply(**{"name": "s", "schedule": "0 0 * * *", "base_url": url, **week.document})
        world.clock.advance(DAY_MS)
        week.day += DAY
        week.happen()

        def over(collector: object) -> bool:
            place = world.fetcher_of(collector, "s").place  # type: ignore[arg-type]  # the world's
            return place.fetched_ms == world.clock.now_ms()

        await world.until(over)
        asked = week.service.requests
        looks = iter(range(20))
        await world.until(lambda _: next(looks, None) is None)
    assert world.kills or step == 4  # the fetch is over by then: nobody waits for the kill
    assert week.service.requests == asked
    paths = [path for path, _ in week.service.asked if path != "/token"]
    assert len(paths) == len(set(paths)) == pages


def test_a_round_that_was_left_on_an_earlier_day_comes_up_to_today() -> None:
    service = Analytics()
    service.token = "t0"
    service.days = {FIRST + n * DAY: n + 1 for n in range(-4, 3)}
    document = {
        "connector": "google_analytics", "credentials": {"token": "T0"},
        "fetch": {"property": 123, "dimensions": ["country"],
                  "metrics": ["sessions", "engagementRate"]},
    }  # fmt: skip

    async def run() -> list[date]:
        async with service.serve() as url:
            body = {**document, "base_url": url}
            pages, _ = await drained(body, environ=ENVIRON)
            later = NOW_MS + 2 * DAY_MS
            rest, _ = await drained(body, pages[1].cursor, environ=ENVIRON, now_ms=later)
            assert [page.last for page in rest] == [False] * (len(rest) - 1) + [True]
            return [day_of(page.records[0].ts_ms) for page in rest if page.records]

    # those of the round's beginning are known, and have not changed
    assert asyncio.run(run()) == [FIRST + n * DAY for n in range(-1, 3)]
