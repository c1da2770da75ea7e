"""A worker is killed: another goes on with its partitions."""

import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import pytest

from tests.connectors.streams.kafka import worker_process
from tests.connectors.streams.kafka.workers import filled, more, opened, settings_for
from tests.waiting import auntil

pytestmark = pytest.mark.kafka

Start = Callable[[str, str], "Process"]


class Process:
    """A worker process and what it has printed so far."""

    def __init__(self, command: list[str], output: Path) -> None:
        self._output = output
        self._file: IO[bytes] = output.open("wb")
        self.popen = subprocess.Popen(command, stdout=self._file, stderr=subprocess.STDOUT)

    def acknowledged(self) -> dict[int, int]:
        """partition -> last offset acknowledged."""
        lines = [line.split() for line in self._output.read_text().splitlines()]
        told = [words for words in lines if len(words) == 3 and words[0].isdigit()]
        return {int(partition): int(last) for partition, _, last in told}

    def kill(self) -> None:
        """kill -9"""
        self.popen.send_signal(signal.SIGKILL)
        self.popen.wait()
        self._file.close()


@pytest.fixture
def start(kafka: str, tmp_path: Path) -> Iterator[Start]:
    """Starts worker processes of a group on a topic."""
    processes: list[Process] = []

    def begin(group: str, topic: str) -> Process:
        number = len(processes)
        folder = tmp_path / str(number)
        command = [sys.executable, "-m", worker_process.__name__, kafka, str(folder), group, topic]
        processes.append(Process(command, tmp_path / f"{number}.out"))
        return processes[-1]

    yield begin
    for process in processes:
        process.kill()


def test_killed_workers_partitions_are_consumed_by_the_other_within_15_s(
    start: Start, kafka: str, tmp_path: Path, unique: Callable[[str], str]
) -> None:
    settings, topic, group = settings_for(kafka, tmp_path), unique("usage"), unique("g")
    partitions = 4

    async def story() -> None:
        async with opened(settings) as log:
            await filled(log, topic, partitions=partitions)
            rounds = 0

            async def has(process: Process, count: int) -> bool:
                nonlocal rounds
                await asyncio.gather(*(more(log, topic, p, 1) for p in range(partitions)))
                rounds += 1
                return len(process.acknowledged()) == count

            first = start(group, topic)
            _: bool = await auntil(lambda: has(first, 4), timeout_s=30)
            second = start(group, topic)
            _ = await auntil(lambda: has(second, 2), timeout_s=30)
            lost = set(range(partitions)) - set(second.acknowledged())
            first.kill()
            killed = time.monotonic()
            await asyncio.gather(*(more(log, topic, p, 1) for p in range(partitions)))
            await auntil(
                lambda: [second.acknowledged().get(p) for p in lost] == [rounds] * len(lost),
                timeout_s=15,
            )
            assert time.monotonic() - killed < 15

    asyncio.run(story())
