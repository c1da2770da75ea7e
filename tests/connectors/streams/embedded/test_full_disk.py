"""A full disk stops appends, nothing else, and only for as long as it is full."""

import asyncio
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.streams.base import DiskFull
from connectors.streams.embedded.log import EmbeddedLog
from domain.clock import FixedClock
from tests.connectors.streams.embedded.logs import NOW_MS, made, opened, told
from tests.contracts.streams import read_all, rows, values


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a disk of 8 MiB of its own."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(disk)]
    mounted = subprocess.run(command, capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"no disk of its own without the rights to mount one: {mounted.stderr}")
    yield disk
    # lazily: a log that a failed test left open must not keep it
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


async def _fill(log: EmbeddedLog, topic: str) -> int:
    """Appends until the disk is full; returns how many records were acknowledged."""
    for n in range(100_000):
        try:
            await log.append(topic, 0, rows(b"%d:" % n + b"x" * 50_000))
        except DiskFull as error:
            assert error.path.endswith("log.sqlite")
            return n
    raise AssertionError("the disk never was full")


async def _assert_readable(log: EmbeddedLog, topic: str, records: int) -> None:
    assert await log.end_offsets([(topic, 0)]) == {(topic, 0): records}
    found = values(await read_all(log, topic))
    assert [value and value.split(b":")[0] for value in found] == [
        b"%d" % n for n in range(records)
    ]


def test_full_log_is_readable_and_takes_appends_again_with_room(tmp_path: Path) -> None:
    clock = FixedClock(NOW_MS)

    async def story(log: EmbeddedLog) -> None:
        topic = await made(log, retention_ms=1_000)
        records = await _fill(log, topic)
        assert records > 10
        await _assert_readable(log, topic, records)
        with pytest.raises(DiskFull):
            await log.append(topic, 0, rows(b"x" * 50_000))
        clock.advance(1_001)
        await log.clean()
        assert await log.append(topic, 0, rows(b"y" * 50_000)) == (records, records)
        assert values(await read_all(log, topic)) == [b"y" * 50_000]

    told(tmp_path, story, clock, max_bytes=4 << 20)


def test_all_that_wait_together_are_told_of_the_full_disk(tmp_path: Path) -> None:
    async def story(log: EmbeddedLog) -> None:
        topic = await made(log)
        records = await _fill(log, topic)
        appends = [log.append(topic, 0, rows(b"z" * 50_000)) for _ in range(5)]
        outcomes = await asyncio.gather(*appends, return_exceptions=True)
        assert all(isinstance(outcome, DiskFull) for outcome in outcomes)
        await _assert_readable(log, topic, records)

    told(tmp_path, story, max_bytes=2 << 20)


def test_full_disk_is_survived_and_room_is_used(small_disk: Path) -> None:
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"x" * (5 << 20))

    async def story(log: EmbeddedLog) -> int:
        topic = await made(log)
        records = await _fill(log, topic)
        await _assert_readable(log, topic, records)
        ballast.unlink()
        appended = await log.append(topic, 0, rows(b"%d:room" % records))
        assert appended == (records, records)
        await _assert_readable(log, topic, records + 1)
        return records + 1

    records = told(small_disk / "log", story)

    async def again(log: EmbeddedLog) -> None:
        await _assert_readable(log, "t", records)

    told(small_disk / "log", again)


def test_log_on_a_full_disk_opens_and_is_readable(small_disk: Path) -> None:
    async def fill(log: EmbeddedLog) -> None:
        topic = await made(log)
        await log.append(topic, 0, rows(*(b"%d:" % n for n in range(20))))

    told(small_disk / "log", fill)
    ballast = small_disk / "ballast"
    with pytest.raises(OSError, match="No space"), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)

    async def look() -> None:
        async with opened(small_disk / "log") as log:
            await _assert_readable(log, "t", 20)
            with pytest.raises(DiskFull):
                await log.append("t", 0, rows(b"x"))
            ballast.unlink()
            assert await log.append("t", 0, rows(b"20:")) == (20, 20)
            await _assert_readable(log, "t", 21)

    asyncio.run(look())
