"""What every stream promises, as `connectors.streams.base.Log` says it."""

import asyncio
from collections.abc import Awaitable, Callable
from itertools import pairwise

import pytest

from connectors.streams.base import (
    Item,
    Log,
    MissingKey,
    RecordTooLarge,
    Row,
    TopicSpec,
    UnknownTopic,
)
from tests.contracts.streams import Stream, read_all, rows, values

LONG_S = 30.0  # a wait that is cut short by what the test does


def test_append_returns_first_and_last_offset(stream: Stream) -> None:
    async def story(log: Log) -> list[tuple[int, int]]:
        topic = await stream.topic(log)
        return [await log.append(topic, 0, rows(*parts)) for parts in ([b"a", b"b", b"c"], [b"d"])]

    assert stream.run(story) == [(0, 2), (3, 3)]


def test_records_come_back_as_they_were_appended(stream: Stream) -> None:
    given: list[Row] = [
        (b"k", b"v", 1_700_000_000_001, (("h", b"1"), ("h", b"2"))),
        (None, None, 1_700_000_000_000, ()),
        (b"", b"", 1_700_000_000_002, (("empty", b""),)),
    ]

    async def story(log: Log) -> list[Row]:
        topic = await stream.topic(log, log_append_time=False)
        await log.append(topic, 0, given)
        return [
            (key, value, stamp, tuple(headers))
            for _, stamp, key, value, headers in await read_all(log, topic)
        ]

    assert stream.run(story) == given


def test_rows_of_one_call_stay_in_order_and_dense(stream: Stream) -> None:
    many = [b"%d" % number for number in range(20_000)]

    async def story(log: Log) -> None:
        topic = await stream.topic(log)
        first, last = await log.append(topic, 0, rows(*many))
        items = await read_all(log, topic)
        assert (first, last) == (0, len(many) - 1)
        assert [item[0] for item in items] == list(range(len(many)))
        assert values(items) == many

    stream.run(story)


def test_appends_not_waited_for_are_applied_in_call_order(stream: Stream) -> None:
    async def story(log: Log) -> None:
        topic = await stream.topic(log)
        calls = [
            asyncio.create_task(log.append(topic, 0, rows(b"%d a" % n, b"%d b" % n)))
            for n in range(100)
        ]
        assert await asyncio.gather(*calls) == [(2 * n, 2 * n + 1) for n in range(100)]
        expected = [b"%d %s" % (n, half) for n in range(100) for half in (b"a", b"b")]
        assert values(await read_all(log, topic)) == expected

    stream.run(story)


def test_a_single_writer_finds_its_rows_where_it_expects_them(stream: Stream) -> None:
    async def story(log: Log) -> None:
        topic = await stream.topic(log)
        expected = 0
        for count in (1, 3_000, 2, 700):
            first, last = await log.append(topic, 0, rows(*[b"x" * 400] * count))
            assert first == expected
            assert last - first + 1 == count
            expected = last + 1
        assert await log.end_offsets([(topic, 0)]) == {(topic, 0): expected}

    stream.run(story)


def test_partitions_have_offsets_of_their_own(stream: Stream) -> None:
    async def story(log: Log) -> None:
        topic = await stream.topic(log, partitions=3)
        await log.append(topic, 2, rows(b"a", b"b"))
        await log.append(topic, 0, rows(b"c"))
        tps = [(topic, 0), (topic, 1), (topic, 2)]
        assert await log.end_offsets(tps) == dict(zip(tps, (1, 0, 2), strict=True))
        assert await log.begin_offsets(tps) == dict.fromkeys(tps, 0)
        assert [values(await read_all(log, topic, p)) for p in range(3)] == [
            [b"c"],
            [],
            [b"a", b"b"],
        ]

    stream.run(story)


def test_read_at_the_end_returns_nothing_at_once(stream: Stream) -> None:
    async def story(log: Log) -> None:
        topic = await stream.topic(log)
        assert await log.read(topic, 0, 0) == ([], 0, 0)
        await log.append(topic, 0, rows(b"a"))
        assert await log.read(topic, 0, 1) == ([], 1, 1)

    stream.run(story)


def test_waiting_read_is_woken_by_an_append(stream: Stream) -> None:
    async def story(log: Log) -> None:
        topic = await stream.topic(log)
        await log.append(topic, 0, rows(b"before"))
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        waiting = asyncio.create_task(log.read(topic, 0, 1, wait_s=LONG_S))
        await asyncio.wait((waiting,), timeout=0.2)
        assert not waiting.done()
        await log.append(topic, 0, rows(b"after"))
        piece = await waiting
        assert values(piece.items) == [b"after"]
        assert (piece.next_offset, piece.end_offset) == (2, 2)
        assert loop.time() - began_s < LONG_S / 2

    stream.run(story)


