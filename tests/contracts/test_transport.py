"""What Faust's agents get on every stream, and what is committed for them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from faust.types.tuples import TP

from connectors.streams.base import Log
from connectors.streams.faust_consumer import BatchingConsumer
from tests.connectors.streams.kafka.workers import Worker, acknowledge, filled, more, working
from tests.contracts.streams import SEEN_S, Stream, until_committed
from tests.waiting import auntil


def _consumer(worker: Worker) -> BatchingConsumer:
    consumer = worker.app.consumer
    assert isinstance(consumer, BatchingConsumer)
    return consumer


class Holding:
    """An agent's body that takes batches and acknowledges none."""

    def __init__(self) -> None:
        self.events: list[Any] = []

    async def __call__(self, worker: Worker, event: Any) -> None:
        worker.note(event)
        self.events.append(event)


@asynccontextmanager
async def _released(holding: Holding) -> AsyncIterator[None]:
    """Acknowledges at the end what a failed test would let a stopping worker wait for."""
    try:
        yield
    finally:
        for event in holding.events:
            event.ack()


def test_records_reach_the_agent_in_order_and_are_committed(quick: Stream) -> None:
    async def story(log: Log) -> None:
        topic, group = quick.name(), quick.name("group")
        await filled(log, topic, partitions=2, records=3_000)
        async with working(quick.settings, log, group, topic) as worker:
            await auntil(lambda: worker.count() >= 6_000, SEEN_S)
            await more(log, topic, 1, 10)
            await auntil(lambda: worker.count() >= 6_010, SEEN_S)
            assert worker.seen == {
                (topic, 0): list(range(3_000)),
                (topic, 1): list(range(3_010)),
            }
            await until_committed(log, group, topic, 3_000, 3_010)

    quick.run(story)


def test_batches_are_no_larger_than_the_settings_say(quick: Stream) -> None:
    small = quick.with_settings(batch_records=700)

    async def story(log: Log) -> None:
        topic, group = quick.name(), quick.name("group")
        await filled(log, topic, records=5_000)
        async with working(small.settings, log, group, topic) as worker:
            await auntil(lambda: worker.count() >= 5_000, SEEN_S)
            assert max(worker.batches) == 700
            assert worker.seen == {(topic, 0): list(range(5_000))}

    small.run(story)


def test_only_the_acknowledged_prefix_is_committed(quick: Stream) -> None:
    small = quick.with_settings(batch_records=10)

    async def story(log: Log) -> None:
        topic, group, held = quick.name(), quick.name("group"), Holding()
        await filled(log, topic, records=40)
        async with working(small.settings, log, group, topic, body=held) as worker, _released(held):
            await auntil(lambda: len(held.events) == 4, SEEN_S)
            first, second, third, fourth = held.events
            third.ack()
            second.ack()
            await _consumer(worker).commit_all()
            assert await log.committed(group, [(topic, 0)]) == {(topic, 0): None}
            first.ack()
            await until_committed(log, group, topic, 30)
            fourth.ack()
            await until_committed(log, group, topic, 40)

    small.run(story)


def test_agent_that_is_behind_holds_four_batches_of_a_partition(quick: Stream) -> None:
    small = quick.with_settings(batch_records=10)

    async def story(log: Log) -> None:
        topic, group, held = quick.name(), quick.name("group"), Holding()
        await filled(log, topic, partitions=2, records=100)
        async with working(small.settings, log, group, topic, body=held) as worker, _released(held):
            await auntil(lambda: len(held.events) == 8, SEEN_S)
            assert [_consumer(worker).in_flight.room((topic, p)) for p in (0, 1)] == [0, 0]
            assert worker.count() == 80
            oldest = next(event for event in held.events if event.message.partition == 1)
            oldest.ack()
            await auntil(lambda: len(held.events) == 9, SEEN_S)
            assert held.events[-1].message.partition == 1
            assert worker.seen == {(topic, 0): list(range(40)), (topic, 1): list(range(50))}

    small.run(story)


