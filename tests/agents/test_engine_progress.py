"""How far the inputs are is never forgotten, whatever happens while the stream is asked."""

import asyncio
from collections.abc import Iterable, Sequence

from agents.engine import TP
from connectors.streams.base import Row
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


def test_records_decided_and_not_yet_sent_on_are_waited_for() -> None:
    world = World(partitions=1)
    world.run(world.apply(aggregator()))
    for minutes, account in ((0, "a"), (30, "a"), (120, "b")):
        world.clock.advance(minutes * 60_000)
        world.run(world.produce("usage", 0, [{"account": account, "bytes": 1}]))

    async def story() -> None:
        engine = await world._alive()
        await ready(engine)
        append = world.log.append

        async def ticking(topic: str, partition: int, rows: Sequence[Row]) -> tuple[int, int]:
            if topic == NAMES.sessions_in:
                for _ in range(2):
                    await engine.tick()
            return await append(topic, partition, rows)

        records = world.log.rows["usage", 0]
        await engine.take("usage", 0, records[:1], lambda: True)
        await engine.take(*SHARD, world.log.rows[SHARD], lambda: True)
        read = len(world.log.rows[SHARD])
        world.log.append = ticking  # type: ignore[method-assign]
        await engine.take("usage", 0, records[1:], lambda: True)
        await engine.take(*SHARD, world.log.rows[SHARD][read:], lambda: True)
        for _ in range(2):
            await engine.tick()

    asyncio.run(story())
    (flush,) = [one for one in world.outputs() if one["group"] == {"account": "a"}]
    assert flush["values"]["count"] == 2
