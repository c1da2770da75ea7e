"""A log that is closed: what waits ends, and what comes later is told so."""

import asyncio

import pytest

from connectors.streams.base import StreamUnavailable
from tests.contracts.streams import Stream, rows

LONG_S = 30.0  # a wait that is cut short by what the test does


def test_closed_log_says_so(stream: Stream) -> None:
    async def story() -> None:
        async with stream.opened() as log:
            topic = await stream.topic(log)
        with pytest.raises(StreamUnavailable) as raised:
            await log.append(topic, 0, rows(b"a"))
        assert raised.value.exit_code == 3

    asyncio.run(story())


def test_stop_ends_waiting_reads(stream: Stream) -> None:
    async def story() -> None:
        async with stream.opened() as log:
            topic = await stream.topic(log)
            waiting = asyncio.create_task(log.read(topic, 0, 0, wait_s=LONG_S))
            await asyncio.wait((waiting,), timeout=0.1)
        async with asyncio.timeout(LONG_S / 2):
            assert (await waiting).items == []

    asyncio.run(story())


@pytest.mark.parametrize("turns", [0, 1, 2, 4, 8, 16, 32])
def test_stop_ends_reads_that_have_hardly_begun(stream: Stream, turns: int) -> None:
    async def story() -> None:
        async with stream.opened() as log:
            topic = await stream.topic(log)
            await log.end_offsets([(topic, 0)])  # so that the read knows its way
            waiting = asyncio.create_task(log.read(topic, 0, 0, wait_s=LONG_S))
            for _ in range(turns):
                await asyncio.sleep(0)
        async with asyncio.timeout(LONG_S / 2):
            try:
                assert (await waiting).items == []
            except StreamUnavailable:  # it began after the stop
                assert turns == 0

    asyncio.run(story())
