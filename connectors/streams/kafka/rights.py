"""What the user we sign in as may do on the brokers, asked without doing any of it.

aiokafka 0.14 has no request that asks for the operations one is authorized for (its metadata ends
at version 5, and its third DescribeGroups reads the answer of the second): the two are laid out
here as Kafka's protocol has them.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from aiokafka import errors
from aiokafka.protocol.admin import DescribeGroupsResponse_v3
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Array, Boolean, Int16, Int32, Schema, String

from connectors.streams.kafka.cluster import Cluster
from connectors.streams.kafka.connection import REQUEST_TIMEOUT_S, told

# operation -> its number in Kafka, which is its bit in an answer
OPERATIONS = {"Read": 3, "Write": 4, "Create": 5, "Describe": 8, "DescribeConfigs": 10}
OF_TOPIC = ("Read", "Write", "Describe", "DescribeConfigs")
OF_GROUP = ("Read", "Describe")


class Lack(NamedTuple):
    """What may not be done. `kind`: Topic, Group or Cluster."""

    kind: str
    name: str
    operations: tuple[str, ...]


class _Metadata(Response):  # type: ignore[misc]  # aiokafka ships no types
    API_KEY = 3
    API_VERSION = 8
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "brokers",
            Array(
                ("node_id", Int32),
                ("host", String("utf-8")),
                ("port", Int32),
                ("rack", String("utf-8")),
            ),
        ),
        ("cluster_id", String("utf-8")),
        ("controller_id", Int32),
        (
            "topics",
            Array(
                ("error_code", Int16),
                ("topic", String("utf-8")),
                ("is_internal", Boolean),
                (
                    "partitions",
                    Array(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", Array(Int32)),
                        ("isr", Array(Int32)),
                        ("offline_replicas", Array(Int32)),
                    ),
                ),
                ("operations", Int32),
            ),
        ),
        ("operations", Int32),
    )


class _AskMetadata(RequestStruct):  # type: ignore[misc]  # aiokafka ships no types
    API_KEY = 3
    API_VERSION = 8
    RESPONSE_TYPE = _Metadata
    SCHEMA = Schema(
        ("topics", Array(String("utf-8"))),
        ("allow_auto_topic_creation", Boolean),
        ("include_cluster_authorized_operations", Boolean),
        ("include_topic_authorized_operations", Boolean),
    )


class _TopicRights(Request[_AskMetadata]):  # type: ignore[misc]  # aiokafka ships no types
    API_KEY = 3

    def __init__(self, topics: Sequence[str]) -> None:
        self._topics = list(topics)

    def build(self, request_struct_class: type[_AskMetadata]) -> _AskMetadata:
        return request_struct_class(self._topics, False, True, True)


class _AskGroups(RequestStruct):  # type: ignore[misc]  # aiokafka ships no types
    API_KEY = 15
    API_VERSION = 3
    RESPONSE_TYPE = DescribeGroupsResponse_v3
    SCHEMA = Schema(("groups", Array(String("utf-8"))), ("include_authorized_operations", Boolean))


class _GroupRights(Request[_AskGroups]):  # type: ignore[misc]  # aiokafka ships no types
    API_KEY = 15

    def __init__(self, group: str) -> None:
        self._group = group

    def build(self, request_struct_class: type[_AskGroups]) -> _AskGroups:
        return request_struct_class([self._group], True)


async def lacking(
    where: str, options: Mapping[str, Any], topics: Sequence[str], group: str
) -> list[Lack]:
    """What is missing for work on these topics in that group; of a topic that isn't there, whether
    it may be made. Raises StreamUnavailable. `options`: of `client_options`.
    """
    cluster = Cluster(options)
    try:
        with told(where):
            async with asyncio.timeout(REQUEST_TIMEOUT_S):
                await cluster.start()
                found = await cluster.send(cluster.anyone(), _TopicRights(topics))
                return [*_of_topics(found), *await _of_group(cluster, group)]
    finally:
        await cluster.close()


def _of_topics(found: Any) -> list[Lack]:
    lacks = []
    may_make = _allows(found.operations, "Create")
    absent = False
    for code, topic, _, _, operations in found.topics:
        kind = errors.for_code(code)
        if kind is errors.TopicAuthorizationFailedError:
            lacks.append(Lack("Topic", topic, OF_TOPIC))
        elif kind is errors.UnknownTopicOrPartitionError:
            absent = True
        else:
            lacks += _lack("Topic", topic, operations, OF_TOPIC)
    if absent and not may_make:
        lacks.append(Lack("Cluster", "kafka-cluster", ("Create",)))
    return lacks


async def _of_group(cluster: Cluster, group: str) -> list[Lack]:
    while True:
        try:
            node = await cluster.coordinator(group)
            ((code, *_, operations),) = (await cluster.send(node, _GroupRights(group))).groups
            if code:
                raise errors.for_code(code)(group)
        except errors.GroupAuthorizationFailedError:
            return [Lack("Group", group, OF_GROUP)]
        except errors.KafkaError as error:
            await cluster.retry_later(error)  # its topic is made when it is first asked for
        else:
            return _lack("Group", group, operations, OF_GROUP)


def _lack(kind: str, name: str, operations: int, needed: Sequence[str]) -> list[Lack]:
    missing = tuple(each for each in needed if not _allows(operations, each))
    return [Lack(kind, name, missing)] if missing else []


def _allows(operations: int, name: str) -> bool:
    return bool(operations >> OPERATIONS[name] & 1)
