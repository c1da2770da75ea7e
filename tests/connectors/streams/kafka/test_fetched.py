"""What is taken out of aiokafka's fetcher, and what is left there."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from aiokafka import errors
from aiokafka.consumer.fetcher import FetchError, FetchResult
from aiokafka.consumer.subscription_state import SubscriptionState
from aiokafka.structs import TopicPartition
from faust.types.tuples import TP

from connectors.streams.base import Slice
from connectors.streams.kafka.fetch import CorruptBatch, Limits, fetched, partition_records
from tests.connectors.streams.kafka.record_batches import batch

MINE, OTHER = TopicPartition("t", 0), TopicPartition("t", 1)
LIMITS = Limits(2, 1 << 20)


class FakeFetcher:
    """The part of aiokafka's Fetcher that `fetched` knows; everything is assigned, at 0."""

    def __init__(self) -> None:
        self._subscriptions = SubscriptionState()
        self._subscriptions.assign_from_user([MINE, OTHER])
        self.assignment = self._subscriptions.subscription.assignment
        for tp in (MINE, OTHER):
            self.assignment.state_value(tp).seek(0)
            self.assignment.state_value(tp).highwater = 90
        self._records: dict[TopicPartition, Any] = {}
        self._closed = False
        self._wait_consume_future = asyncio.get_running_loop().create_future()
        self.waiters: list[asyncio.Future[None]] = []

    def has(self, tp: TopicPartition, data: bytes) -> None:
        """A fetch response for the partition has come."""
        part = partition_records(tp.topic, tp.partition, 0, data, None)
        self._records[tp] = FetchResult(
            tp, assignment=self.assignment, partition_records=part, backoff=0
        )
        for waiter in self.waiters:
            self._notify(waiter)

    def _create_fetch_waiter(self) -> asyncio.Future[None]:
        self.waiters.append(asyncio.get_running_loop().create_future())
        return self.waiters[-1]

    def _notify(self, future: asyncio.Future[None]) -> None:
        if not future.done():
            future.set_result(None)

    async def taken(
        self, room: Mapping[TP, int], timeout: float = 0.0, stop: asyncio.Event | None = None
    ) -> list[tuple[TP, Slice]]:
        return await fetched(self, room, LIMITS, timeout, stop or asyncio.Event())


def offsets(slices: list[tuple[TP, Slice]]) -> list[tuple[int, list[int]]]:
    return [(tp.partition, [item[0] for item in piece.items]) for tp, piece in slices]


ROOM = {TP("t", 0): 4}
PAIRS = batch(0, [b"a", b"b"]) + batch(2, [b"c", b"d"]) + batch(4, [b"e", b"f"])


def test_slices_move_the_position_and_ask_for_more_when_used_up() -> None:
    async def story() -> None:
        fetcher = FakeFetcher()
        fetcher.has(MINE, PAIRS)
        slices = await fetcher.taken(ROOM)
        assert offsets(slices) == [(0, [0, 1]), (0, [2, 3]), (0, [4, 5])]
        assert [piece.end_offset for _, piece in slices] == [90, 90, 90]
        assert fetcher.assignment.state_value(MINE).position == 6
        assert not fetcher._records
        assert fetcher._wait_consume_future.done()

    asyncio.run(story())


def test_no_more_slices_than_there_is_room_for_and_the_rest_stays() -> None:
    async def story() -> None:
        fetcher = FakeFetcher()
        fetcher.has(MINE, PAIRS)
        assert offsets(await fetcher.taken({TP("t", 0): 1})) == [(0, [0, 1])]
        assert not fetcher._wait_consume_future.done()
        assert offsets(await fetcher.taken({TP("t", 0): 1})) == [(0, [2, 3])]

    asyncio.run(story())


def test_partition_without_room_stays_where_it_is() -> None:
    async def story() -> None:
        fetcher = FakeFetcher()
        fetcher.has(OTHER, PAIRS)
        assert await fetcher.taken(ROOM) == []
        assert OTHER in fetcher._records
        assert fetcher.assignment.state_value(OTHER).position == 0

    asyncio.run(story())


def test_what_was_fetched_for_another_position_is_dropped() -> None:
    async def story() -> None:
        fetcher = FakeFetcher()
        fetcher.has(MINE, PAIRS)
        fetcher.assignment.state_value(MINE).seek(77)
        assert await fetcher.taken(ROOM) == []
        assert not fetcher._records

    asyncio.run(story())


def test_end_offset_is_the_last_stable_one_where_the_broker_tells() -> None:
    async def story() -> None:
        fetcher = FakeFetcher()
        fetcher.assignment.state_value(MINE).lso = 50
        fetcher.has(MINE, PAIRS)
        assert {piece.end_offset for _, piece in await fetcher.taken(ROOM)} == {50}

    asyncio.run(story())


def test_corrupt_batch_is_fetched_again_next_time() -> None:
    async def story() -> None:
        fetcher = FakeFetcher()
        fetcher.has(MINE, PAIRS[:-1] + b"?")
        assert offsets(await fetcher.taken({TP("t", 0): 2})) == [(0, [0, 1]), (0, [2, 3])]
        with pytest.raises(CorruptBatch):
            await fetcher.taken(ROOM)
        assert not fetcher._records
        assert fetcher.assignment.state_value(MINE).position == 4

    asyncio.run(story())


def test_error_of_a_partition_is_raised_once_and_after_what_came_before() -> None:
    async def story() -> None:
        fetcher = FakeFetcher()
        fetcher.has(MINE, PAIRS)
        fetcher._records[OTHER] = FetchError(
            error=errors.TopicAuthorizationFailedError(), backoff=0
        )
        assert len(await fetcher.taken(ROOM)) == 3
        with pytest.raises(errors.TopicAuthorizationFailedError):
            await fetcher.taken(ROOM)
        assert await fetcher.taken(ROOM) == []

    asyncio.run(story())


def test_waiting_ends_when_records_come() -> None:
    async def story() -> None:
        fetcher = FakeFetcher()
        asyncio.get_running_loop().call_later(0.01, fetcher.has, MINE, PAIRS)
        assert len(await asyncio.wait_for(fetcher.taken(ROOM, timeout=60), 30)) == 3

    asyncio.run(story())


def test_waiting_ends_when_it_is_stopped() -> None:
    async def story() -> None:
        fetcher, stop = FakeFetcher(), asyncio.Event()
        asyncio.get_running_loop().call_later(0.01, stop.set)
        assert await asyncio.wait_for(fetcher.taken(ROOM, 60, stop), 30) == []

    asyncio.run(story())


def test_nothing_is_taken_during_a_rebalance() -> None:
    async def story() -> None:
        fetcher = FakeFetcher()
        fetcher._subscriptions = SubscriptionState()
        fetcher.has(MINE, PAIRS)
        assert await fetcher.taken(ROOM) == []
        assert MINE in fetcher._records

    asyncio.run(story())


def test_closed_consumer_says_so() -> None:
    async def story() -> None:
        fetcher = FakeFetcher()
        fetcher._closed = True
        with pytest.raises(errors.ConsumerStoppedError):
            await fetcher.taken(ROOM)

    asyncio.run(story())
