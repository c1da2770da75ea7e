"""Topics that operators change while a worker runs."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.structs import TopicPartition

from config.settings import Settings
from connectors.streams.base import RecordTooLarge, Row, TopicSpec, UnknownTopic
from tests.connectors.streams.kafka.workers import opened, settings_for

pytestmark = pytest.mark.kafka

Name = Callable[[str], str]


async def limited(settings: Settings, topic: str, max_bytes: int) -> None:
    """Changes the limit of a topic as an operator would."""
    admin = AIOKafkaAdminClient(bootstrap_servers=list(settings.brokers))
    await admin.start()
    config = {"max.message.bytes": str(max_bytes)}
    await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, configs=config)])
    await admin.close()


async def widened(settings: Settings, topic: str, partitions: int) -> None:
    """Adds partitions to a topic."""
    admin = AIOKafkaAdminClient(bootstrap_servers=list(settings.brokers))
    await admin.start()
    await admin.create_partitions({topic: NewPartitions(partitions)})
    await admin.close()


async def cut_off(settings: Settings, topic: str, before: int) -> None:
    """Deletes the records of partition 0 before an offset, as retention would."""
    admin = AIOKafkaAdminClient(bootstrap_servers=list(settings.brokers))
    await admin.start()
    await admin.delete_records({TopicPartition(topic, 0): RecordsToDelete(before)})
    await admin.close()


def row(size: int) -> Row:
    return b"k", b"x" * size, None, ()


def test_raised_limit_is_in_force_at_once(kafka: str, tmp_path: Path, unique: Name) -> None:
    settings, topic = settings_for(kafka, tmp_path), unique("t")

    async def story() -> None:
        async with opened(settings) as log:
            await log.ensure_topic(TopicSpec(topic, 1, max_message_bytes=1000))
            with pytest.raises(RecordTooLarge):
                await log.append(topic, 0, [row(2000)])
            await limited(settings, topic, 5000)
            assert await log.append(topic, 0, [row(2000)]) == (0, 0)

    asyncio.run(story())


def test_lowered_limit_makes_smaller_batches(kafka: str, tmp_path: Path, unique: Name) -> None:
    settings, topic = settings_for(kafka, tmp_path), unique("t")

    async def story() -> None:
        async with opened(settings) as log:
            await log.ensure_topic(TopicSpec(topic, 1))
            await log.append(topic, 0, [row(1)])
            await limited(settings, topic, 1000)
            assert await log.append(topic, 0, [row(300)] * 10) == (1, 10)
            with pytest.raises(RecordTooLarge):
                await log.append(topic, 0, [row(2000)])
            assert await log.append(topic, 0, [row(1)]) == (11, 11)

    asyncio.run(story())


def test_partition_added_later_is_there(kafka: str, tmp_path: Path, unique: Name) -> None:
    settings, topic = settings_for(kafka, tmp_path), unique("t")

    async def story() -> None:
        async with opened(settings) as log:
            await log.ensure_topic(TopicSpec(topic, 1))
            with pytest.raises(UnknownTopic):
                await log.append(topic, 1, [row(1)])
            await widened(settings, topic, 2)
            assert await log.append(topic, 1, [row(1)]) == (0, 0)
            assert len((await log.read(topic, 1, 0)).items) == 1

    asyncio.run(story())


def test_compacted_topic_keeps_young_records(kafka: str, tmp_path: Path, unique: Name) -> None:
    settings, topic = settings_for(kafka, tmp_path), unique("t")

    async def story() -> None:
        async with opened(settings) as log:
            await log.ensure_topic(TopicSpec(topic, 1, compact=True, log_append_time=False))
            config = (await log.describe_topic(topic)).config
            assert config["cleanup.policy"] == "compact"
            assert int(config["min.compaction.lag.ms"]) >= 60_000
            # a trial clock stands years ahead
            assert await log.append(topic, 0, [(b"k", b"v", 4_000_000_000_000, ())]) == (0, 0)

    asyncio.run(story())


def test_read_below_the_beginning_goes_on_at_the_beginning(
    kafka: str, tmp_path: Path, unique: Name
) -> None:
    settings, topic = settings_for(kafka, tmp_path), unique("t")

    async def story() -> None:
        async with opened(settings) as log:
            await log.ensure_topic(TopicSpec(topic, 1))
            await log.append(topic, 0, [row(1)] * 10)
            await cut_off(settings, topic, 6)
            assert await log.begin_offsets([(topic, 0)]) == {(topic, 0): 6}
            piece = await log.read(topic, 0, 2)
            assert [item[0] for item in piece.items] == [6, 7, 8, 9]

    asyncio.run(story())


def test_read_beyond_the_end_is_empty(kafka: str, tmp_path: Path, unique: Name) -> None:
    settings, topic = settings_for(kafka, tmp_path), unique("t")

    async def story() -> None:
        async with opened(settings) as log:
            await log.ensure_topic(TopicSpec(topic, 1))
            await log.append(topic, 0, [row(1)])
            assert await log.read(topic, 0, 40) == ([], 40, 1)

    asyncio.run(story())
