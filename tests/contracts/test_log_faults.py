"""What every stream keeps through a kill of its writer, and in any order of calls."""

import asyncio
import subprocess
import sys
from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.streams.base import Log
from tests.contracts.streams import Stream, read_all, rows, values


@pytest.mark.parametrize("lines", [1, 7, 40])
def test_kill_of_the_writer_loses_nothing_acknowledged(stream: Stream, lines: int) -> None:
    async def make(log: Log) -> str:
        return await stream.topic(log)

    topic = stream.run(make)
    acknowledged = _append_until_killed(stream, topic, lines)

    async def read(log: Log) -> None:
        items = await read_all(log, topic)
        assert [item[0] for item in items] == list(range(len(items)))
        assert values(items) == [b"%0100d" % n for n in range(len(items))]
        assert len(items) > acknowledged
        first, _ = await log.append(topic, 0, rows(b"after"))
        assert first >= len(items)

    stream.run(read)


def _append_until_killed(stream: Stream, topic: str, lines: int) -> int:
    """The number of the last record that the writer saw acknowledged before its kill -9."""
    command = [sys.executable, "-m", "tests.contracts.appender"]
    command += [stream.settings.stream, str(stream.settings.data_dir), topic]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        try:
            for _ in range(lines):
                assert writer.stdout.readline(), "the writer ended by itself"
        finally:
            writer.kill()
        seen = writer.stdout.read().split()
    return int(seen[-1]) if seen else lines * 160 - 1


# an append: (partition, lengths of the values); a read: (partition, bytes)
_appends = st.tuples(
    st.just("append"), st.integers(0, 1), st.lists(st.integers(0, 3_000), min_size=1, max_size=40)
)
_reads = st.tuples(st.just("read"), st.integers(0, 1), st.integers(1, 20_000))
_steps = st.lists(st.one_of(_appends, _reads), max_size=25)
Step = tuple[str, int, list[int]] | tuple[str, int, int]


@given(steps=_steps)
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_mix_of_appends_and_reads_returns_all_in_order(
    stream: Stream, steps: Sequence[Step]
) -> None:
    async def story(log: Log) -> None:
        topic = await stream.topic(log, partitions=2)
        written: list[list[bytes | None]] = [[], []]
        seen: list[list[bytes | None]] = [[], []]
        positions = [0, 0]
        for _, partition, what in steps:
            if isinstance(what, int):
                piece = await log.read(topic, partition, positions[partition], max_bytes=what)
                seen[partition] += values(piece.items)
                positions[partition] = piece.next_offset
                assert len(seen[partition]) == piece.next_offset
                assert piece.items or piece.next_offset == len(written[partition])
            else:
                parts = [b"%d:%s" % (n, b"x" * length) for n, length in enumerate(what)]
                expected = (len(written[partition]), len(written[partition]) + len(parts) - 1)
                assert await log.append(topic, partition, rows(*parts)) == expected
                written[partition] += parts
        for partition in (0, 1):
            rest = await read_all(log, topic, partition, positions[partition])
            assert seen[partition] + values(rest) == written[partition]

    stream.run(story)


def test_two_tasks_on_one_partition_get_ranges_of_their_own(stream: Stream) -> None:
    async def story(log: Log) -> None:
        topic = await stream.topic(log)

        async def write(mark: bytes) -> list[tuple[int, int]]:
            return [await log.append(topic, 0, rows(*[mark] * 7)) for _ in range(25)]

        ranges = await asyncio.gather(write(b"a"), write(b"b"))
        items = await read_all(log, topic)
        for mark, own in zip((b"a", b"b"), ranges, strict=True):
            offsets = [offset for first, last in own for offset in range(first, last + 1)]
            assert offsets == [item[0] for item in items if item[3] == mark]
            assert len(offsets) == 25 * 7

    stream.run(story)