def test_waiting_read_without_news_returns_empty_in_time(stream: Stream) -> None:
    async def story(log: Log) -> None:
        topic = await stream.topic(log)
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        assert await log.read(topic, 0, 0, wait_s=0.3) == ([], 0, 0)
        assert 0.25 <= loop.time() - began_s < 5

    stream.run(story)


def test_reading_by_small_slices_misses_and_repeats_nothing(stream: Stream) -> None:
    async def story(log: Log) -> None:
        topic = await stream.topic(log)
        for n in range(30):
            await log.append(topic, 0, rows(*(b"%d" % (n * 10 + i) for i in range(10))))
        offset, slices = 0, 0
        items: list[Item] = []
        while len(items) < 300:
            piece = await log.read(topic, 0, offset, max_bytes=100)
            assert piece.items, "at least one record a slice"
            assert piece.items[0][0] == offset
            assert piece.next_offset == piece.items[-1][0] + 1
            items += piece.items
            offset, slices = piece.next_offset, slices + 1
        assert values(items) == [b"%d" % n for n in range(300)]
        assert slices > 1

    stream.run(story)


def test_read_from_the_middle_begins_at_that_offset(stream: Stream) -> None:
    async def story(log: Log) -> None:
        topic = await stream.topic(log)
        await log.append(topic, 0, rows(*(b"%d" % n for n in range(50))))
        items = await read_all(log, topic, offset=17)
        assert items[0][0] == 17
        assert values(items) == [b"%d" % n for n in range(17, 50)]

    stream.run(story)


def test_rewound_reader_sees_the_same_again(stream: Stream) -> None:
    async def story(log: Log) -> None:
        topic = await stream.topic(log)
        await log.append(topic, 0, rows(b"a", b"b"))
        once = await read_all(log, topic)
        await log.append(topic, 0, rows(b"c"))
        again = await read_all(log, topic)
        assert again[:2] == once
        assert values(again) == [b"a", b"b", b"c"]

    stream.run(story)


def test_reader_that_lags_gets_everything(stream: Stream) -> None:
    async def story(log: Log) -> None:
        topic = await stream.topic(log)
        offset, behind, items = 0, [], []
        for n in range(60):
            await log.append(topic, 0, rows(*[b"%d" % n] * 500))
            if n % 6 == 5:
                piece = await log.read(topic, 0, offset, max_bytes=1_000)
                items += piece.items
                offset = piece.next_offset
                behind.append(piece.end_offset - offset)
        items += await read_all(log, topic, offset=offset)
        assert behind[-1] > behind[0] > 0
        assert values(items) == [b"%d" % n for n in range(60) for _ in range(500)]

    stream.run(story)


def test_given_timestamps_are_kept_and_absent_ones_are_now(stream: Stream) -> None:
    async def story(log: Log) -> list[int]:
        topic = await stream.topic(log, log_append_time=False)
        given = [(None, b"a", 5_000, ()), (None, b"b", None, ()), (None, b"c", 1_000, ())]
        await log.append(topic, 0, given)
        return [item[1] for item in await read_all(log, topic)]

    assert stream.run(story) == [5_000, stream.clock.now_ms(), 1_000]


def test_log_append_time_ignores_given_timestamps_and_never_falls(stream: Stream) -> None:
    async def story(log: Log) -> None:
        topic = await stream.topic(log)
        for stamp in (5_000, None, 4_000):
            await log.append(topic, 0, [(None, b"a", stamp, ())])
        stamps = [item[1] for item in await read_all(log, topic)]
        assert all(abs(stamp - stream.clock.now_ms()) < 60_000 for stamp in stamps)
        assert all(earlier <= later for earlier, later in pairwise(stamps))

    stream.run(story)


def test_offset_at_is_the_first_at_or_after_a_time(stream: Stream) -> None:
    async def story(log: Log) -> None:
        topic = await stream.topic(log, log_append_time=False)
        assert await log.offset_at(topic, 0, 0) == 0
        for stamps in ((1_000, 3_000), (2_000, 5_000), (5_000,)):
            await log.append(topic, 0, [(None, b"x", stamp, ()) for stamp in stamps])
        found = [await log.offset_at(topic, 0, at) for at in (0, 1_001, 3_000, 3_001, 5_001)]
        assert found == [0, 1, 1, 3, 5]

    stream.run(story)