def test_worker_goes_on_where_the_group_stands(quick: Stream) -> None:
    async def story(log: Log) -> None:
        topic, group = quick.name(), quick.name("group")
        await filled(log, topic, records=100)
        async with working(quick.settings, log, group, topic) as worker:
            await auntil(lambda: worker.count() >= 100, SEEN_S)
        await more(log, topic, 0, 7)
        async with working(quick.settings, log, group, topic) as worker:
            await auntil(lambda: worker.count() >= 7, SEEN_S)
            assert worker.seen == {(topic, 0): list(range(100, 107))}

    quick.run(story)


def test_groups_do_not_know_of_each_other(quick: Stream) -> None:
    async def story(log: Log) -> None:
        topic, one, other = quick.name(), quick.name("one"), quick.name("other")
        await filled(log, topic, records=50)
        async with working(quick.settings, log, one, topic):
            await until_committed(log, one, topic, 50)
        assert await log.committed(other, [(topic, 0)]) == {(topic, 0): None}
        async with working(quick.settings, log, other, topic) as worker:
            await auntil(lambda: worker.count() >= 50, SEEN_S)
            assert worker.seen == {(topic, 0): list(range(50))}

    quick.run(story)


def test_rewound_partition_is_consumed_again(quick: Stream) -> None:
    async def story(log: Log) -> None:
        topic, group = quick.name(), quick.name("group")
        await filled(log, topic, partitions=2, records=100)
        async with working(quick.settings, log, group, topic) as worker:
            await auntil(lambda: worker.count() >= 200, SEEN_S)
            await _consumer(worker).seek(TP(topic, 0), 40)
            await auntil(lambda: worker.count() >= 260, SEEN_S)
            await more(log, topic, 0, 1)
            await auntil(lambda: worker.seen[topic, 0][-1] == 100, SEEN_S)
            assert worker.seen == {
                (topic, 0): [*range(100), *range(40, 101)],
                (topic, 1): list(range(100)),
            }

    quick.run(story)


def test_seeks_of_one_partition_cost_another_nothing(quick: Stream) -> None:
    small = quick.with_settings(batch_records=100)

    async def story(log: Log) -> None:
        topic, group = quick.name(), quick.name("group")
        await filled(log, topic, partitions=3, records=10)
        async with working(small.settings, log, group, topic) as worker:
            await auntil(lambda: worker.count() >= 30, SEEN_S)
            for _ in range(100):
                appends = [more(log, topic, partition, 50) for partition in (1, 2)]
                await asyncio.gather(*appends, _consumer(worker).seek(TP(topic, 0), 0))
            wanted = list(range(5_010))
            await auntil(lambda: len(worker.seen[topic, 1]) >= len(wanted), SEEN_S)
            await auntil(lambda: len(worker.seen[topic, 2]) >= len(wanted), SEEN_S)
            assert worker.seen[topic, 1] == worker.seen[topic, 2] == wanted
            await auntil(lambda: worker.seen[topic, 0][-1] == 9, SEEN_S)

    small.run(story)


def test_acknowledgement_of_before_a_rewind_commits_nothing(quick: Stream) -> None:
    small = quick.with_settings(batch_records=10)

    async def story(log: Log) -> None:
        topic, group, held = quick.name(), quick.name("group"), Holding()
        await filled(log, topic, records=40)
        async with working(small.settings, log, group, topic, body=held) as worker, _released(held):
            await auntil(lambda: len(held.events) == 4, SEEN_S)
            before = list(held.events)
            await _consumer(worker).seek(TP(topic, 0), 20)
            await auntil(lambda: len(held.events) >= 6, SEEN_S)
            for event in before:
                event.ack()
            await _consumer(worker).commit_all()
            assert await log.committed(group, [(topic, 0)]) == {(topic, 0): None}
            assert worker.seen == {(topic, 0): [*range(40), *range(20, 40)]}

    small.run(story)


