"""Batches from hand-out to commit, rebalances and seeks included, without a stream."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from faust.types.tuples import TP

from connectors.streams.base import Slice
from connectors.streams.faust_consumer import AutomaticAck
from domain.errors import Invariant
from tests.connectors.streams.faust_kit import USAGE, Scripted, offline_app, piece
from tests.waiting import auntil

OTHER = TP("usage", 1)


@pytest.fixture
def tell(tmp_path: Path) -> Callable[..., None]:
    """Runs a story with a consumer that hands out the given slices of partition 0."""

    def run(story: Callable[[Scripted], Awaitable[None]], *slices: Slice) -> None:
        async def told() -> None:
            await story(Scripted(offline_app(tmp_path), *((USAGE, each) for each in slices)))

        asyncio.run(told())

    return run


Tell = Callable[..., None]


def test_batch_is_one_message_with_its_last_offset(tell: Tell) -> None:
    async def story(consumer: Scripted) -> None:
        (message,) = await consumer.batches()
        assert (message.tp, message.offset, message.key) == (USAGE, 6, None)
        assert message.value == piece(5, 2).items

    tell(story, piece(5, 2))


def test_fifth_batch_waits_until_one_is_acknowledged(tell: Tell) -> None:
    async def story(consumer: Scripted) -> None:
        first, *_ = messages = await consumer.batches()
        assert [m.offset for m in messages] == [0, 1, 2, 3]
        assert await consumer.batches() == []
        first.ack(consumer)
        assert [m.offset for m in await consumer.batches()] == [4]

    tell(story, *(piece(offset, 1) for offset in range(6)))


def test_acknowledgement_wakes_a_consumer_without_room(tell: Tell) -> None:
    async def story(consumer: Scripted) -> None:
        first, *_ = await consumer.batches()
        waiting = asyncio.ensure_future(anext(aiter(consumer.getmany(30.0))))
        asyncio.get_running_loop().call_soon(first.ack, consumer)
        _, message = await asyncio.wait_for(waiting, 30)
        assert message.offset == 4

    tell(story, *(piece(offset, 1) for offset in range(5)))


def test_paused_partition_keeps_what_was_fetched(tell: Tell) -> None:
    async def story(consumer: Scripted) -> None:
        messages = consumer.getmany(0.01)
        _, first = await anext(aiter(messages))
        consumer.pause_partitions({USAGE})
        assert await consumer.batches() == []
        consumer.resume_partitions({USAGE})
        (second,) = await consumer.batches()
        assert (first.offset, second.offset) == (0, 1)

    tell(story, piece(0, 1), piece(1, 1))


def test_commit_takes_the_acknowledged_prefix_only(tell: Tell) -> None:
    async def story(consumer: Scripted) -> None:
        first, second, third = await consumer.batches()
        third.ack(consumer)
        assert not await consumer.commit()
        first.ack(consumer)
        assert await consumer.commit()
        second.ack(consumer)
        assert await consumer.commit()
        assert consumer.commits == [{USAGE: 2}, {USAGE: 6}]

    tell(story, piece(0, 2), piece(2, 2), piece(4, 2))


def test_commit_reaches_over_a_gap_after_the_batch(tell: Tell) -> None:
    async def story(consumer: Scripted) -> None:
        (message,) = await consumer.batches()
        message.ack(consumer)
        await consumer.commit()
        assert consumer.commits == [{USAGE: 9}]

    tell(story, piece(0, 2, next_offset=9))


def test_nothing_new_is_not_committed_twice(tell: Tell) -> None:
    async def story(consumer: Scripted) -> None:
        (message,) = await consumer.batches()
        message.ack(consumer)
        await consumer.commit()
        assert not await consumer.commit()
        assert consumer.commits == [{USAGE: 2}]

    tell(story, piece(0, 2))


def test_commit_that_failed_is_made_again(tell: Tell) -> None:
    async def story(consumer: Scripted) -> None:
        (message,) = await consumer.batches()
        message.ack(consumer)
        consumer.accepts_commits = False
        assert not await consumer.commit()
        consumer.accepts_commits = True
        assert await consumer.commit()
        assert consumer.commits == [{USAGE: 2}]

    tell(story, piece(0, 2))


def test_partition_assigned_to_another_is_not_committed(tell: Tell) -> None:
    async def story(consumer: Scripted) -> None:
        (message,) = await consumer.batches()
        message.ack(consumer)
        consumer.assignment = set  # type: ignore[method-assign]  # a group that took all away
        assert not await consumer.commit()
        assert consumer.story == []

    tell(story, piece(0, 2))


def test_revocation_commits_before_the_app_hears_of_it(tell: Tell) -> None:
    async def story(consumer: Scripted) -> None:
        first, _ = await consumer.batches()
        first.ack(consumer)
        await consumer.on_partitions_revoked({USAGE})
        assert consumer.story == ["commit", "the app's callback"]
        assert consumer.commits == [{USAGE: 2}]

    tell(story, piece(0, 2), piece(2, 2))


def test_acknowledgement_after_revocation_commits_nothing(tell: Tell) -> None:
    async def story(consumer: Scripted) -> None:
        (late,) = await consumer.batches()
        await consumer.on_partitions_revoked({USAGE})
        consumer.script = [(USAGE, piece(0, 2))]
        consumer.resume_partitions({USAGE})
        await consumer.batches()
        assert not late.ack(consumer)
        assert not await consumer.commit()

    tell(story, piece(0, 2))


def test_seek_back_hands_out_the_same_records_again(tell: Tell) -> None:
    async def story(consumer: Scripted) -> None:
        await consumer.batches()
        consumer.script = [(USAGE, piece(0, 2))]
        await consumer.perform_seek()
        (again,) = await consumer.batches()
        again.ack(consumer)
        await consumer.commit()
        assert consumer.commits == [{USAGE: 2}]

    tell(story, piece(0, 2), piece(2, 2))


def test_drain_loop_drops_nothing_as_read_before(tell: Tell) -> None:
    async def story(consumer: Scripted) -> None:
        consumer._read_offset[USAGE] = 500  # what Faust notes of a batch delivered late
        assert consumer._read_offset[USAGE] is None

    tell(story)


def test_records_below_the_committed_offset_stop_the_worker(tell: Tell) -> None:
    async def story(consumer: Scripted) -> None:
        consumer.committed_before = {USAGE: 10}
        await consumer.perform_seek()
        with pytest.raises(Invariant, match="offsets rise per partition"):
            await consumer.batches()

    tell(story, piece(9, 3))


def test_what_was_fetched_before_a_seek_is_not_handed_out_after_it(tell: Tell) -> None:
    async def story(consumer: Scripted) -> None:
        messages = aiter(consumer.getmany(0.01))
        await anext(messages)
        await consumer.perform_seek()
        with pytest.raises(StopAsyncIteration):
            await anext(messages)
        assert await consumer.batches() == []

    tell(story, piece(0, 1), piece(1, 1))


def test_fetch_under_way_at_a_seek_is_void(tell: Tell) -> None:
    async def story(consumer: Scripted) -> None:
        consumer.slow = True
        round_ = asyncio.ensure_future(consumer.batches())
        await auntil(lambda: not consumer.script)
        await consumer.perform_seek()
        # handed out on the way or not, it counts for nothing
        assert [message.ack(consumer) for message in await round_] in ([], [False])
        consumer.slow = False
        assert await consumer.batches() == []

    tell(story, piece(0, 1))


def test_seek_of_one_partition_keeps_what_is_being_fetched_of_others(tell: Tell) -> None:
    async def story(consumer: Scripted) -> None:
        consumer.resume_partitions({OTHER})
        consumer.script.append((OTHER, piece(0, 1)))
        consumer.slow = True
        round_ = asyncio.ensure_future(consumer.batches())
        await auntil(lambda: not consumer.script)
        await consumer.seek(USAGE, 3)
        done = {message.tp for message in await round_ if message.ack(consumer)}
        assert done == {OTHER}

    tell(story, piece(0, 1))


def test_seeks_of_several_partitions_are_made_one_by_one(tell: Tell) -> None:
    async def story(consumer: Scripted) -> None:
        await consumer.seek_wait({USAGE: 3, OTHER: 4})
        assert consumer.story == ["seek 0 to 3", "seek 1 to 4"]

    tell(story)


def test_seek_of_one_partition_voids_its_batches_only(tell: Tell) -> None:
    async def story(consumer: Scripted) -> None:
        consumer.resume_partitions({OTHER})
        consumer.script.append((OTHER, piece(0, 1)))
        mine, other = sorted(await consumer.batches(), key=lambda m: m.partition)
        await consumer.seek(USAGE, 3)
        assert (mine.ack(consumer), other.ack(consumer)) == (False, True)
        assert consumer.story == ["seek 0 to 3"]

    tell(story, piece(0, 1))


def test_partition_sought_while_another_is_delivered_is_left_out(tell: Tell) -> None:
    async def story(consumer: Scripted) -> None:
        consumer.resume_partitions({OTHER})
        consumer.script.append((OTHER, piece(0, 1)))
        messages = aiter(consumer.getmany(0.01))
        await anext(messages)
        await consumer.seek(OTHER, 3)
        with pytest.raises(StopAsyncIteration):
            await anext(messages)

    tell(story, piece(0, 1))


def test_stopped_flow_hands_out_nothing(tell: Tell) -> None:
    async def story(consumer: Scripted) -> None:
        messages = aiter(consumer.getmany(0.01))
        await anext(messages)
        consumer.stop_flow()
        with pytest.raises(StopAsyncIteration):
            await anext(messages)

    tell(story, piece(0, 1), piece(1, 1))


def test_stream_that_acknowledges_by_itself_ends_the_worker(tell: Tell) -> None:
    async def story(consumer: Scripted) -> None:
        consumer._acked[USAGE].append(1)  # what Faust's StreamIterator.after does
        with pytest.raises(AutomaticAck, match="noack"):
            await consumer.commit()
        assert consumer.crashed

    tell(story)


def test_batch_in_work_is_waited_for(tell: Tell) -> None:
    async def story(consumer: Scripted) -> None:
        (message,) = await consumer.batches()
        consumer._unacked_messages.add(message)  # what StreamIterator.next does
        empty = asyncio.ensure_future(consumer.wait_empty())
        done, _ = await asyncio.wait({empty}, timeout=0.02)
        assert not done
        message.ack(consumer)
        await asyncio.wait_for(empty, 30)
        assert consumer.commits == [{USAGE: 1}]

    tell(story, piece(0, 1))


def test_abandoned_batch_is_neither_waited_for_nor_committed_past(tell: Tell) -> None:
    async def story(consumer: Scripted) -> None:
        first, second = await consumer.batches()
        consumer._unacked_messages.add(first)
        consumer.abandon(first)
        second.ack(consumer)
        await asyncio.wait_for(consumer.wait_empty(), 30)
        assert consumer.commits == []

    tell(story, piece(0, 1), piece(1, 1))


def test_batch_that_never_ends_is_waited_for_as_long_as_the_group_waits(tell: Tell) -> None:
    async def story(consumer: Scripted) -> None:
        (message,) = await consumer.batches()
        consumer._unacked_messages.add(message)
        consumer.app.conf.broker_rebalance_timeout = -1.0
        await asyncio.wait_for(consumer.wait_empty(), 30)
        assert consumer.commits == []

    tell(story, piece(0, 1))


def test_crashed_app_is_not_waited_for(tell: Tell) -> None:
    async def story(consumer: Scripted) -> None:
        (message,) = await consumer.batches()
        consumer._unacked_messages.add(message)
        await consumer.app.crash(RuntimeError("an agent raised"))
        await asyncio.wait_for(consumer.wait_empty(), 30)
        assert consumer.commits == []

    tell(story, piece(0, 1))


def test_end_offset_is_asked_of_the_stream(tell: Tell) -> None:
    async def story(consumer: Scripted) -> None:
        assert await consumer.end_offset(USAGE) == 7

    tell(story)
