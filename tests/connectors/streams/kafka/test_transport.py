"""Faust's agents on a real broker, what only that has; the rest is in tests/contracts."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
import uvloop
from aiokafka import AIOKafkaProducer
from faust.types.tuples import TP

from tests.connectors.streams.kafka.workers import (
    Worker,
    committed,
    filled,
    more,
    opened,
    settings_for,
    working,
)
from tests.waiting import auntil, until

pytestmark = pytest.mark.kafka

Name = Callable[[str], str]


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_records_reach_the_agent_in_order_and_are_committed(
    run: Callable[[Coroutine[Any, Any, None]], None], kafka: str, tmp_path: Path, unique: Name
) -> None:
    settings, topic, group = settings_for(kafka, tmp_path), unique("usage"), unique("g")

    async def story() -> None:
        async with opened(settings) as log:
            await filled(log, topic, partitions=2, records=3000)
            async with working(settings, log, group, topic) as worker:
                await auntil(lambda: worker.count() == 6000)
                assert worker.seen == {(topic, 0): list(range(3000)), (topic, 1): list(range(3000))}
                await committed(log, group, {(topic, 0): 3000, (topic, 1): 3000})

    run(story())


def test_worker_that_joins_makes_the_other_commit_first(
    kafka: str, tmp_path: Path, unique: Name
) -> None:
    # so rarely that only the rebalance can have committed
    settings = settings_for(kafka, tmp_path, commit_interval_s=60)
    topic, group = unique("usage"), unique("g")

    async def story() -> None:
        async with opened(settings) as log:
            await filled(log, topic, partitions=2, records=100)
            async with working(settings, log, group, topic) as first:
                await auntil(lambda: first.count() == 200)
                async with working(settings, log, group, topic) as second:
                    await auntil(lambda: second.partitions(topic), timeout_s=20)
                    await asyncio.gather(*(more(log, topic, p, 1) for p in (0, 1)))
                    await auntil(lambda: first.count() + second.count() >= 202, timeout_s=20)
                    assert second.seen == {(topic, min(second.partitions(topic))): [100]}
                    assert first.count() == 201

    asyncio.run(story())


def test_batch_in_work_at_a_rebalance_is_finished_and_not_repeated(
    kafka: str, tmp_path: Path, unique: Name
) -> None:
    settings = settings_for(kafka, tmp_path)
    topic, group, gate = unique("usage"), unique("g"), asyncio.Event()

    async def gated(worker: Worker, event: Any) -> None:
        worker.note(event)
        await gate.wait()
        event.ack()

    async def story() -> None:
        async with opened(settings) as log:
            await filled(log, topic, partitions=2, records=100)
            async with working(settings, log, group, topic, body=gated) as first:
                await auntil(lambda: first.count() == 100)  # one agent, one batch in work

                async def release() -> None:
                    await auntil(lambda: first.app.rebalancing, timeout_s=20)
                    gate.set()

                released = asyncio.ensure_future(release())
                # a worker has started when it has its partitions: so not before the release
                async with working(settings, log, group, topic) as second:
                    await released
                    await auntil(lambda: first.count() + second.count() >= 200, timeout_s=20)
                    await committed(log, group, {(topic, 0): 100, (topic, 1): 100})
                    assert first.count() + second.count() == 200

    asyncio.run(story())


def test_topic_added_at_run_time_is_consumed_and_nothing_repeated(
    kafka: str, tmp_path: Path, unique: Name
) -> None:
    settings = settings_for(kafka, tmp_path, commit_interval_s=60)
    early, late, group = unique("usage"), unique("usage"), unique("g")

    async def story() -> None:
        async with opened(settings) as log:
            await filled(log, early, partitions=2, records=100)
            async with working(settings, log, group, early) as worker:
                await auntil(lambda: worker.count() == 200)
                await filled(log, late, partitions=2, records=50)
                await worker.take(late).start()
                await auntil(lambda: worker.count() >= 300)
                await more(log, early, 0, 1)
                await auntil(lambda: len(worker.seen[early, 0]) > 100)
                assert worker.seen[early, 0] == list(range(101))
                assert worker.count() == 301

    asyncio.run(story())


def test_equal_partitions_of_two_topics_go_to_one_worker(
    kafka: str, tmp_path: Path, unique: Name
) -> None:
    settings = settings_for(kafka, tmp_path)
    left, right, group = unique("usage"), unique("sessions"), unique("g")

    async def story() -> None:
        async with opened(settings) as log:
            # an odd number: dealt out in turn, the second topic would begin with the other worker
            await filled(log, left, partitions=3)
            await filled(log, right, partitions=3)
            async with (
                working(settings, log, group, left, right) as first,
                working(settings, log, group, left, right) as second,
            ):
                workers = (first, second)
                await auntil(lambda: sorted(len(w.partitions(left)) for w in workers) == [1, 2])
                assert [w.partitions(left) for w in workers] == [
                    w.partitions(right) for w in workers
                ]

    asyncio.run(story())


def test_seek_goes_back_to_the_committed_offset_or_to_the_beginning(
    kafka: str, tmp_path: Path, unique: Name
) -> None:
    settings = settings_for(kafka, tmp_path)
    topic, group = unique("usage"), unique("g")

    held: list[Any] = []

    async def hold_all_but_the_first(worker: Worker, event: Any) -> None:
        worker.note(event)
        if event.message.partition == 0 and event.value[0][0] == 0:
            event.ack()
        else:
            held.append(event)

    async def story() -> None:
        async with opened(settings) as log:
            await filled(log, topic, partitions=2, records=10)
            async with working(settings, log, group, topic, body=hold_all_but_the_first) as worker:
                await committed(log, group, {(topic, 0): 10, (topic, 1): None})
                await more(log, topic, 0, 5)
                await auntil(lambda: worker.count() == 25)
                worker.seen.clear()
                await worker.app.consumer.perform_seek()
                await auntil(lambda: worker.count() == 15)
                assert worker.seen == {
                    (topic, 0): list(range(10, 15)),
                    (topic, 1): list(range(10)),
                }
                for event in held:  # a worker that stops waits for what is in work
                    event.ack()

    asyncio.run(story())


def test_heartbeats_go_on_while_the_loop_is_busy(kafka: str, tmp_path: Path, unique: Name) -> None:
    settings, topic, group = settings_for(kafka, tmp_path), unique("usage"), unique("g")

    async def story() -> None:
        async with opened(settings) as log:
            await filled(log, topic, records=1)
            async with working(settings, log, group, topic, heartbeat_s=0.05) as worker:
                consumer: Any = worker.app.consumer
                before = await auntil(lambda: consumer.last_heartbeat_monotonic)
                # `until` blocks the loop: only the consumer's own thread can go on
                until(lambda: consumer.last_heartbeat_monotonic > before + 0.2)

    asyncio.run(story())


def test_end_offsets_are_those_of_now_for_many_partitions_in_one_call(
    kafka: str, tmp_path: Path, unique: Name
) -> None:
    settings, topic, group = settings_for(kafka, tmp_path), unique("usage"), unique("g")

    async def story() -> None:
        async with opened(settings) as log:
            await filled(log, topic, partitions=3, records=5)
            async with working(settings, log, group, topic) as worker:
                consumer: Any = worker.app.consumer
                await more(log, topic, 1, 2)
                tps = {TP(topic, p) for p in range(3)}
                ends = await consumer.end_offsets(tps)
                assert ends == {(topic, 0): 5, (topic, 1): 7, (topic, 2): 5}
                assert await consumer.end_offset(TP(topic, 1)) == 7

    asyncio.run(story())


def test_static_member_that_restarts_costs_the_group_no_rebalance(
    kafka: str, tmp_path: Path, unique: Name
) -> None:
    settings, topic, group = settings_for(kafka, tmp_path), unique("usage"), unique("g")

    async def story() -> None:
        async with opened(settings) as log:
            await filled(log, topic, partitions=2)
            async with working(settings, log, group, topic, instance_id="a") as stays:
                async with working(settings, log, group, topic, instance_id="b") as leaves:
                    mine = leaves.partitions(topic)
                    generation = leaves.app.consumer_generation_id
                    # it may hear of the generation that the other one joined after that one does
                    await auntil(lambda: stays.app.consumer_generation_id == generation)
                async with working(settings, log, group, topic, instance_id="b") as back:
                    assert back.partitions(topic) == mine
                    assert back.app.consumer_generation_id == generation
                    assert stays.app.consumer_generation_id == generation

    asyncio.run(story())


def test_aborted_records_are_neither_consumed_nor_read(
    kafka: str, tmp_path: Path, unique: Name
) -> None:
    settings, topic, group = settings_for(kafka, tmp_path), unique("usage"), unique("g")

    async def story() -> None:
        async with opened(settings) as log:
            await filled(log, topic, records=2)
            async with AIOKafkaProducer(
                bootstrap_servers=list(settings.brokers), transactional_id=unique("tx")
            ) as producer:
                await producer.begin_transaction()
                await producer.send_and_wait(topic, b"aborted", partition=0)
                await producer.abort_transaction()
                async with producer.transaction():
                    await producer.send_and_wait(topic, b"counts", partition=0)
            async with working(settings, log, group, topic) as worker:
                await auntil(lambda: worker.count() == 3)
                # offset 2 was aborted, 3 is the mark of that
                assert worker.seen[topic, 0] == [0, 1, 4]
            piece = await log.read(topic, 0, 2)
            assert [(item[0], item[3]) for item in piece.items] == [(4, b"counts")]

    asyncio.run(story())
