"""A standby copy of a ledger shows whole commits only, and what it had read when it takes over is
right, whatever was killed before."""

import json
import random
from typing import Any

import pytest

from agents.campaign_route import EVENTS
from domain.campaigns.book import MemoryBook
from domain.insight import taking
from tables.changelog import Changelog
from tables.ledger import Ledger
from tables.ledger_standby import LedgerCopy
from tests.agents.standing import PIECE
from tests.agents.test_insight import IN, InsightWorld, some
from tests.agents.world import NAMES, START_MS, Disk

EVENTS_IN_ALL = 40


async def _never(*_: Any) -> None:
    raise AssertionError("a copy sends nothing")


class Standing(InsightWorld):
    """With a copy, which may take over."""

    def __init__(self) -> None:
        super().__init__()
        self.spare, self.copy = Disk(), None

    copy: LedgerCopy | None

    async def follow(self, rows: int, *, restarted: bool) -> None:
        """The copy catches up by pieces of so many rows."""
        if restarted or self.copy is None:
            changelog = Changelog(self.log, NAMES.changelog("insight"), 0, "copy")
            now_ms = self.clock.now_ms
            ledger = Ledger(0, self.spare, changelog, _never, _never, now_ms=now_ms)
            self.copy = LedgerCopy(ledger)
        self.copy.changelog.read_bytes = rows * PIECE
        await self.copy.catch_up()

    def take_over(self) -> None:
        """The shard goes on from the copy, and the disk it had is the next copy's."""
        self.copy = None
        self.disks[0], self.spare = self.spare, self.disks[0]


def states(events: list[dict[str, Any]], bodies: list[bytes]) -> list[dict[bytes, bytes]]:
    """The rows behind each number of events."""
    book, found = MemoryBook(), [dict[bytes, bytes]()]
    for offset, (event, body) in enumerate(zip(events, bodies, strict=True)):
        taking.take(book, event, body, (0, offset), START_MS, START_MS)
        found.append(dict(book.rows))
    return found


@pytest.mark.parametrize("seed", range(12))
def test_a_copy_shows_whole_commits_and_takes_over_exactly(seed: int) -> None:
    chance = random.Random(seed)
    world, events = Standing(), some(chance, EVENTS_IN_ALL)
    bodies = [json.dumps(event).encode() for event in events]
    world.run(world.log.append(EVENTS, 0, [(b"k", body, None, ()) for body in bodies]))
    for first in range(0, EVENTS_IN_ALL, 2):
        world.run(world.route(first, first + 2))
    wanted = states(events, bodies)
    read = 0
    while world.at < len(world.log.rows[IN, 0]):
        world.kill_on = chance.choice([None, 0, 1, 2, 3, 4])
        if chance.random() < 0.4:
            world.log.survives = lambda _topic, n: chance.randrange(n + 1) if n > 1 else n
        world.run(world.work(chance.randrange(1, 5), chance.random() < 0.7))
        world.log.survives = lambda _topic, n: n
        if chance.random() < 0.2:
            world.log.compact(NAMES.changelog("insight"), 0)
        if chance.random() < 0.6:
            world.run(world.follow(chance.randrange(1, 9), restarted=chance.random() < 0.2))
        if world.copy is not None and world.copy.readable:
            read += 1
            assert world.copy.ledger.rows() in wanted
        if chance.random() < 0.2:
            world.take_over()
    world.kill_on = None
    assert read
    assert world.run(world.rows()) == wanted[-1]
    world.run(world.follow(3, restarted=False))
    assert world.copy is not None and world.copy.ledger.rows() == wanted[-1]
    world.take_over()
    assert world.run(world.rows()) == wanted[-1]


def test_a_commit_without_its_marker_is_not_shown_until_the_next_owner_has_set_it_back() -> None:
    world, events = Standing(), some(random.Random(1), 4)
    bodies = [json.dumps(event).encode() for event in events]
    world.run(world.log.append(EVENTS, 0, [(b"k", body, None, ()) for body in bodies]))
    for first in (0, 2):
        world.run(world.route(first, first + 2))
    world.run(world.work(1, commit=True))
    world.run(world.follow(2, restarted=False))
    assert world.copy is not None
    copy, before = world.copy, world.copy.ledger.rows()
    world.log.survives = lambda _topic, n: n - 1 if n > 1 else n
    world.run(world.work(1, commit=True))
    world.log.survives = lambda _topic, n: n
    for _ in range(2):
        world.run(world.follow(2, restarted=False))
        assert copy.readable and copy.ledger.rows() == before
    spare = dict(world.spare._rows)
    assert world.run(world.rows()) == before
    world.run(world.follow(2, restarted=False))
    assert copy.ledger.rows() == before
    world.spare._rows = spare  # and who takes over from what there was then finds the same
    world.spare._ordered.clear()
    world.take_over()
    assert world.run(world.rows()) == before
