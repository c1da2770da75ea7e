"""Runs one system on a filled topic and tells what it cost.

The window measured is the same for all: from the first offset commit that is seen to the one that
covers every record; start-up, imports and the wait for the group are outside of it.
"""

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.job import PARTITIONS
from connectors.streams.base import Log

TICKS = os.sysconf("SC_CLK_TCK")
LOOK_S = 0.1


@dataclass
class Figures:
    """Of one run; rates are records per second."""

    records: int
    per_cpu_s: float
    per_wall_s: float
    half_per_cpu_s: float
    memory_mib: int
    cpu_s: float
    wall_s: float


class NotMeasured(Exception):
    """The system ended, or was too slow or too quick; `log` is where it says why."""

    def __init__(self, why: str, log: Path) -> None:
        self.log = log
        super().__init__(f"{why}; see {log.parent.name}/{log.name} in the work folder")


def cpu_s(pid: int) -> float:
    """User and system seconds of a process with its ended children."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / TICKS


def busy_s(pid: int) -> float:
    """The same, without children, by the nanosecond; of threads that have not ended."""
    found = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(each.read_text().split()[0]) for each in found) / 1e9


def peak_mib(pid: int) -> int:
    """The most memory a process has held."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) // 1024
    return 0


def rss_mib(pid: int) -> int:
    """The memory that a process holds now."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) // 1024
    return 0


@dataclass(frozen=True)
class Watched:
    """A run to its end. `marks`: (records committed, CPU seconds, seconds) whenever there were
    more; `log`: what the system said."""

    marks: list[tuple[int, float, float]]
    memory_mib: int
    log: Path

    def figures(self) -> Figures:
        """Of the run from the first mark to the last. Raises NotMeasured when there is but one."""
        if len(self.marks) < 2:
            raise NotMeasured("everything was committed at once: take more records", self.log)
        return _figures(self.marks, self.memory_mib)


async def watch(
    log: Log,
    command: Sequence[str],
    environ: Mapping[str, str],
    *,
    topic: str,
    group: str,
    count: int,
    folder: Path,
    limit_s: float,
    then: str | None = None,
) -> Watched:
    """Starts the system on its core and waits until all is committed; ends it gently. `then`: a
    topic of the system's own on which records go on, read to its end when all is done.
    """
    folder.mkdir(parents=True)
    output = folder / "log"
    tps = [(topic, partition) for partition in range(PARTITIONS)]
    process = started(command, environ, folder)
    try:
        marks: list[tuple[int, float, float]] = []
        stop = time.monotonic() + limit_s
        while not marks or marks[-1][0] < count:
            if process.poll() is not None:
                raise NotMeasured(f"ended with {process.returncode}", output)
            if time.monotonic() > stop:
                done = marks[-1][0] if marks else 0
                raise NotMeasured(f"{done} of {count} records after {limit_s} s", output)
            found = await log.committed(group, tps)
            done = sum(offset or 0 for offset in found.values())
            if then is not None and done >= count and await behind(log, group, then):
                done = count - 1
            if done and (not marks or done > marks[-1][0]):
                marks.append((done, cpu_s(process.pid), time.monotonic()))
            await asyncio.sleep(LOOK_S)
        return Watched(marks, peak_mib(process.pid), output)
    finally:
        end(process)


async def behind(log: Log, group: str, topic: str) -> bool:
    """Whether the group has not read the topic to its end."""
    tps = [(topic, partition) for partition in range((await log.topics())[topic])]
    ends = await log.end_offsets(tps)
    found = await log.committed(group, tps)
    return any((found[tp] or 0) < ends[tp] for tp in tps)


def started(
    command: Sequence[str], environ: Mapping[str, str], folder: Path, core: int = 1
) -> subprocess.Popen[bytes]:
    """The system, on its core; what it says goes to `log` in the folder."""
    with (folder / "log").open("ab") as sink:
        return subprocess.Popen(
            ["taskset", "-c", str(core), *command],
            env={**os.environ, **environ},
            cwd=folder,
            stdout=sink,
            stderr=sink,
            start_new_session=True,
        )


def _figures(marks: list[tuple[int, float, float]], memory: int) -> Figures:
    (first, cpu_0, wall_0), (last, cpu_1, wall_1) = marks[0], marks[-1]
    half = next(mark for mark in marks if mark[0] >= (first + last) / 2)
    half = half if half[0] < last else marks[0]
    cpu, wall = max(cpu_1 - cpu_0, 0.01), max(wall_1 - wall_0, 0.01)
    return Figures(
        records=last - first,
        per_cpu_s=round((last - first) / cpu),
        per_wall_s=round((last - first) / wall),
        half_per_cpu_s=round((last - half[0]) / max(cpu_1 - half[1], 0.01)),
        memory_mib=memory,
        cpu_s=round(cpu, 2),
        wall_s=round(wall, 2),
    )


def end(process: subprocess.Popen[bytes]) -> None:
    """Asks a process of ours to stop, and insists after a while."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
