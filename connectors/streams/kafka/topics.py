"""Topics on Kafka: making, describing, and what an append has to know of them."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiokafka import TopicPartition, errors
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from connectors.streams.base import TopicDescription, TopicSpec, UnknownTopic
from connectors.streams.kafka.connection import BACKOFF_S, REQUEST_TIMEOUT_S

# For so long the broker keeps every record of a compacted topic, so that a reader who compares
# the states of two writers has both of them.
_MIN_COMPACTION_LAG_MS = 600_000
_FOREVER_MS = 2**63 - 1


@dataclass(frozen=True)
class Admission:
    """What a topic admits: partitions 0 <= p < `partitions`, batches of up to `max_bytes`."""

    partitions: int
    max_bytes: int
    keyed: bool


class Topics:
    """Asks the brokers by the admin protocol; made in a running loop.

    Errors are aiokafka's, but for UnknownTopic.
    """

    def __init__(self, options: Mapping[str, Any], replication: int) -> None:
        self._admin = AIOKafkaAdminClient(**options)
        self._replication = replication
        self._admissions: dict[str, Admission] = {}

    async def start(self) -> None:
        """Connects."""
        await self._admin.start()

    async def stop(self) -> None:
        """Disconnects."""
        await self._admin.close()

    async def all(self) -> dict[str, int]:
        """Every topic that isn't Kafka's own, with its number of partitions."""
        found = await self._admin.describe_topics()
        return {t["topic"]: len(t["partitions"]) for t in found if not t["is_internal"]}

    async def ensure(self, spec: TopicSpec) -> bool:
        """Makes the topic unless it is there, and waits until it can be written to."""
        topic = NewTopic(
            spec.name, spec.partitions, self._replication, topic_configs=self._config(spec)
        )
        response = await self._admin.create_topics([topic])
        _, code, *reason = response.topic_errors[0]
        kind = errors.for_code(code)
        if kind is errors.TopicAlreadyExistsError:
            return False
        if kind is not errors.NoError:
            raise kind(f"topic {spec.name!r} was not made: {reason[0] if reason else ''}")
        await self._elected(spec.name, spec.partitions)
        return True

    def _config(self, spec: TopicSpec) -> dict[str, str]:
        config = {
            "cleanup.policy": "compact" if spec.compact else "delete",
            "retention.ms": "-1" if spec.retention_ms is None else str(spec.retention_ms),
            "max.message.bytes": str(spec.max_message_bytes),
            "message.timestamp.type": "LogAppendTime" if spec.log_append_time else "CreateTime",
            # an acknowledged record survives the loss of one broker where there are three
            "min.insync.replicas": str(max(1, self._replication - 1)),
        }
        if spec.compact:
            config["min.compaction.lag.ms"] = str(_MIN_COMPACTION_LAG_MS)
            if spec.retention_ms is not None:
                config["cleanup.policy"] = "compact,delete"
        if not spec.log_append_time:
            # a trial clock may stand years ahead; brokers refuse more than an hour by default
            config["message.timestamp.after.max.ms"] = str(_FOREVER_MS)
        return config

    async def widen(self, topic: str, partitions: int) -> bool:
        """Gives a topic more partitions, and waits until they can be written to; False when it has
        as many.
        """
        if (await self.describe(topic)).partitions >= partitions:
            return False
        response = await self._admin.create_partitions({topic: NewPartitions(partitions)})
        _, code, *reason = response.topic_errors[0]
        kind = errors.for_code(code)
        if kind is not errors.NoError:
            raise kind(f"topic {topic!r} did not grow: {reason[0] if reason else ''}")
        await self._elected(topic, partitions)
        return True

    async def _elected(self, topic: str, partitions: int) -> None:
        """Waits until each partition has a leader: the brokers answer before that."""
        async with asyncio.timeout(REQUEST_TIMEOUT_S):
            while True:
                (found,) = await self._admin.describe_topics([topic])
                leaders = [part["leader"] for part in found["partitions"]]
                if len(leaders) == partitions and min(leaders) >= 0:
                    return
                await asyncio.sleep(BACKOFF_S)

    async def describe(self, topic: str) -> TopicDescription:
        """The topic with its whole configuration; raises UnknownTopic."""
        (found,) = await self._admin.describe_topics([topic])
        if errors.for_code(found["error_code"]) is errors.UnknownTopicOrPartitionError:
            raise UnknownTopic(topic)
        resource = ConfigResource(ConfigResourceType.TOPIC, topic)
        (response,) = await self._admin.describe_configs([resource])
        ((code, reason, _, _, entries),) = response.resources
        kind = errors.for_code(code)
        if kind is errors.UnknownTopicOrPartitionError:
            raise UnknownTopic(topic)
        if kind is not errors.NoError:
            raise kind(reason)
        config = {name: value for name, value, *_ in entries if value is not None}
        return TopicDescription(topic, len(found["partitions"]), config)

    async def delete_before(self, topic: str, partition: int, offset: int) -> None:
        """Moves the partition's beginning up to `offset`."""
        await self._admin.delete_records(
            {TopicPartition(topic, partition): RecordsToDelete(before_offset=offset)}
        )

    async def admission(self, topic: str, *, fresh: bool = False) -> Admission:
        """What an append has to keep to; remembered unless `fresh`."""
        known = self._admissions.get(topic)
        if known is not None and not fresh:
            return known
        described = await self.describe(topic)
        admission = Admission(
            described.partitions,
            int(described.config["max.message.bytes"]),
            "compact" in described.config["cleanup.policy"],
        )
        self._admissions[topic] = admission
        return admission
