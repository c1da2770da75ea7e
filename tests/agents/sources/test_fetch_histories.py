"""Whatever the service and kills do: no page is fetched again once archived, every record counts
once, and events tell the same as the archive."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.agents.sources.world import NOW_MS, World
from tests.connectors.sources.service import Fault, Items

FAULTS: list[Fault] = [None, None, None, 500, 503, 429, "limit", "drop"]


@st.composite
def histories(draw: st.DrawFn) -> dict[str, Any]:
    return {
        "days": draw(st.lists(st.integers(0, 8), min_size=1, max_size=5)),
        "hours": draw(st.integers(1, 5)),
        "faults": draw(st.lists(st.sampled_from(FAULTS), max_size=30)),
        "appends": draw(st.dictionaries(st.integers(1, 40), st.integers(0, 2), max_size=4)),
        "steps": draw(st.sets(st.integers(0, 40), max_size=4)),
        "files": draw(st.sets(st.integers(0, 40), max_size=4)),
    }


def document(url: str, **changes: Any) -> dict[str, Any]:
    return {
        "name": "s",
        "connector": "http_json",
        "schedule": "0 * * * *",
        "base_url": url,
        "fetch": {
            "path": "/items", "params": {"limit": 3}, "records": "items", "key": "id", "ts": "at",
            "paging": {"next": "next", "param": "after"},
            "cursor": {"field": "id", "param": "after"},
        },
        **changes,
    }  # fmt: skip


@settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.too_slow])
@given(histories())
def test_no_page_is_fetched_twice_and_every_record_counts_once(history: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(play(history, Path(folder)))


async def play(history: dict[str, Any], folder: Path) -> None:
    world = World(folder, history["appends"], history["steps"], history["files"])
    service = Items(iter(history["faults"]))
    again: list[str] = []

    def seen(keys: list[str]) -> None:
        known = world.look()
        again.extend(key for key in keys if ("s", key) in known)

    async with service.serve() as url:
        world.apply(**document(url))
        service.seen = seen
        for count in history["days"]:
            for _ in range(count):
                number = len(service.items) + 1
                at = NOW_MS + number % history["hours"] * 3_600_000
                service.items.append({"id": number, "at": at, "nested": {"n": number}})
            world.clock.advance(1_000)
            while (await world.fetch("s")) != "done":
                continue  # its retries were used up; the next one goes on
    assert again == [], "asked for again although it was archived"
    wanted = {str(item["id"]) for item in service.items}
    archived = [str(each.record.attributes["id"]) for each in world.archived("s")]
    assert sorted(archived) == sorted(wanted), "each record is archived once"
    assert world.events("s") == world.newest("s")
    assert world.newest("s").keys() == wanted
