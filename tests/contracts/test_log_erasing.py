"""Records taken away for good: in place where the stream can, and from the beginning."""

import asyncio
import random

import pytest

from connectors.streams.base import Log
from connectors.streams.embedded.log import EmbeddedLog
from tests.contracts.streams import Stream, embedded_stream, read_all, rows, values


def test_what_is_before_an_offset_goes_and_offsets_stay(stream: Stream) -> None:
    async def story(log: Log) -> None:
        topic = await stream.topic(log)
        for n in range(4):
            await log.append(topic, 0, rows(*(b"%d-%d" % (n, at) for at in range(3))))
        await log.delete_before(topic, 0, 7)
        assert await log.begin_offsets([(topic, 0)]) == {(topic, 0): 7}
        assert values(await read_all(log, topic)) == [b"2-1", b"2-2", b"3-0", b"3-1", b"3-2"]
        await log.delete_before(topic, 0, 12)
        assert await log.begin_offsets([(topic, 0)]) == {(topic, 0): 12}
        assert await read_all(log, topic) == []
        assert await log.append(topic, 0, rows(b"new")) == (12, 12)
        assert values(await read_all(log, topic)) == [b"new"]

    stream.run(story)


def test_records_are_erased_where_they_lie_or_not_at_all(stream: Stream) -> None:
    async def story(log: Log) -> None:
        topic = await stream.topic(log)
        await log.append(topic, 0, rows(b"a", b"secret-1", b"b"))
        await log.append(topic, 0, rows(b"secret-2"))
        erased = await log.erase(topic, 0, [1, 3])
        assert erased is stream.embedded
        items = await read_all(log, topic)
        left = [0, 2] if erased else [0, 1, 2, 3]
        assert [item[0] for item in items] == left
        assert await log.end_offsets([(topic, 0)]) == {(topic, 0): 4}
        assert await log.append(topic, 0, rows(b"c")) == (4, 4)
        assert [item[0] for item in await read_all(log, topic)] == [*left, 4]

    stream.run(story)


@pytest.mark.parametrize("seed", range(5))
def test_no_byte_of_what_was_erased_is_left_in_the_folder(
    tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    folder = tmp_path_factory.mktemp("log")
    stream, rng = embedded_stream(folder), random.Random(seed)

    async def story() -> None:
        async with stream.opened() as log:
            topic = await stream.topic(log)
            kept: dict[int, bytes | None] = {}
            gone: list[int] = []
            for n in range(30):
                size = rng.choice([1, 3, 2_000])
                batch = [b"keep-%d-%d" % (n, at) for at in range(size)]
                for at in rng.sample(range(size), min(size, 2)):
                    batch[at] = b"secret " * rng.choice([1, 10_000])
                first, last = await log.append(topic, 0, rows(*batch))
                kept |= dict(zip(range(first, last + 1), batch, strict=True))
            gone = [offset for offset, value in kept.items() if (value or b"").startswith(b"sec")]
            assert await log.erase(topic, 0, gone)
            assert isinstance(log, EmbeddedLog)
            items = await read_all(log, topic)
            assert {i[0]: i[3] for i in items} == {
                offset: value for offset, value in kept.items() if offset not in gone
            }
            # while it is open: what a copy of the folder would hold
            for file in folder.rglob("*"):
                assert file.is_dir() or b"secret" not in file.read_bytes(), file
        async with stream.opened() as log:
            assert len(await read_all(log, topic)) == len(kept) - len(gone)

    asyncio.run(story())
