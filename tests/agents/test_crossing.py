"""Inputs come to be routed by the new number of shards, however busy they are."""

import asyncio
from typing import Any

import pytest

from agents import growth_desk
from tests.agents.test_engine_histories import ROUTED
from tests.agents.test_growing import KEYS
from tests.agents.world import NAMES, World, aggregator


def switched(world: World) -> None:
    """Lives until all old shards have given their rows away."""
    world.run(world.grow(5, "usage"))
    for _ in range(2):
        world.run(world.work(1_000, commit=True))
        world.run(world.control())


def test_an_input_that_always_has_a_batch_in_work_crosses() -> None:
    world = World()
    world.run(world.apply(ROUTED))
    switched(world)
    records = [{"account": key, "product": "x", "bytes": 1} for key in KEYS]
    world.run(world.produce("usage", 0, records))
    going = asyncio.Event()
    append = world.log.append

    async def held_up(topic: str, partition: int, rows: Any) -> Any:
        if topic == NAMES.sessions_in:
            await going.wait()
        return await append(topic, partition, rows)

    async def told() -> bool:
        engine = await world._alive()
        items = world.log.rows["usage", 0]
        await engine.take("usage", 0, items[:4], lambda: True)
        world.log.append = held_up  # type: ignore[method-assign]  # of this world only
        busy = asyncio.create_task(engine.take("usage", 0, items[4:], lambda: True))
        await asyncio.sleep(0)
        await engine.growth.crossing.look(engine)
        assert not busy.done()
        going.set()
        await busy
        crossed, _ = growth_desk.crossed(5, "usage", 0)
        return any(item[2] == crossed for item in world.log.rows["config", 0])

    assert world.run(told())


@pytest.mark.parametrize(
    ("inputs", "why"),
    [
        (["elsewhere"], "inputs: elsewhere: no aggregator reads there"),
        (
            ["campaign-events"],
            "inputs: campaign-events: the product itself finds records there by key",
        ),
        (["totals-in"], "inputs: totals-in: the product itself finds records there by key"),
        (["usage"], None),
    ],
)
def test_what_the_product_finds_by_key_stays_as_wide_as_it_is(
    inputs: list[str], why: str | None
) -> None:
    world = World(inputs=["usage", "campaign-events", "totals-in"])
    first = aggregator(output={"topic": "totals-in"})
    world.run(
        world.apply(
            first,
            aggregator("again", input="totals-in"),
            aggregator("all", input="campaign-events"),
        )
    )
    problem = growth_desk.problem_of_inputs(world.documents(), inputs)
    assert problem is None if why is None else (problem or "").startswith(why)