def test_rebalance_commits_first_and_repeats_nothing(quick: Stream) -> None:
    # so rarely that only the rebalance can have committed
    rarely = quick.with_settings(commit_interval_s=60.0, session_timeout_s=20.0)

    async def story(log: Log) -> None:
        topic, late, group = quick.name(), quick.name("late"), quick.name("group")
        await filled(log, topic, partitions=2, records=100)
        await filled(log, late, records=1)
        async with working(rarely.settings, log, group, topic) as worker:
            await auntil(lambda: worker.count() >= 200, SEEN_S)
            assert await log.committed(group, [(topic, 0)]) == {(topic, 0): None}
            await worker.take(late).start()
            await auntil(lambda: worker.seen[late, 0] == [0], SEEN_S)
            assert await log.committed(group, [(topic, 0)]) == {(topic, 0): 100}
            await asyncio.gather(more(log, topic, 0, 1), more(log, topic, 1, 1))
            await auntil(lambda: worker.count() >= 203, SEEN_S)
            assert worker.seen[topic, 0] == worker.seen[topic, 1] == list(range(101))

    rarely.run(story)


def test_batch_in_work_at_a_rebalance_is_finished_and_not_repeated(quick: Stream) -> None:
    async def story(log: Log) -> None:
        topic, late, group = quick.name(), quick.name("late"), quick.name("group")
        gate = asyncio.Event()

        async def gated(worker: Worker, event: Any) -> None:
            await gate.wait()
            await acknowledge(worker, event)

        await filled(log, topic, records=100)
        await filled(log, late, records=1)
        async with working(quick.settings, log, group, topic, body=gated) as worker:
            consumer = _consumer(worker)
            await auntil(lambda: consumer.in_flight.unacknowledged() == 1, SEEN_S)
            await auntil(lambda: consumer.unacked, SEEN_S)
            await worker.take(late).start()
            await auntil(lambda: not consumer.flow_active, SEEN_S)
            gate.set()
            await auntil(lambda: worker.seen[late, 0] == [0], SEEN_S)
            await more(log, topic, 0, 1)
            await auntil(lambda: worker.seen[topic, 0][-1] == 100, SEEN_S)
            assert worker.seen[topic, 0] == list(range(101))

    quick.run(story)


def test_topics_come_while_records_flow_and_none_is_lost_or_repeated(quick: Stream) -> None:
    small = quick.with_settings(batch_records=30)

    async def story(log: Log) -> None:
        names, group = [quick.name() for _ in range(4)], quick.name("group")
        for name in names:
            await filled(log, name, partitions=2, records=5)
        async with working(small.settings, log, group, names[0]) as worker:
            for late in names[1:]:
                await worker.take(late).start()
                for _ in range(20):
                    await asyncio.gather(*(more(log, name, 1, 7) for name in names))
                await auntil(lambda late=late: len(worker.seen[late, 0]) >= 5, SEEN_S)  # type: ignore[misc]  # bound now
            await auntil(lambda: worker.count() >= 4 * (10 + 420), SEEN_S)
            for name in names:
                assert worker.seen[name, 0] == list(range(5))
                assert worker.seen[name, 1] == list(range(425))

    small.run(story)


def test_topic_taken_away_is_left_and_the_others_go_on(quick: Stream) -> None:
    async def story(log: Log) -> None:
        kept, gone, group = quick.name("kept"), quick.name("gone"), quick.name("group")
        await filled(log, kept, records=10)
        await filled(log, gone, records=10)
        async with working(quick.settings, log, group, kept, gone) as worker:
            await auntil(lambda: worker.count() >= 20, SEEN_S)
            for channel in [each for each in worker.app.topics if gone in each.topics]:
                worker.app.topics.discard(channel)
            await auntil(lambda: not worker.partitions(gone), SEEN_S)
            await more(log, gone, 0, 5)
            await more(log, kept, 0, 5)
            await auntil(lambda: len(worker.seen[kept, 0]) >= 15, SEEN_S)
            assert worker.seen[kept, 0] == list(range(15))
            assert worker.seen[gone, 0] == list(range(10))

    quick.run(story)
