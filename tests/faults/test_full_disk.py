"""The disk of a worker on the embedded stream is full for a while."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults.cluster import START_S, Cluster, running
from tests.faults.process import NoAnswer
from tests.waiting import until

BLOCK = b"x" * 4096


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a disk of 48 MiB of its own."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", str(disk)]
    mounted = subprocess.run(command, capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"no disk of its own without the rights to mount one: {mounted.stderr}")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def fill(disk: Path) -> Path:
    """Takes all the room there is; returns the file that has it."""
    ballast = disk / "ballast"
    with pytest.raises(OSError, match="No space"), ballast.open("ab", buffering=0) as file:
        while True:
            file.write(BLOCK)
    return ballast


def test_full_disk_loses_and_repeats_nothing(
    small_disk: Path, unique: Callable[[str], str]
) -> None:
    cluster = Cluster("embedded://", small_disk, unique("app"), looked_after=True)
    with running(cluster):
        for _ in range(3):
            cluster.feed(5)
            ballast = fill(small_disk)

            def refused() -> bool:
                try:
                    return cluster.offer()
                except NoAnswer as error:
                    return "DiskFull" in str(error) or cluster.workers[0].dead

            until(refused, START_S, "an append finds the disk full, or the worker ends")
            ballast.unlink()
            cluster.feed(1)
            cluster.ready()
        cluster.feed(3)
        assert cluster.check() > 900
