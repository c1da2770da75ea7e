"""The broker goes away and comes back."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from connectors.streams.base import StreamUnavailable, TopicSpec
from connectors.streams.kafka import produce
from scripts.house.kafka import Kafka
from tests.connectors.streams.kafka.workers import (
    committed,
    filled,
    more,
    opened,
    settings_for,
    working,
)
from tests.waiting import auntil


def test_log_without_a_broker_says_what_to_check(tmp_path: Path, free_port: int) -> None:
    settings = settings_for(f"kafka://127.0.0.1:{free_port}", tmp_path)

    async def story() -> None:
        with pytest.raises(StreamUnavailable, match=f"{free_port}.*SLUICE_STREAM"):
            async with opened(settings):
                pass

    asyncio.run(story())


@pytest.mark.kafka
def test_appends_and_waiting_reads_go_on_after_a_crash_of_the_broker(
    own_kafka: Kafka, tmp_path: Path
) -> None:
    async def story() -> None:
        async with opened(settings_for(own_kafka.url, tmp_path)) as log:
            await log.ensure_topic(TopicSpec("t", 1))
            await more(log, "t", 0, 10)
            waiting = asyncio.ensure_future(log.read("t", 0, 10, wait_s=60))
            await asyncio.to_thread(own_kafka.stop, hard=True)
            under_way = asyncio.ensure_future(log.append("t", 0, [(b"k", b"late", None, ())]))
            await asyncio.to_thread(own_kafka.start)
            assert await under_way == (10, 10)
            assert [item[3] for item in (await waiting).items] == [b"late"]
            assert await log.end_offsets([("t", 0)]) == {("t", 0): 11}

    asyncio.run(story())


@pytest.mark.kafka
def test_append_that_was_given_up_is_not_applied_later(
    own_kafka: Kafka, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story() -> None:
        async with opened(settings_for(own_kafka.url, tmp_path)) as log:
            await log.ensure_topic(TopicSpec("t", 1))
            await more(log, "t", 0, 10)
            await asyncio.to_thread(own_kafka.stop, hard=True)
            monkeypatch.setattr(produce, "APPEND_TIMEOUT_S", 0.5)
            with pytest.raises(StreamUnavailable):
                await log.append("t", 0, [(b"k", b"given up", None, ())])
            monkeypatch.undo()
            await asyncio.to_thread(own_kafka.start)
            assert await log.append("t", 0, [(b"k", b"next", None, ())]) == (10, 10)

    asyncio.run(story())


@pytest.mark.kafka
def test_worker_outlives_a_crash_of_the_broker_and_repeats_nothing(
    own_kafka: Kafka, tmp_path: Path, unique: Callable[[str], str]
) -> None:
    group = unique("g")

    async def story() -> None:
        settings = settings_for(own_kafka.url, tmp_path)
        async with opened(settings) as log:
            await filled(log, "t", partitions=2, records=10)
            async with working(settings, log, group, "t") as worker:
                await auntil(lambda: worker.count() == 20)
                await committed(log, group, {("t", 0): 10, ("t", 1): 10})
                await asyncio.to_thread(own_kafka.restart, hard=True)
                await asyncio.gather(*(more(log, "t", p, 5) for p in (0, 1)))
                await auntil(lambda: worker.count() >= 30, timeout_s=30)
                await committed(log, group, {("t", 0): 15, ("t", 1): 15})
                assert worker.seen == {("t", 0): list(range(15)), ("t", 1): list(range(15))}

    asyncio.run(story())


@pytest.mark.kafka
def test_refused_sign_in_is_told_with_the_settings_it_depends_on(
    kafka: str, tmp_path: Path
) -> None:
    settings = settings_for(
        kafka,
        tmp_path,
        kafka_security_protocol="SASL_PLAINTEXT",
        kafka_sasl_mechanism="PLAIN",
        kafka_sasl_username="worker",
        kafka_sasl_password="secret",
    )

    async def story() -> None:
        with pytest.raises(StreamUnavailable, match="SLUICE_KAFKA_SASL_MECHANISM"):
            async with opened(settings):
                pass

    asyncio.run(story())
