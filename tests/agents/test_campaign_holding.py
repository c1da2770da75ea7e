"""While a store is away a shard holds: nothing is acknowledged, nothing dropped; it says so, and
goes on by itself."""

import asyncio
from typing import Any

import pytest

from agents.shards import NotOwned
from tests.agents.campaign_world import CampaignWorld
from tests.agents.world import NAMES, START_MS
from tests.waiting import auntil

MAKE = {"kind": "command", "command": "make", "request_id": "f-0000000000000000"}
MAKE |= {"body": {"count": 2, "end_ms": START_MS + 30_000}}


def filled() -> tuple[CampaignWorld, int, list[Any]]:
    """A world in which a command waits on a shard's input, its shard, and that batch."""
    world = CampaignWorld()
    world.run(world.produce("campaign-events", 0, MAKE))
    world.run(world.work(10, commit=True, only=0))
    number = next(p for p in range(2) if world.log.rows.get((NAMES.campaigns_in, p)))
    return world, number, world.log.rows[NAMES.campaigns_in, number]


def test_a_batch_is_done_with_only_when_the_store_is_back() -> None:
    world, number, batch = filled()

    async def story() -> None:
        world.away = True
        campaigns = await world.worker()
        taking = asyncio.create_task(
            campaigns.take(NAMES.campaigns_in, number, batch, lambda: True)
        )
        await auntil(lambda: number in campaigns.holding)
        held = campaigns.holding[number]
        assert (held.where, held.detail) == ("documents", "the test took it away")
        events = asyncio.create_task(
            campaigns.take("campaign-events", 0, [(1, 0, None, b"{}", ())], lambda: True)
        )
        for _ in range(3):
            assert not await campaigns.tick()
        assert not taking.done()
        assert not events.done()
        assert not world.stored
        world.away = False

        async def done() -> bool:
            await campaigns.tick()
            return taking.done() and events.done()

        await auntil(done)
        assert not campaigns.holding
        assert ("campaigns", "f-0000000000000000") in world.stored

    world.run(story())
    world.settle()
    assert len(world.outputs("executions")) == 2


def test_a_shard_that_holds_can_be_given_away() -> None:
    world, number, batch = filled()

    async def story() -> None:
        world.away = True
        campaigns = await world.worker()
        ours = True
        taking = asyncio.create_task(
            campaigns.take(NAMES.campaigns_in, number, batch, lambda: ours)
        )
        await auntil(lambda: number in campaigns.holding)
        ours = False
        await campaigns.assign(set())
        with pytest.raises(NotOwned):
            await taking
        assert not campaigns.holding

    world.run(story())
    world.settle()
    assert len(world.outputs("executions")) == 2
    assert len(world.stored) == 3


def test_a_wait_for_a_store_gets_longer_up_to_some_seconds() -> None:
    world, number, _ = filled()

    async def story() -> None:
        world.away = True
        campaigns = await world.worker()

        async def away() -> bool:
            async with campaigns.shards.use(number) as shard:
                book = shard.ledger.book()
                book.store("fdds", "x", {})
                await shard.ledger.commit(book)
            return True

        waits = []
        for _ in range(9):
            await campaigns._try(number, away())
            waits.append(campaigns.holding[number].wait_s)
        assert waits == sorted(waits)
        assert waits[-1] == 5.0

    world.run(story())
