"""The brokers: who leads what, and requests to them. Metadata is aiokafka's business."""

import asyncio
from collections.abc import Mapping
from typing import Any

from aiokafka import errors
from aiokafka.client import AIOKafkaClient, ConnectionGroup
from aiokafka.conn import create_conn
from aiokafka.structs import TopicPartition

from connectors.streams.base import TP, UnknownTopic
from connectors.streams.kafka.connection import BACKOFF_S, REQUEST_TIMEOUT_S

# what a connection takes of a client's options
_CONNECTION = {
    "client_id",
    "request_timeout_ms",
    "security_protocol",
    "ssl_context",
    "sasl_mechanism",
    "sasl_plain_username",
    "sasl_plain_password",
}
_GROUP = 0  # a coordinator of groups, not of transactions


class Cluster:
    """A client of its own; made in a running loop. Errors are aiokafka's, but for UnknownTopic."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._options = options
        self._client = AIOKafkaClient(**options)
        self._closing = asyncio.Event()
        self._seen: set[str] = set()

    @property
    def closed(self) -> bool:
        """Whether `close` was called: nothing is answered any more."""
        return self._closing.is_set()

    async def start(self) -> None:
        """Connects to one of the brokers."""
        try:
            await self._client.bootstrap()
        except errors.KafkaConnectionError:
            # it says that no broker would have us, and tells why to its logger only
            await self._raise_why()
            raise

    async def _raise_why(self) -> None:
        options = {name: self._options[name] for name in self._options if name in _CONNECTION}
        for host, port, _ in self._client.hosts:
            connection = await create_conn(host, port, **options)
            connection.close()

    async def close(self) -> None:
        """Disconnects; requests under way fail with KafkaConnectionError."""
        self._closing.set()
        await self._client.close()

    async def send(self, node: int, request: Any, lane: int = ConnectionGroup.DEFAULT) -> Any:
        """The answer to a request. Requests of one lane are answered in turn."""
        ready = await self._client.ready(node, group=lane)
        if self.closed:
            # the connection came up while `close` closed the others; nobody else would close it
            await self._client.close()
            raise errors.KafkaConnectionError("the client was closed")
        if not ready:
            raise errors.NodeNotReadyError(f"no connection to node {node}")
        return await self._client.send(node, request, group=lane)

    def saw(self, topic: str) -> None:
        """There is this topic: if a broker doesn't know it, then not yet."""
        self._seen.add(topic)

    async def leader(self, tp: TP) -> int:
        """The node to ask about a partition; waits for an election under way.

        Raises UnknownTopic when there is no such partition: at once, but for a topic seen before,
        because a broker that starts doesn't know its topics in the first moments.
        """
        clock = asyncio.get_running_loop().time
        deadline = clock() + REQUEST_TIMEOUT_S
        while True:
            node = self._client.cluster.leader_for_partition(TopicPartition(*tp))
            if node is not None and node >= 0:
                self._seen.add(tp[0])
                return int(node)
            self._client.add_topic(tp[0])
            await self.refresh()
            partitions = self._client.cluster.partitions_for_topic(tp[0]) or ()
            if partitions and tp[1] not in partitions:
                raise UnknownTopic(*tp)
            if not partitions and (tp[0] not in self._seen or clock() > deadline):
                raise UnknownTopic(tp[0])
            if self._client.cluster.leader_for_partition(TopicPartition(*tp)) not in (None, -1):
                continue
            if clock() > deadline:
                raise errors.LeaderNotAvailableError(f"{tp[0]}[{tp[1]}]")
            await asyncio.sleep(BACKOFF_S)

    def anyone(self) -> int:
        """A node for what every broker answers."""
        return int(self._client.get_random_node())

    async def coordinator(self, group: str) -> int:
        """The node that keeps the offsets of a group."""
        return int(await self._client.coordinator_lookup(_GROUP, group))

    async def refresh(self) -> None:
        """Asks for metadata anew; raises KafkaConnectionError when closed meanwhile."""
        updated = self._client.force_metadata_update()
        closing = asyncio.ensure_future(self._closing.wait())
        try:
            # a client that was closed never finishes an update
            await asyncio.wait({updated, closing}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            closing.cancel()
        if self.closed:
            raise errors.KafkaConnectionError("the client was closed")

    async def retry_later(self, error: errors.KafkaError) -> None:
        """Returns when it makes sense to try again, else raises the error."""
        if self.closed or not error.retriable:
            raise error
        if error.invalid_metadata:
            await self.refresh()
        await asyncio.sleep(BACKOFF_S)
