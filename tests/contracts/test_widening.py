"""Topics get more partitions while they are written and read."""

import asyncio

from tests.contracts.streams import Stream, read_all, rows, values


def test_a_topic_gets_more_partitions_and_keeps_what_it_has(stream: Stream) -> None:
    async def story() -> None:
        async with stream.opened() as log:
            topic = await stream.topic(log, partitions=2)
            await log.append(topic, 1, rows(b"a"))
            assert await log.widen_topic(topic, 4)
            assert (await log.topics())[topic] == 4
            assert not await log.widen_topic(topic, 4)
            assert not await log.widen_topic(topic, 3)
            assert (await log.topics())[topic] == 4
            assert await log.append(topic, 3, rows(b"b")) == (0, 0)
            assert await log.append(topic, 1, rows(b"c")) == (1, 1)
            assert values(await read_all(log, topic, 1)) == [b"a", b"c"]
            assert values(await read_all(log, topic, 3)) == [b"b"]

    asyncio.run(story())


def test_one_that_wrote_there_before_learns_of_the_new_partitions(stream: Stream) -> None:
    async def story() -> None:
        async with stream.opened() as other:
            topic = await stream.topic(other)
            await other.append(topic, 0, rows(b"a"))
            if stream.embedded:  # nobody else can have it open
                await other.widen_topic(topic, 2)
            else:
                async with stream.opened() as log:
                    await log.widen_topic(topic, 2)
            assert await other.append(topic, 1, rows(b"b")) == (0, 0)
            assert await other.end_offsets([(topic, 0), (topic, 1)]) == {
                (topic, 0): 1,
                (topic, 1): 1,
            }
            assert await other.committed("nobody", [(topic, 1)]) == {(topic, 1): None}

    asyncio.run(story())
