"""Whatever a standby copy had read when it takes over, and whatever was killed before: every record
is counted once, and every id has one content."""

from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tables.layout import FORGET, LOCAL, OUTBOX, OUTBOX_END, ROW, WAKE, decode_local
from tests.agents.standing import Standing
from tests.agents.test_engine_histories import check, cut_append
from tests.agents.world import NAMES, aggregator

HOUR = 3_600_000
CHANGELOG = NAMES.changelog("sessions")
DOCUMENTS = (
    aggregator(),
    aggregator("ids", event_id="id", dedup_days=30),
    aggregator("short", ttl_days=1),
)

step = st.one_of(
    st.tuples(st.just("produce"), st.integers(0, 1), st.lists(st.integers(0, 12), max_size=5)),
    st.tuples(st.just("work"), st.integers(1, 5), st.booleans()),
    st.tuples(st.just("advance"), st.sampled_from([HOUR, 7 * HOUR, 13 * HOUR, 25 * HOUR])),
    st.tuples(st.just("tick")),
    st.tuples(st.just("compact")),
    st.tuples(st.just("kill at"), st.integers(1, 12)),
    st.tuples(st.just("cut"), st.integers(0, 4), st.sampled_from(["changelog", "aggregates"])),
    st.tuples(
        st.just("follow"),
        st.integers(0, 1),
        st.integers(1, 4),
        st.sampled_from([1, 2, 5, 999]),
        st.booleans(),
    ),
    st.tuples(st.just("restart copy"), st.integers(0, 1)),
    st.tuples(st.just("take over"), st.integers(0, 1)),
)
# the blocks of a commit are there, and not its marks, when the copy takes over
ALL = [("follow", 0, 4, 999, False), ("follow", 1, 4, 999, False)]
WORK = ("work", 5, True)
BLOCKS_ONLY = [
    ("produce", 0, [1, 2, 3]), WORK, WORK, *ALL, ("produce", 0, [4, 5, 6]), WORK,
    ("cut", 2, "changelog"), ("work", 5, False), *ALL, ("restart copy", 0), ("restart copy", 1),
    ("take over", 0), ("take over", 1), ("produce", 1, [7, 8]), WORK, WORK,
    ("produce", 0, [4, 5, 6, 7, 8]), WORK,
]  # fmt: skip


def lived(history: list[Any]) -> tuple[Standing, list[dict[str, Any]]]:
    """The world after the history, and the records it was given."""
    world, produced = Standing(), []
    world.run(world.apply(*DOCUMENTS))
    for event in history:
        match event:
            case ("produce", partition, ids):
                for id_ in ids:
                    record = {"account": "abc"[id_ % 3], "id": str(id_), "bytes": id_}
                    world.run(world.produce("usage", partition, [record]))
                    produced.append(record)
            case ("work", batch, commit):
                world.run(world.work(batch, commit))
            case ("advance", by):
                world.clock.advance(by)
            case ("tick",):
                world.run(world.tick())
            case ("compact",):
                for number in range(world.partitions):
                    world.log.compact(CHANGELOG, number)
            case ("kill at", n):
                world.kill_at = world.passed + n
            case ("cut", left, where):
                cut_append(world, left, where)
            case ("follow", number, rows, pieces, away):
                world.run(world.follow(number, rows, pieces, away=away))
            case ("restart copy", number):
                world.copies.pop(number, None)
            case ("take over", number):
                world.take_over(number)
    world.log.survives = lambda _topic, n: n
    world.settle()
    return world, produced


def exact(world: Standing, produced: list[dict[str, Any]]) -> None:
    """All is counted once."""
    totals = world.totals()
    for name in ("acc", "ids", "short"):
        if name in totals:
            assert totals[name]["balanced"], totals[name]
        counted = totals[name]["count"]["in"] if name in totals else 0
        assert counted == len(produced), (name, totals.get(name))
    repeated = len(produced) - len({record["id"] for record in produced})
    assert not produced or totals["ids"]["count"]["duplicates"] == repeated


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
@given(st.lists(step, max_size=25))
@example(BLOCKS_ONLY)
def test_a_copy_that_takes_over_counts_every_record_once(history: list[Any]) -> None:
    world, produced = lived(history)
    exact(world, produced)
    for number in range(world.partitions):  # and once more, from where the copies are in the end
        world.run(world.follow(number, 3))
        world.take_over(number)
    exact(world, produced)
    world.clock.advance(2 * HOUR)
    world.run(world.tick())
    check(world, produced, "acc")


def test_a_copy_that_keeps_up_has_the_rows_of_the_owner_and_no_outbox_that_grows() -> None:
    world = Standing(partitions=1)
    world.run(world.apply(*DOCUMENTS))
    for n in range(6):
        world.run(world.produce("usage", 0, [{"account": "a", "id": str(n), "bytes": n}]))
        world.settle()
        world.run(world.follow(0, 1 + n % 3))
        world.clock.advance(2 * HOUR)  # a flush
        world.run(world.tick())
    world.run(world.follow(0, 2))
    owner, copy = world.disks[0], world.spares[0]
    for first, end in ((ROW, b"t"), (WAKE, FORGET), (b"b", b"f")):
        assert list(copy.scan(first, end)) == list(owner.scan(first, end)), first
    assert len(list(copy.scan(OUTBOX, OUTBOX_END))) <= 3  # one flush of each, of the last commit
    assert world.copies[0].readable


def test_a_copy_whose_stream_was_away_at_any_record_misses_none() -> None:
    world = Standing(partitions=1)
    world.run(world.apply(*DOCUMENTS))
    world.run(world.follow(0, 1))
    for n in range(3):  # each by another owner, with a claim of its own
        world.run(world.produce("usage", 0, [{"account": str(n), "id": str(n), "bytes": n}]))
        world.settle()
    spare = dict(world.spares[0]._rows)
    wanted = list(world.disks[0].scan(ROW, b"t"))
    for n in range(len(world.log.rows[CHANGELOG, 0])):
        world.copies.clear()
        world.spares[0]._rows = dict(spare)
        world.spares[0]._ordered.clear()
        world.run(world.follow(0, 4, n, away=True))
        assert list(world.spares[0].scan(ROW, b"t")) == wanted, n


def test_who_takes_over_reads_only_what_the_copy_had_not() -> None:
    world = Standing(partitions=1)
    world.run(world.apply(*DOCUMENTS))
    records = [{"account": str(n), "id": str(n), "bytes": n} for n in range(50)]
    world.run(world.produce("usage", 0, records))
    world.settle()
    world.run(world.follow(0, 4))
    had = len(world.log.rows[CHANGELOG, 0])
    world.run(world.produce("usage", 0, records[:3]))
    for _ in range(2):
        world.run(world.work(10, commit=True))
    world.take_over(0)
    found = decode_local(world.disks[0].get_many([LOCAL])[0] or b"")
    assert found.changelog_next == had
    exact(world, records + records[:3])
