"""How far the inputs are is never forgotten, whatever happens while the stream is asked."""

import asyncio
from collections.abc import Iterable

from agents.engine import TP
from tests.agents.world import NAMES, World, aggregator, ready

SHARD = (NAMES.sessions_in, 0)


def test_batch_that_comes_while_positions_are_asked_for_counts_as_read() -> None:
    world = World(partitions=1)
    world.run(world.apply(aggregator()))
    world.run(world.produce("usage", 0, [{"account": "a", "bytes": 1}]))

    async def story() -> tuple[int, int]:
        engine = await world._alive()
        await ready(engine)
        asked = world.log.committed

        async def committed(group: str, tps: Iterable[TP]) -> dict[TP, int | None]:
            found = await asked(group, tps)
            for tp in (("usage", 0), SHARD):
                await engine.take(*tp, world.log.rows[tp][-1:], lambda: True)
            return found

        await engine.take("usage", 0, world.log.rows["usage", 0], lambda: True)
        engine.intakes.positions.clear()
        world.log.committed = committed  # type: ignore[method-assign]
        await engine.tick()
        return engine.read[0], engine.intakes.positions["usage", 0]

    read, position = asyncio.run(story())
    assert read == len(world.log.rows[SHARD])
    assert position == 1
