"""Partition: an impressions file becomes rows of FACT_PARTITIONED, all at once or not at all.

Three things go on at a time: this thread reads and unzips, threads of a pool read blocks of rows
and pack what is to be written, and Arrow, numpy and igzip let go of the interpreter meanwhile.
"""

import hashlib
import os
import tempfile
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from agents.impressions.gunzip import Unzipping
from agents.impressions.lines import BLOCK_BYTES, Block, blocks
from agents.impressions.rejects import Rejects
from agents.impressions.spill import BUDGET_BYTES, MOST_PLACES, Spill, TooManyFiles
from connectors.files.base import Reading
from domain.errors import UsageError
from domain.impressions.figures import Figures
from domain.impressions.layout import Layout
from domain.impressions.rows import COLUMNS, OUTPUT, is_header, split

if TYPE_CHECKING:  # what works on columns is loaded by the first file: half a second
    from agents.impressions.parse import Parser, Sorted
    from agents.impressions.sums import Sums

SAMPLE_BYTES = 64 << 10  # whose rows tell how many columns a file has
WORKERS = min(4, os.cpu_count() or 1)
WRITERS = 8  # threads that put files into place, which is waiting for the most part

Progress = Callable[[int, int], None]
"""(bytes of the file read, rows found); called about every block."""


@dataclass(frozen=True)
class How:
    """How a file is to be read. `date` ISO, or empty; limits in bytes."""

    file: str
    layout: Layout
    buckets: int
    date: str = ""
    limit: int = 0
    block: int = BLOCK_BYTES
    budget: int = BUDGET_BYTES


@dataclass(frozen=True, order=True)
class Place:
    """Where rows go."""

    date: str
    campaign: bytes
    bucket: int


class Partitioned:
    """What a file holds, by place, on a scratch disk; `checksum` is that of the file itself,
    `undated` says that its rows have no column of dates."""

    def __init__(self, spill: Spill, sums: "Sums", places: list[Place], rejects: Rejects) -> None:
        self._spill, self._sums, self._places = spill, sums, places
        self.rejects = rejects
        self.checksum = ""
        self.rows = 0
        self.undated = False

    def __iter__(self) -> Iterator[tuple[Place, Figures, Iterator[bytes]]]:
        """Every place in order, its figures, and its gzip members (to be read before the next)."""
        for place, members in self._spill.members():
            yield self._places[place], self._sums.figures(place), members


class Partitioner:
    """Reads one file."""

    def __init__(self, how: How, scratch: Path, pool: ThreadPoolExecutor) -> None:
        from agents.impressions.compat import Turns
        from agents.impressions.sums import Sums

        self._how, self._pool = how, pool
        self._numbers: dict[tuple[str, bytes], int] = {}
        self._places: list[Place] = []
        self._spill = Spill(scratch, pool, self._places.__getitem__, how.budget)
        self._sums = Sums()
        self._turns = Turns(how.buckets) if how.layout == "compat" else None
        self._line = 1
        self.found = Partitioned(
            self._spill, self._sums, self._places, Rejects(scratch / "rejects.csv")
        )

    def read(self, source: Reading, progress: Progress) -> Partitioned:
        """All of it. Raises Damaged, TooLarge, TooManyFiles, UsageError."""
        digest = hashlib.sha256()
        stream = Unzipping(self._how.file, source, digest, self._how.limit)
        waiting: deque[Future[Sorted]] = deque()
        parser: Parser | None = None
        for block in blocks(_Marked(stream), self._how.block):
            if parser is None:
                block = self._begun(block)
                parser = self._parser(block)
            waiting.append(self._pool.submit(parser.parse, block))
            if len(waiting) > WORKERS:
                self._take(waiting.popleft().result())
                progress(stream.done, self.found.rows)
        while waiting:
            self._take(waiting.popleft().result())
        progress(stream.done, self.found.rows)
        self.found.checksum = digest.hexdigest()
        self.found.rejects.close()
        return self.found

    def _begun(self, block: Block) -> Block:
        """The first block without a row of column names."""
        cut = block.text.find(b"\n", 0, block.size) + 1
        if block.too_long or not is_header(block.text[: cut - 1].removesuffix(b"\r")):
            return block
        self._line = 2
        return Block(block.text[cut:], block.size - cut)

    def _parser(self, block: Block) -> "Parser":
        from agents.impressions.parse import Parser

        lines = block.text[: min(block.size, SAMPLE_BYTES)].split(b"\n")
        widths = [len(split(line) or ()) for line in lines]
        with_date, without = widths.count(len(COLUMNS)), widths.count(len(OUTPUT))
        dated = self._how.layout == "dated"
        columns = len(OUTPUT) if without > with_date else len(COLUMNS)
        self.found.undated = columns == len(OUTPUT)
        if dated and columns == len(OUTPUT) and not self._how.date:
            raise UsageError(
                f"{self._how.file} has no column of dates", "--date YYYY-MM-DD says which day it is"
            )
        buckets = self._how.buckets if self._turns is None else 1
        return Parser(columns, self._how.date, buckets, dated)

    def _take(self, part: "Sorted") -> None:
        for one in part.rejects:
            self.found.rejects.add(self._line + one.line, one.reason, one.row)
        self._line += part.lines
        self.found.rows += part.rows
        buckets = self._how.buckets
        firsts = [self._first(group) for group in part.groups]
        if self._turns is not None:
            part = self._turns.dealt(part, firsts)
        if not part.rows:
            return
        places = [firsts[at // buckets] + at % buckets for at in part.places.tolist()]
        self._sums.add_listed(places, part.values, part.starts)
        self._spill.add(places, part.bounds.tolist(), part.text)

    def _first(self, group: tuple[str, bytes]) -> int:
        """The number of a group's first place."""
        first = self._numbers.get(group)
        if first is None:
            first = self._numbers[group] = len(self._places)
            date, campaign = group
            self._places += [Place(date, campaign, at) for at in range(self._how.buckets)]
            if len(self._places) > MOST_PLACES:
                raise TooManyFiles(self._how.file)
        return first


class _Marked:
    """A stream without the byte order mark that some programs put first."""

    def __init__(self, stream: Unzipping) -> None:
        self._stream, self._begun = stream, False

    def read(self, size: int) -> bytes:
        if self._begun:
            return self._stream.read(size)
        self._begun = True
        first = self._stream.read(max(size, SAMPLE_BYTES))
        return first.removeprefix(b"\xef\xbb\xbf") or self._stream.read(size)


def scratch_folder() -> tempfile.TemporaryDirectory[str]:
    """Where runs go; TMPDIR says on which disk."""
    return tempfile.TemporaryDirectory(prefix="sluice-impressions-")
