"""A disk of long ago goes on exactly, whatever compaction has left of the changelog since.

It is what a backup puts back, and what a worker has that gets a partition again.
"""

from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.agents.world import NAMES, World, aggregator

HOUR, DAY = 3_600_000, 86_400_000
SHORT = aggregator(ttl_days=1, event_id="id", dedup_days=1)
CHANGELOG = NAMES.changelog("sessions")

step = st.one_of(
    st.tuples(st.just("produce"), st.integers(0, 1), st.lists(st.sampled_from("abc"), max_size=4)),
    st.tuples(st.just("work"), st.integers(1, 5)),
    st.tuples(st.just("advance"), st.sampled_from([HOUR, 6 * HOUR, DAY, 2 * DAY])),
    st.tuples(st.just("tick")),
    st.tuples(st.just("compact")),
    st.tuples(st.just("back up")),
    st.tuples(st.just("restore"), st.integers(0, 1)),
    st.tuples(st.just("kill at"), st.integers(1, 12)),
)
LONG_AGO = [
    ("produce", 0, ["a", "b", "c"]), ("advance", HOUR), ("tick",), ("back up",), ("advance", DAY),
    ("tick",), ("produce", 0, ["a"]), ("work", 5), ("advance", 2 * DAY), ("tick",),
    ("compact",), ("restore", 0), ("restore", 1),
]  # fmt: skip


def lived(history: list[Any]) -> tuple[World, int]:
    """The world after the history, and how many records it was given."""
    world, produced = World(), 0
    backups: dict[int, dict[bytes, bytes]] = {}
    world.run(world.apply(SHORT))
    for event in history:
        match event:
            case ("produce", partition, accounts):
                rows = [
                    {"account": account, "bytes": n, "id": str(produced + n)}
                    for n, account in enumerate(accounts)
                ]
                if rows:
                    world.run(world.produce("usage", partition, rows))
                    produced += len(rows)
                    for _ in range(2):  # routed, then applied
                        world.run(world.work(100, commit=True))
            case ("work", batch):
                world.run(world.work(batch, commit=True))
            case ("advance", by):
                world.clock.advance(by)
            case ("tick",):
                world.run(world.tick())
            case ("compact",):
                for number in range(world.partitions):
                    world.log.compact(CHANGELOG, number)
            case ("back up",):
                backups = {number: dict(disk._rows) for number, disk in world.disks.items()}
            case ("restore", number):
                if number in backups:
                    world.disks[number]._rows = dict(backups[number])
                    world.disks[number]._ordered.clear()
            case ("kill at", n):
                world.kill_at = world.passed + n
    world.settle()
    return world, produced


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
@given(st.lists(step, max_size=25))
@example(LONG_AGO)
def test_a_disk_put_back_counts_every_record_once(history: list[Any]) -> None:
    world, produced = lived(history)
    totals = world.totals().get("acc")
    count = {"in": 0} if totals is None else totals["count"]
    assert count["in"] == produced
    assert totals is None or totals["balanced"]


def test_a_disk_of_long_ago_has_no_row_that_was_forgotten() -> None:
    world, _ = lived(LONG_AGO)
    world.totals()
    assert sum(len(list(disk.scan(b"s", b"t"))) for disk in world.disks.values()) == 0


def test_a_disk_of_this_morning_is_not_made_anew() -> None:
    world = World()
    world.run(world.apply(SHORT))
    world.run(world.produce("usage", 0, [{"account": "a", "bytes": 1, "id": "1"}]))
    world.settle()
    marked = b"z not of the product"
    for disk in world.disks.values():
        disk.write([(marked, b"")])
    world.run(world.produce("usage", 0, [{"account": "a", "bytes": 1, "id": "2"}]))
    world.settle()
    for number in range(world.partitions):
        world.log.compact(CHANGELOG, number)
    world.clock.advance(6 * HOUR)
    world.run(world.tick())
    assert all(disk.get_many([marked]) == [b""] for disk in world.disks.values())
