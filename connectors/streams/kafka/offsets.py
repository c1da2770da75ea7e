"""Offsets of partitions: the first, the next, those at a time, those of a group."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from aiokafka import errors
from aiokafka.consumer.fetcher import READ_COMMITTED
from aiokafka.protocol.commit import OffsetFetchRequest
from aiokafka.protocol.offset import OffsetRequest

from connectors.streams.base import TP
from connectors.streams.kafka.cluster import Cluster
from connectors.streams.kafka.connection import REQUEST_TIMEOUT_S

# Kafka's words for "the first" and "the next" where a timestamp is asked for.
EARLIEST = -2
LATEST = -1


class Offsets:
    """Asks leaders and coordinators. Errors are aiokafka's, but for UnknownTopic."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._coordinators: dict[str, int] = {}

    async def at(self, timestamps: Mapping[TP, int]) -> dict[TP, int]:
        """The first offset at or after each timestamp (ms, EARLIEST, LATEST); -1 for none."""
        found: dict[TP, int] = {}
        async with asyncio.timeout(REQUEST_TIMEOUT_S):
            while missing := {tp: at for tp, at in timestamps.items() if tp not in found}:
                by_node: dict[int, dict[str, list[tuple[int, int]]]] = {}
                for (topic, partition), at in missing.items():
                    node = await self._cluster.leader((topic, partition))
                    topics = by_node.setdefault(node, defaultdict(list))
                    topics[topic].append((partition, at))
                for node, topics in by_node.items():
                    found |= await self._list(node, topics)
        return found

    async def _list(self, node: int, topics: Mapping[str, Any]) -> dict[TP, int]:
        """What one node answers; partitions it doesn't lead any more are left out."""
        request = OffsetRequest(-1, READ_COMMITTED, list(topics.items()))
        try:
            response = await self._cluster.send(node, request)
        except errors.KafkaError as error:
            await self._cluster.retry_later(error)
            return {}
        found: dict[TP, int] = {}
        for topic, partitions in response.topics:
            for partition, code, _, offset in partitions:
                kind = errors.for_code(code)
                if kind is errors.NoError:
                    found[topic, partition] = offset
                else:
                    await self._cluster.retry_later(kind(f"{topic}[{partition}]"))
        return found

    async def committed(self, group: str, tps: Iterable[TP]) -> dict[TP, int | None]:
        """The group's next offsets; None where it never committed."""
        found: dict[TP, int | None] = dict.fromkeys(tps)
        wanted: dict[str, list[int]] = defaultdict(list)
        for topic, partition in found:
            wanted[topic].append(partition)
        if not wanted:
            return found
        request = OffsetFetchRequest(group, list(wanted.items()))
        async with asyncio.timeout(REQUEST_TIMEOUT_S):
            while True:
                try:
                    return found | await self._fetch_committed(group, request)
                except errors.KafkaError as error:
                    self._coordinators.pop(group, None)
                    await self._cluster.retry_later(error)

    async def _fetch_committed(self, group: str, request: OffsetFetchRequest) -> dict[TP, int]:
        node = self._coordinators.get(group)
        if node is None:
            node = self._coordinators[group] = await self._cluster.coordinator(group)
        response = await self._cluster.send(node, request)
        if response.API_VERSION >= 2 and response.error_code:
            raise errors.for_code(response.error_code)(group)
        found: dict[TP, int] = {}
        for topic, partitions in response.topics:
            for partition, offset, _, code in partitions:
                kind = errors.for_code(code)
                if kind is not errors.NoError:
                    raise kind(f"{group}: {topic}[{partition}]")
                if offset >= 0:
                    found[topic, partition] = offset
        return found
