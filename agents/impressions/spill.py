"""Rows by where they go, within a budget of memory: collected, packed, put aside, and merged.

When the budget is full, what was collected is packed, one gzip member per place, and appended to a
file on the local disk in the order of the places (a run). At the end all runs are read side by
side, so that one place's members come together one behind the other: never more than one output is
open, however many places there are.
"""

import heapq
import struct
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, BinaryIO

from agents.impressions.gunzip import zipped
from domain.errors import SluiceError

BUDGET_BYTES = 160 << 20
JOB_BYTES = 1 << 20  # packed at once: what a hand-over to another thread is worth
READ_BYTES = 256 << 10
MOST_PLACES = 1_000_000  # some 400 MB of bookkeeping; each would be a file
OPEN_RUNS = 200
HEAD = struct.Struct("<QI")  # place, bytes of its member

Rank = Callable[[int], Any]
"""place -> what sorts places"""


class TooManyFiles(SluiceError):
    """More files would be made than anybody wants."""

    def __init__(self, file: str) -> None:
        self.file = file
        super().__init__(
            f"{file}: more than {MOST_PLACES:,} campaigns and buckets in one load; "
            "expected campaign_id as the third column (the second, without a date)"
        )


class Spill:
    """Collects pieces of text by place. Used by one thread; packs with `pool`.

    `folder` is a scratch folder of the caller's, who deletes it.
    """

    def __init__(
        self, folder: Path, pool: ThreadPoolExecutor, rank: Rank, budget: int = BUDGET_BYTES
    ) -> None:
        self._folder, self._pool, self._rank, self._budget = folder, pool, rank, budget
        self._held: dict[int, list[memoryview]] = {}
        self._bytes = 0
        self._runs: list[Path] = []
        self._made = 0

    def add(self, places: list[int], bounds: list[int], text: memoryview) -> None:
        """Text from `bounds[i]` to `bounds[i + 1]` goes to `places[i]`."""
        held = self._held
        begin = bounds[0] if bounds else 0
        for place, end in zip(places, bounds[1:], strict=True):
            piece = text[begin:end]
            if place in held:
                held[place].append(piece)
            else:
                held[place] = [piece]
            begin = end
        self._bytes += len(text)
        if self._bytes >= self._budget:
            self._put_aside(self._packed())

    def members(self) -> Iterator[tuple[int, Iterator[bytes]]]:
        """Each place in order with its members, which have to be read before the next place."""
        if len(self._runs) > OPEN_RUNS:
            runs, self._runs = self._runs, []
            for start in range(0, len(runs), OPEN_RUNS):
                some = runs[start : start + OPEN_RUNS]
                self._put_aside(self._merged([self._read(run) for run in some]))
                for run in some:
                    run.unlink()
        sources = [self._read(run) for run in self._runs]
        for place, found in groupby(self._merged([*sources, self._packed()]), itemgetter(0)):
            yield place, (member for _, member in found)

    def _packed(self) -> Iterator[tuple[int, bytes]]:
        """What is held, in order; nothing is held afterwards."""
        held, self._held, self._bytes = self._held, {}, 0
        jobs: list[Future[list[bytes]]] = []
        places: list[int] = []
        job: list[list[memoryview]] = []
        size = 0
        for place in sorted(held, key=self._rank):
            places.append(place)
            job.append(held.pop(place))
            size += sum(map(len, job[-1]))
            if size >= JOB_BYTES:
                jobs.append(self._pool.submit(_pack, job))
                job, size = [], 0
        jobs.append(self._pool.submit(_pack, job))
        at = 0
        jobs.reverse()
        while jobs:
            for member in jobs.pop().result():
                yield places[at], member
                at += 1

    def _merged(self, sources: list[Iterator[tuple[int, bytes]]]) -> Iterator[tuple[int, bytes]]:
        if len(sources) == 1:
            return sources[0]
        return heapq.merge(*sources, key=lambda found: self._rank(found[0]))

    def _put_aside(self, members: Iterator[tuple[int, bytes]]) -> None:
        run = self._folder / f"run-{self._made}"
        self._made += 1
        with run.open("xb", buffering=1 << 20) as file:
            for place, member in members:
                file.write(HEAD.pack(place, len(member)))
                file.write(member)
        self._runs.append(run)

    def _read(self, run: Path) -> Iterator[tuple[int, bytes]]:
        with run.open("rb", buffering=READ_BYTES) as file:
            while head := file.read(HEAD.size):
                place, size = HEAD.unpack(head)
                yield place, _exactly(file, size)


def _exactly(file: BinaryIO, size: int) -> bytes:
    found = file.read(size)
    if len(found) != size:
        raise EOFError(f"a scratch file ends before its time: {file.name}")
    return found


def _pack(job: list[list[memoryview]]) -> list[bytes]:
    packed = []
    for pieces in job:
        packed.append(zipped(pieces[0] if len(pieces) == 1 else b"".join(pieces)))
        pieces.clear()
    return packed
