"""Rollups exact through kills at every step, cut appends, lost disks and repeats."""

import json
import random
from typing import Any

import pytest

from agents.roll_up import EVENTS, RollUp, RollupShard
from domain.campaigns.book import MemoryBook
from domain.metrics.records import Record, Value, encode
from domain.metrics.rolling import Rolling
from tests.agents.ledger_world import LedgerWorld
from tests.agents.world import NAMES, START_MS, Disk


class RollupWorld(LedgerWorld):
    """One partition of records and the worker that rolls them up."""

    def __init__(self) -> None:
        super().__init__("rollups", EVENTS, "rollups")

    async def open(self, number: int) -> RollupShard:
        return RollupShard(await self.ledger(number), self.clock.now_ms)

    async def work(self, batch: int, commit: bool) -> None:
        """One batch to a new worker."""
        work = RollUp(NAMES, self.open)
        await work.assign({(EVENTS, 0)})
        items = self.log.rows.get((EVENTS, 0), [])[self.at : self.at + batch]
        if items:
            await work.take(0, items, lambda: True)
            if commit:
                self.at += len(items)

    def told(self) -> dict[str, dict[str, Any]]:
        """The newest of each bucket on `rollups`; a higher revision never comes before a lower."""
        found: dict[str, dict[str, Any]] = {}
        for item in self.log.rows.get(("rollups", 0), []):
            value, key = json.loads(item[3] or b""), (item[2] or b"").decode()
            if key not in found or value["revision"] >= found[key]["revision"]:
                found[key] = value
        return found


def some(chance: random.Random, count: int) -> list[Record]:
    """Records of few keys, late ones and new versions among them."""
    return [
        Record(
            "s",
            str(chance.randrange(8)),
            START_MS + chance.randrange(3 * 86_400_000),
            version,
            {},
            [Value("m", "gauge", {"d": chance.choice("ab")}, chance.choice([1, 2.5, 0.1, -3]))],
            "Europe/Stockholm",
        )
        for version in range(1, count + 1)
    ]


@pytest.mark.parametrize("seed", range(8))
def test_kills_at_every_step_change_no_row_and_no_figure(seed: int) -> None:
    chance = random.Random(seed)
    world, records = RollupWorld(), some(chance, 40)
    rows = [(b"k", encode(record), None, ()) for record in records]
    world.run(world.log.append(EVENTS, 0, [*rows, (b"k", b"no record", None, ())]))
    while world.at < 41:
        world.kill_on = chance.choice([None, 0, 1, 2, 3, 4])
        if chance.random() < 0.3:
            world.log.survives = lambda _topic, n: chance.randrange(n + 1) if n > 1 else n
        world.run(world.work(chance.randrange(1, 12), chance.random() < 0.7))
        world.log.survives = lambda _topic, n: n
        if chance.random() < 0.2:
            world.disks[0] = Disk()
    world.kill_on = None
    found = world.run(world.rows()) or {}
    book = MemoryBook()
    for record in records:  # one commit each: revisions may differ, figures not
        rolling = Rolling(book)
        rolling.take(record)
        rolling.close()
    kept = {key: value for key, value in found.items() if key[:1] != b"c"}
    assert kept == {key: value for key, value in book.rows.items() if key[:1] != b"c"}
    wanted = {key.decode(): told for _, key, told in book.sent}
    assert _figures(world.told()) == _figures(wanted)
    letters = {item[2]: json.loads(item[3] or b"") for item in world.log.rows["dead-letters", 0]}
    assert [letter["reason"] for letter in letters.values()] == ["undecodable"]


def _figures(told: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """What has values: a bucket that was filled and emptied within a commit was never told of."""
    return {key: {**value, "revision": 0} for key, value in told.items() if value["count"]}


def test_records_that_come_again_change_nothing() -> None:
    world, records = RollupWorld(), some(random.Random(3), 20)
    rows = [(b"k", encode(record), None, ()) for record in records]
    world.run(world.log.append(EVENTS, 0, rows))
    world.run(world.work(100, True))
    before = world.run(world.rows()), len(world.log.rows["rollups", 0])
    world.run(world.log.append(EVENTS, 0, rows))
    world.run(world.work(100, True))
    assert (world.run(world.rows()), len(world.log.rows["rollups", 0])) == before
