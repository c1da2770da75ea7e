"""Outputs are numbered on from what other owners of the shard have sent."""

import pytest

from tests.agents.test_engine_histories import BY_CONDITION, check, flush_all
from tests.agents.world import World


@pytest.mark.parametrize("step", range(5))
def test_flush_after_a_return_of_an_older_disk_is_sent_in_spite_of_a_kill(step: int) -> None:
    world = World()
    world.run(world.apply(BY_CONDITION))
    record = {"account": "a", "product": "x", "bytes": 1}
    world.run(world.produce("usage", 0, [record] * 3))
    world.settle()
    disks = {number: dict(disk._rows) for number, disk in world.disks.items()}
    for _ in range(2):  # another worker flushes twice, and no row tells of the first any more
        world.run(world.produce("usage", 0, [record] * 3))
        world.settle()
    world.run(world.produce("usage", 0, [record]))
    world.settle()
    for number, rows in disks.items():
        world.disks[number]._rows = dict(rows)
    world.run(world.produce("usage", 0, [record] * 2))
    world.kill_on = step
    for _ in range(3):
        world.run(world.work(10, commit=True))
    assert world.kill_on != step, "it was not killed there"
    world.settle()
    flush_all(world)
    check(world, [record] * 12, "acc")
