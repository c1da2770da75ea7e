"""What Faust's agents get when something is gone or killed, on every stream."""

import subprocess
import sys
from typing import Any

import pytest

from connectors.streams.base import Log
from tests.connectors.streams.kafka.workers import Worker, acknowledge, filled, more, working
from tests.contracts.streams import SEEN_S, Stream, happened, until_committed
from tests.contracts.test_log_cleaning import COMPACT_NOW, HOUR_MS
from tests.waiting import auntil


def test_agent_that_raises_acknowledges_nothing_more_and_ends_the_worker(quick: Stream) -> None:
    small = quick.with_settings(batch_records=100)

    async def raising(worker: Worker, event: Any) -> None:
        if event.value[0][0] >= 100:
            raise RuntimeError("a broken rule")
        await acknowledge(worker, event)

    async def story(log: Log) -> None:
        topic, group = quick.name(), quick.name("group")
        await filled(log, topic, records=300)
        async with working(small.settings, log, group, topic, body=raising) as worker:
            await auntil(lambda: worker.app.crashed, SEEN_S)
        assert await log.committed(group, [(topic, 0)]) == {(topic, 0): 100}

    small.run(story)


def test_worker_behind_retention_goes_on_at_the_beginning(quick: Stream) -> None:
    async def story(log: Log) -> None:
        topic, group = await quick.topic(log, retention_ms=HOUR_MS), quick.name("group")
        await more(log, topic, 0, 2)
        async with working(quick.settings, log, group, topic):
            await until_committed(log, group, topic, 2)
        await more(log, topic, 0, 3)
        await quick.lose(log, topic)
        await more(log, topic, 0, 1)
        async with working(quick.settings, log, group, topic) as worker:
            await auntil(lambda: worker.count() >= 1, SEEN_S)
            assert worker.seen == {(topic, 0): [5]}
            await until_committed(log, group, topic, 6)

    quick.run(story)


def test_gaps_of_compaction_are_consumed_over(quick: Stream) -> None:
    async def story(log: Log) -> None:
        topic = await quick.topic(log, compact=True, config=COMPACT_NOW)
        group = quick.name("group")
        for n in range(30):
            await log.append(topic, 0, [(b"again", b"%d" % n, None, ())] * 10)

        async def compacted() -> int:
            await log.append(topic, 0, [(b"filler", b"", None, ())])
            await quick.clean(log)
            piece = await log.read(topic, 0, 0)
            assert piece.items[0][0] == 299
            return piece.end_offset

        end = await happened(compacted, 60.0)
        async with working(quick.settings, log, group, topic) as worker:
            await until_committed(log, group, topic, end)
            assert worker.seen[topic, 0][0] == 299
            assert worker.seen[topic, 0][-1] == end - 1

    quick.run(story)


@pytest.mark.parametrize("lines", [1, 30])
def test_kill_of_the_worker_skips_nothing(quick: Stream, lines: int) -> None:
    topic, group = quick.name(), quick.name("group")

    async def fill(log: Log) -> None:
        await filled(log, topic, records=5_000)

    quick.run(fill)
    acknowledged = _consume_until_killed(quick, group, topic, lines)

    async def go_on(log: Log) -> None:
        committed = (await log.committed(group, [(topic, 0)]))[topic, 0] or 0
        assert committed <= acknowledged
        async with working(quick.settings, log, group, topic) as worker:
            await auntil(lambda: worker.seen[topic, 0][-1:] == [4_999], SEEN_S)
            assert worker.seen[topic, 0] == list(range(committed, 5_000))

    quick.run(go_on)


def _consume_until_killed(quick: Stream, group: str, topic: str, lines: int) -> int:
    """The offset after the last batch that the killed worker said it had acknowledged."""
    command = [sys.executable, "-m", "tests.contracts.consumer"]
    command += [quick.settings.stream, str(quick.settings.data_dir), group, topic]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as worker:
        assert worker.stdout is not None
        try:
            said = [worker.stdout.readline() for _ in range(lines)]
        finally:
            worker.kill()
        said += worker.stdout.readlines()
    assert said[-1], "the worker ended by itself"
    # a batch may have been acknowledged and not said
    return int(said[-1]) + 50
