"""Funnel and usage events exact through kills at every step, cut appends, lost disks, repeats."""

import json
import random
from functools import partial
from typing import Any

import pytest

from agents.campaign_parcels import parcels
from agents.campaign_route import EVENTS, route
from agents.insight import Insight, InsightShard
from connectors.streams.murmur2 import partition_for
from domain.campaigns.book import MemoryBook
from domain.insight import taking
from domain.insight.erase import Whom, erase
from domain.insight.events import WHATS
from tests.agents.ledger_world import LedgerWorld
from tests.agents.world import NAMES, START_MS, Disk

IN = NAMES.insight_in


class InsightWorld(LedgerWorld):
    """One partition of parcels and the worker that takes them."""

    def __init__(self) -> None:
        super().__init__("insight", EVENTS, IN)

    async def open(self, number: int) -> InsightShard:
        return InsightShard(await self.ledger(number), self.clock.now_ms)

    async def route(self, first: int, upto: int) -> None:
        """Places events of the public topic, perhaps again."""
        items = self.log.rows[EVENTS, 0][first:upto]
        sent = route(EVENTS, 0, items, 1, self.clock.now_ms())
        rows = [(None, parcel, None, ()) for parcel in parcels(sent.watched[0])]
        await self.log.append(IN, 0, rows)

    async def work(self, batch: int, commit: bool) -> None:
        """One batch to a new worker."""
        work = Insight(NAMES, self.open)
        await work.assign({(IN, 0)})
        items = self.log.rows.get((IN, 0), [])[self.at : self.at + batch]
        if items:
            await work.take(0, items, lambda: True)
            if commit:
                self.at += len(items)

    async def forget(self) -> None:
        """Forgets all that is old enough."""
        work = Insight(NAMES, self.open)
        await work.assign({(IN, 0)})
        async with work.shards.use(0):
            pass
        while await work.tick():
            pass

    async def erase(self, whom: Whom) -> int:
        """Erases, by a new worker, as far as it gets."""
        work = Insight(NAMES, self.open)
        await work.assign({(IN, 0)})
        async with work.shards.use(0):
            pass
        events, left = 0, {0: b""}
        while left:
            told = (await work.erase(left, whom, dry_run=False))[0]
            events += told["events"]
            left = {} if told["reached"] is None else {0: told["reached"]}
        return events


def some(chance: random.Random, count: int) -> list[dict[str, Any]]:
    """Events of few customers and campaigns."""
    return [
        {
            "kind": kind,
            "operation": chance.choice(["Enter", "Error"]),
            "what": chance.choice(WHATS),
            "campaign": chance.choice("ab"),
            "customer": chance.choice(["p", "q", ""]),
            "placeholder": chance.choice("xy"),
            "at": f"2025-11-0{chance.randrange(1, 6)}T1{chance.randrange(3)}:00:00Z",
        }
        for kind in (chance.choice(["funnel", "usage"]) for _ in range(count))
    ]


@pytest.mark.parametrize("seed", range(8))
def test_kills_at_every_step_change_no_row(seed: int) -> None:
    chance = random.Random(seed)
    world, events = InsightWorld(), some(chance, 40)
    bodies = [json.dumps(event).encode() for event in events]
    world.run(world.log.append(EVENTS, 0, [(b"k", body, None, ()) for body in bodies]))
    routed = 0
    while routed < 40:
        first = max(0, routed - chance.choice([0, 0, 3, 7]))  # a kill: some are placed again
        upto = min(40, routed + chance.randrange(1, 9))
        world.run(world.route(first, upto))
        routed = upto
    while world.at < len(world.log.rows[IN, 0]):
        world.kill_on = chance.choice([None, 0, 1, 2, 3, 4])
        if chance.random() < 0.3:
            world.log.survives = lambda _topic, n: chance.randrange(n + 1) if n > 1 else n
        world.run(world.work(chance.randrange(1, 5), chance.random() < 0.7))
        world.log.survives = lambda _topic, n: n
        if chance.random() < 0.2:
            world.disks[0] = Disk()
    world.kill_on = None
    found = world.run(world.rows()) or {}
    book = MemoryBook()
    for offset, (event, body) in enumerate(zip(events, bodies, strict=True)):
        taking.take(book, event, body, (0, offset), START_MS, START_MS)
    assert found == book.rows
    world.clock.advance(100 * 86_400_000)
    for step in (1, 2, 3):
        world.kill_on = step
        world.run(world.forget())
    world.kill_on = None
    world.run(world.forget())
    assert world.run(world.rows()) == {}


@pytest.mark.parametrize("seed", range(4))
def test_an_erasure_that_is_killed_is_completed_by_the_next(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agents.insight.erase", partial(erase, limit=5))
    chance = random.Random(seed)
    world, events = InsightWorld(), some(chance, 40)
    bodies = [json.dumps(event).encode() for event in events]
    world.run(world.log.append(EVENTS, 0, [(b"k", body, None, ()) for body in bodies]))
    world.run(world.route(0, 40))
    while world.at < len(world.log.rows[IN, 0]):
        world.run(world.work(3, commit=True))
    whom = Whom(["p"])
    for step in (1, 2, 3, 0):
        world.kill_on = step
        world.log.survives = lambda _topic, n: chance.randrange(n + 1) if n > 1 else n
        world.run(world.erase(whom))
        world.log.survives = lambda _topic, n: n
        if chance.random() < 0.5:
            world.disks[0] = Disk()
    world.kill_on = None
    world.run(world.erase(whom))
    assert world.run(world.erase(whom)) == 0
    book = MemoryBook()
    for offset, (event, body) in enumerate(zip(events, bodies, strict=True)):
        taking.take(book, event, body, (0, offset), START_MS, START_MS)
    assert erase(book, whom, b"", dry_run=False).reached is None
    assert (world.run(world.rows()) or {}) == book.rows


def test_what_is_no_event_is_a_dead_letter_and_the_others_go_on() -> None:
    good = {"kind": "usage", "what": "lead", "customer": "p"}
    items = [
        (n, 5, None, json.dumps(value).encode(), ())
        for n, value in enumerate([good, {"kind": "usage", "what": "x"}, {"kind": "funnel"}, good])
    ]
    sent = route(EVENTS, 0, items, 3, 0)
    ((number, entries),) = sent.watched.items()
    assert number == partition_for(b"p", 3)
    assert [entry.offset for entry in entries] == [0, 3]
    assert [(letter.offset, letter.reason) for letter in sent.letters] == [
        (1, "bad_event"),
        (2, "bad_event"),
    ]
