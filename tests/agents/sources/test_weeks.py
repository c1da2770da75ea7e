"""Each connector through a week of days with outages, throttling and kills: every record counts
once, with the figures that the service has in the end."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.agents.sources.weeks import ENVIRON, FIRST, WEEKS, Week
from tests.agents.sources.world import World
from tests.connectors.sources.service import Fault

DAY_MS = 86_400_000
FAULTS: list[Fault] = [None, None, None, None, None, None, 500, 503, 429, "limit", "drop"]


@pytest.mark.parametrize("name", WEEKS)
def test_a_week_of_faults_and_kills_counts_every_record_once(name: str, tmp_path: Path) -> None:
    for seed in range(2):
        asyncio.run(play(name, seed, tmp_path / str(seed), kills=7))


@pytest.mark.faults
@pytest.mark.parametrize("name", WEEKS)
def test_many_weeks_of_faults_and_kills_count_every_record_once(name: str, tmp_path: Path) -> None:
    for seed in range(100, 105):
        asyncio.run(play(name, seed, tmp_path / str(seed), kills=30))


async def play(name: str, seed: int, folder: Path, kills: int) -> None:
    rng = random.Random(seed)
    faults = (rng.choice(FAULTS) for _ in range(60))
    week: Week = WEEKS[name].made(rng, faults)
    world = World(
        folder,
        append_kills={rng.randrange(2, 120): 0 for _ in range(kills // 3)},
        step_kills={rng.randrange(150) for _ in range(kills // 3)},
        file_kills={rng.randrange(60) for _ in range(kills // 3)},
        environ=ENVIRON,
    )
    service = week.service
    again: list[str] = []
    async with service.serve() as url:
        document = {"name": "s", "base_url": url, **week.document}
        if document["connector"] != "github_webhook":
            document["schedule"] = "0 0 * * *"
        if "csv" in document["fetch"]:
            document = {**document, "fetch": {**document["fetch"], "csv": f"{url}/ranks.csv"}}
            del document["base_url"]
        world.apply(**document)
        if name == "Http":
            service.seen = lambda keys: again.extend(k for k in keys if ("s", k) in world.look())
        objects: Counter[str] = Counter()
        if name == "Logs":
            service.seen = objects.update
        for number in range(7):
            week.happen()
            await fetched(world, rng)
            if number == 6:
                break
            outage = rng.choice([1, 1, 1, 2])  # days on which nobody fetches
            for _ in range(outage):
                world.clock.advance(DAY_MS)
                week.day = week.day.fromordinal(week.day.toordinal() + 1)
                if outage > 1 and name not in ("Github", "Twitter", "YouTube"):
                    week.happen()
        while week.day.toordinal() < FIRST.toordinal() + 6:
            world.clock.advance(DAY_MS)
            week.day = week.day.fromordinal(week.day.toordinal() + 1)
        await fetched(world, rng)
    found: dict[str, Any] = {}
    for key, record in world.newest("s").items():
        told = week.told(key, record)
        if told is not None:
            found[told[0]] = told[1]
    known = {key: value for key, value in found.items() if key in week.want}
    assert known == week.want
    assert world.events("s") == world.newest("s")
    assert again == []
    if week.once:
        assert found.keys() == week.want.keys()
        contents = Counter(repr(each.record) for each in world.archived("s"))
        assert all(count == 1 for count in contents.values()), "archived once"
    if name == "Logs":
        assert world.kills or max(objects.values(), default=1) == 1


async def fetched(world: World, rng: random.Random) -> None:
    for _ in range(20):
        if await world.fetch("s") == "done":
            return
    raise AssertionError("it does not get there")
