"""Reading partitions outside any group, by the record batch and without a consumer.

A read that may wait takes a connection of its own: Kafka answers the requests of one connection
in turn, so whoever waits at the end of a topic would hold up everyone else.
"""

import asyncio
from typing import Any

from aiokafka import errors
from aiokafka.client import ConnectionGroup
from aiokafka.consumer.fetcher import READ_COMMITTED
from aiokafka.protocol.fetch import FetchRequest

from connectors.streams.base import TP, Item, Slice
from connectors.streams.kafka.cluster import Cluster
from connectors.streams.kafka.connection import REQUEST_TIMEOUT_S
from connectors.streams.kafka.fetch import Limits, partition_records, unpacked
from connectors.streams.kafka.offsets import EARLIEST, LATEST, Offsets

# A broker lets a fetch wait this long at most before it answers with nothing.
_WAIT_AT_ONCE_S = 5.0
# aiokafka numbers its connections to a node by group; ours begin here.
_FIRST_LANE = 100
_ALL_RECORDS = 1 << 31


class Reader:
    """Reads slices. Errors are aiokafka's, but for UnknownTopic and CorruptBatch."""

    def __init__(self, cluster: Cluster, offsets: Offsets) -> None:
        self._cluster = cluster
        self._offsets = offsets
        self._free_lanes: list[int] = []
        self._lanes = 0

    async def read(
        self, topic: str, partition: int, offset: int, max_bytes: int, wait_s: float
    ) -> Slice:
        """See `Log.read`."""
        if wait_s <= 0:
            return await self._read((topic, partition), offset, max_bytes, 0.0)
        lane = self._free_lanes.pop() if self._free_lanes else self._new_lane()
        try:
            return await self._read((topic, partition), offset, max_bytes, wait_s, lane)
        finally:
            # most recently used first: the connections that a rush made go idle and are closed
            self._free_lanes.append(lane)

    def _new_lane(self) -> int:
        self._lanes += 1
        return _FIRST_LANE + self._lanes

    async def _read(
        self,
        tp: TP,
        offset: int,
        max_bytes: int,
        wait_s: float,
        lane: int = ConnectionGroup.DEFAULT,
    ) -> Slice:
        clock = asyncio.get_running_loop().time
        deadline = clock() + wait_s
        failing_since: float | None = None
        while True:
            left = max(0.0, deadline - clock())
            try:
                answer = await self._fetch(tp, offset, max_bytes, left, lane)
            except errors.OffsetOutOfRangeError:
                begin = (await self._offsets.at({tp: EARLIEST}))[tp]
                if offset >= begin:  # beyond the end
                    end = (await self._offsets.at({tp: LATEST}))[tp]
                    return Slice([], offset, end)
                offset = begin
            except errors.KafkaError as error:
                failing_since = failing_since or clock()
                if clock() - failing_since > REQUEST_TIMEOUT_S:
                    raise
                await self._cluster.retry_later(error)
            else:
                failing_since = None
                items, offset, end = answer
                # nothing but aborted transactions and the like: what follows is next
                if items or (offset >= end and clock() >= deadline):
                    return answer

    async def _fetch(self, tp: TP, offset: int, max_bytes: int, wait_s: float, lane: int) -> Slice:
        topic, partition = tp
        node = await self._cluster.leader(tp)
        wait_ms = int(min(wait_s, _WAIT_AT_ONCE_S) * 1000)
        wanted = [(topic, [(partition, offset, max_bytes)])]
        request = FetchRequest(wait_ms, 1, max_bytes, READ_COMMITTED, wanted)
        response = await self._cluster.send(node, request, lane)
        ((_, ((_, code, high, *details),)),) = response.topics
        kind = errors.for_code(code)
        if kind is not errors.NoError:
            raise kind(f"{topic}[{partition}] at {offset}")
        return _slice(tp, offset, max_bytes, details, response.API_VERSION, high)


def _slice(
    tp: TP, offset: int, max_bytes: int, details: list[Any], version: int, high: int
) -> Slice:
    # details: [last stable offset, (v5: log start offset,) aborted, (v11: replica,) records]
    stable, data = details[0], details[-1]
    aborted = details[-3] if version >= 11 else details[-2]
    end = high if stable < 0 else stable
    part = partition_records(*tp, offset, data or b"", aborted)
    items: list[Item] = []
    while part._records.has_next() and not items:
        items = unpacked(part, Limits(_ALL_RECORDS, max_bytes))
    return Slice(items, part.next_fetch_offset, max(end, part.next_fetch_offset))
