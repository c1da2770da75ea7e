"""Orders whose endpoint is away go on waiting after a kill, as without one."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from agents.post_orders import PostOrders
from tests.agents.orders_world import LEASE_MS, LOG, OrdersWorld

STEPS = (1, 3, 4, 5, 6, 7, 8)
ORDER = "posted-0011223344556677.20251103.-.1.1.1"


def idle(posting: PostOrders) -> bool:
    return posting.waiting() == 0


def waits(posting: PostOrders) -> bool:
    return posting.waiting() > 0


def story(tell: Callable[[OrdersWorld], Awaitable[None]], world: OrdersWorld) -> None:
    async def told() -> None:
        await tell(world)

    asyncio.run(asyncio.wait_for(told(), 20))


async def lives_on(world: OrdersWorld, until: Callable[[PostOrders], bool] = idle) -> None:
    """Workers one after the other, until one comes to that."""
    while not await world.run(until):
        pass


def left(world: OrdersWorld) -> set[bytes | None]:
    """Orders that still wait in the log."""
    values = {item[2]: item[3] for item in world.log.rows[LOG, 0]}
    return {key for key, value in values.items() if value is not None and key and key[:2] == b"o/"}


@pytest.mark.parametrize("passes", [0, 1])
@pytest.mark.parametrize("step", STEPS)
def test_an_order_that_waited_is_posted_when_its_endpoint_is_back(step: int, passes: int) -> None:
    async def tell(world: OrdersWorld) -> None:
        await world.order("execute")
        await lives_on(world, waits)
        await world.order("cancel")
        await lives_on(world, waits)
        runner = await world.endpoint()
        await lives_on(world)
        await runner.cleanup()
        events = [event for _, event in world.got]
        assert events[0] == "execute" and "execute" not in events[events.index("cancel") :]
        assert {key for key, _ in world.got} == {ORDER, f"{ORDER}/cancel"}
        assert not world.told and not left(world)

    story(tell, OrdersWorld(kill_on=step, passes=passes))


@pytest.mark.parametrize("step", STEPS)
def test_one_whose_endpoint_stays_away_is_told_of_once_and_never_wrongly(step: int) -> None:
    async def tell(world: OrdersWorld) -> None:
        await world.order("execute")
        await lives_on(world, waits)
        world.clock.advance(LEASE_MS)
        await lives_on(world)
        assert {(told["outcome"], told["reason"]) for told in world.told} <= {
            ("FAILED", "UNREACHABLE")
        }
        # a batch that was cut off before it was acknowledged may have arrived, for all we know
        assert bool(world.told) is (step != 1) and not left(world)

    story(tell, OrdersWorld(kill_on=step))


@pytest.mark.parametrize("step", STEPS)
def test_one_that_may_have_arrived_is_not_told_of_whoever_asked(step: int) -> None:
    async def tell(world: OrdersWorld) -> None:
        await world.order("execute")
        await lives_on(world, waits)
        runner = await world.endpoint()
        await lives_on(world, lambda _: bool(world.got))
        await runner.cleanup()
        await lives_on(world, waits)
        world.clock.advance(LEASE_MS)
        await lives_on(world)
        assert not world.told and not left(world)

    story(tell, OrdersWorld(kill_on=step, status=503))


@pytest.mark.parametrize("step", STEPS)
def test_a_refusal_is_told_whatever_comes_between(step: int) -> None:
    async def tell(world: OrdersWorld) -> None:
        await world.order("execute")
        await lives_on(world, waits)
        runner = await world.endpoint()
        await lives_on(world)
        await runner.cleanup()
        assert {told["reason"] for told in world.told} == {"REFUSED"} and not left(world)

    story(tell, OrdersWorld(kill_on=step, status=400))


@pytest.mark.parametrize("step", [6, 7])
def test_a_refusal_that_is_decided_on_stays_one(step: int) -> None:
    async def tell(world: OrdersWorld) -> None:
        await world.order("execute")
        await lives_on(world, waits)
        world.kill_on = step
        runner = await world.endpoint()
        assert not await world.run(idle)
        world.status = 202
        await lives_on(world)
        await runner.cleanup()
        assert len(world.got) == 1
        assert {told["reason"] for told in world.told} == {"REFUSED"} and not left(world)

    story(tell, OrdersWorld(status=400))


def test_an_order_that_comes_too_late_says_so_and_leaves_nothing() -> None:
    async def tell(world: OrdersWorld) -> None:
        await world.order("execute")
        world.clock.advance(LEASE_MS)
        await lives_on(world)
        assert [told["reason"] for told in world.told] == ["UNREACHABLE"] and not left(world)

    story(tell, OrdersWorld())


def test_a_worker_that_lost_the_partition_says_nothing_any_more() -> None:
    async def tell(world: OrdersWorld) -> None:
        await world.order("execute")
        world.pause_s = 0.3  # the first waits so long for its second attempt
        first = asyncio.create_task(world.run(idle))
        while world.next_offset == 0:
            await asyncio.sleep(0)
        world.pause_s = 0.001
        runner = await world.endpoint()
        await lives_on(world)
        await runner.cleanup()
        world.clock.advance(LEASE_MS)
        await first
        assert not world.told and len(world.got) == 1

    story(tell, OrdersWorld())


def test_what_its_flow_does_not_post_any_more_leaves_the_log() -> None:
    async def tell(world: OrdersWorld) -> None:
        await world.order("execute")
        await lives_on(world, waits)
        assert left(world)
        world.flows = type(world.flows)()
        await lives_on(world)
        assert not left(world)

    story(tell, OrdersWorld())