def test_topic_is_made_once_and_listed(stream: Stream) -> None:
    async def story(log: Log) -> None:
        name = stream.name()
        spec = TopicSpec(name, 3, compact=True, max_message_bytes=5_000, log_append_time=False)
        assert name not in await log.topics()
        assert await log.ensure_topic(spec)
        assert not await log.ensure_topic(TopicSpec(name, 5))
        assert (await log.topics())[name] == 3
        described = await log.describe_topic(name)
        assert (described.name, described.partitions) == (name, 3)
        expected = {
            "cleanup.policy": "compact",
            "retention.ms": "-1",
            "max.message.bytes": "5000",
            "message.timestamp.type": "CreateTime",
        }
        assert {setting: described.config[setting] for setting in expected} == expected

    stream.run(story)


def test_topic_with_retention_says_so(stream: Stream) -> None:
    async def story(log: Log) -> None:
        both = await stream.topic(log, compact=True, retention_ms=7_000)
        time_only = await stream.topic(log, retention_ms=9_000)
        described = [(await log.describe_topic(name)).config for name in (both, time_only)]
        assert [config["cleanup.policy"] for config in described] == ["compact,delete", "delete"]
        assert [config["retention.ms"] for config in described] == ["7000", "9000"]
        assert described[1]["message.timestamp.type"] == "LogAppendTime"

    stream.run(story)


def test_unknown_topic_is_an_error_everywhere(stream: Stream) -> None:
    async def story(log: Log) -> None:
        missing = stream.name("missing")
        calls: list[Callable[[], Awaitable[object]]] = [
            lambda: log.append(missing, 0, rows(b"a")),
            lambda: log.read(missing, 0, 0),
            lambda: log.begin_offsets([(missing, 0)]),
            lambda: log.end_offsets([(missing, 0)]),
            lambda: log.offset_at(missing, 0, 0),
            lambda: log.describe_topic(missing),
        ]
        for call in calls:
            with pytest.raises(UnknownTopic) as raised:
                await call()
            assert raised.value.topic == missing
        assert missing not in await log.topics()

    stream.run(story)


def test_unknown_partition_is_an_error(stream: Stream) -> None:
    async def story(log: Log) -> None:
        topic = await stream.topic(log, partitions=2)
        for call in (lambda: log.append(topic, 2, rows(b"a")), lambda: log.read(topic, 2, 0)):
            with pytest.raises(UnknownTopic) as raised:
                await call()
            assert (raised.value.topic, raised.value.partition) == (topic, 2)

    stream.run(story)


def test_record_above_the_limit_is_refused_and_nothing_of_its_call_stored(stream: Stream) -> None:
    async def story(log: Log) -> None:
        topic = await stream.topic(log, max_message_bytes=10_000)
        with pytest.raises(RecordTooLarge) as raised:
            await log.append(topic, 0, rows(b"small", b"x" * 20_000, b"small"))
        assert (raised.value.topic, raised.value.limit) == (topic, 10_000)
        assert raised.value.size >= 20_000
        assert await log.append(topic, 0, rows(b"fits")) == (0, 0)
        assert values(await read_all(log, topic)) == [b"fits"]

    stream.run(story)


def test_rows_above_the_limit_together_are_stored(stream: Stream) -> None:
    async def story(log: Log) -> None:
        topic = await stream.topic(log, max_message_bytes=10_000)
        many = [b"%05d" % n + b"x" * 3_000 for n in range(200)]
        assert await log.append(topic, 0, rows(*many)) == (0, 199)
        assert values(await read_all(log, topic)) == many

    stream.run(story)


def test_append_of_nothing_is_a_mistake(stream: Stream) -> None:
    async def story(log: Log) -> None:
        topic = await stream.topic(log)
        with pytest.raises(ValueError, match="at least one row"):
            await log.append(topic, 0, [])

    stream.run(story)


def test_compacted_topic_refuses_a_record_without_key(stream: Stream) -> None:
    async def story(log: Log) -> None:
        topic = await stream.topic(log, compact=True)
        with pytest.raises(MissingKey) as raised:
            await log.append(topic, 0, [(b"k", b"v", None, ()), (None, b"v", None, ())])
        assert raised.value.topic == topic
        assert await log.end_offsets([(topic, 0)]) == {(topic, 0): 0}

    stream.run(story)


def test_group_that_never_committed_stands_nowhere(stream: Stream) -> None:
    async def story(log: Log) -> None:
        topic = await stream.topic(log, partitions=2)
        tps = [(topic, 0), (topic, 1)]
        assert await log.committed(stream.name("group"), tps) == dict.fromkeys(tps)

    stream.run(story)


def test_records_outlive_the_log_that_wrote_them(stream: Stream) -> None:
    async def write(log: Log) -> str:
        topic = await stream.topic(log)
        await log.append(topic, 0, rows(b"a", b"b"))
        return topic

    topic = stream.run(write)

    async def read(log: Log) -> None:
        assert values(await read_all(log, topic)) == [b"a", b"b"]
        assert await log.append(topic, 0, rows(b"c")) == (2, 2)

    stream.run(read)
