"""Trees of files in memory that can be killed at any step, and what tables must hold."""

import csv
import gzip
import io
import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction

from agents.impressions.load import Loaded, Options, load_file
from agents.impressions.report import Report, status, verify
from agents.impressions.source import Source
from agents.impressions.store import Store
from agents.impressions.strays import unknown
from connectors.files.base import Conflict, Files, Found, Missing, Reading
from domain.clock import FixedClock
from domain.impressions.layout import DIMENSION, TABLES
from domain.impressions.manifest import FileEntry

NOW_MS = 1_762_000_000_000


class Killed(BaseException):
    """The process is gone."""


@dataclass
class MemoryFiles:
    """`Files` in memory. With `kill_at` n, the n-th change from then on is not made, nor any later
    one, and Killed is raised: as a process that was killed there."""

    held: dict[str, tuple[bytes, str]] = field(default_factory=dict)
    parts: set[str] = field(default_factory=set)
    kill_at: int = -1
    changes: int = 0
    where: str = "memory"

    def _changed(self) -> None:
        if self.kill_at == 0:
            raise Killed
        self.kill_at -= 1
        self.changes += 1

    def list(self, prefix: str = "", *, without: str = "") -> Iterator[Found]:
        for name in sorted(self.held):
            found = self.stat(name)
            left_out = bool(without) and name.startswith(without)
            if name.startswith(prefix) and found is not None and not left_out:
                yield found

    def stat(self, name: str) -> Found | None:
        if name not in self.held:
            return None
        content, tag = self.held[name]
        return Found(name, len(content), tag, NOW_MS)

    def open(self, name: str, start: int = 0, end: int | None = None) -> Reading:
        if name not in self.held:
            raise Missing(name)
        return io.BytesIO(self.held[name][0][start:end])

    def read(self, name: str) -> tuple[bytes, str] | None:
        return self.held.get(name)

    def write(self, name: str) -> "MemoryWriting":
        self._changed()
        self.parts.add(name)
        return MemoryWriting(self, name)

    def swap(self, name: str, content: bytes, tag: str | None) -> str:
        if (self.held[name][1] if name in self.held else None) != tag:
            raise Conflict(name)
        self._changed()
        self.held[name] = content, f"tag-{self.changes}"
        return self.held[name][1]

    def remove(self, name: str, tag: str | None = None) -> None:
        self._changed()
        self.held.pop(name, None)

    def settle(self) -> None: ...

    def sweep(self, prefix: str) -> int:
        self._changed()
        swept = {name for name in self.parts if name.startswith(prefix)}
        self.parts -= swept
        return len(swept)


@dataclass
class MemoryWriting:
    files: MemoryFiles
    name: str
    content: bytes = b""

    def write(self, piece: bytes | memoryview, /) -> None:
        self.content += piece

    def place(self) -> Found:
        if self.name in self.files.held:
            raise Conflict(self.name)
        self.files._changed()
        self.files.held[self.name] = self.content, f"tag-{self.files.changes}"
        self.files.parts.discard(self.name)
        return Found(self.name, len(self.content), self.files.held[self.name][1], NOW_MS)

    def drop(self) -> None:
        if self.files.kill_at != 0:
            self.files.parts.discard(self.name)


def source_of(content: bytes, name: str = "day.csv.gz") -> Source:
    """A file at an address of its own, with that content."""
    files = MemoryFiles({name: (content, f"tag-{hash(content)}")})
    return Source(files, name, f"bucket/{name}")


def packed(*lines: str) -> bytes:
    """A gzip file of lines."""
    return gzip.compress("".join(f"{line}\n" for line in lines).encode(), mtime=0)


def load(files: Files, content: bytes, name: str = "day.csv.gz", **options: object) -> Loaded:
    """Loads a file of that content."""
    return load_file(files, FixedClock(NOW_MS), source_of(content, name), Options(**options))  # type: ignore[arg-type]  # by their names


def rows_of(files: Files, one: FileEntry) -> list[list[str]]:
    """The rows of a file, read by Python's own gzip and csv."""
    found = files.read(one.path)
    assert found is not None, one.path
    return list(csv.reader(io.StringIO(gzip.decompress(found[0]).decode(), newline="")))


def content_of(files: Files, table: str) -> Counter[tuple[str, ...]]:
    """Every row of a table, the date of its file first."""
    store, found = Store(files), Counter[tuple[str, ...]]()
    manifest, _ = store.manifest(table)
    for date, ref in manifest.pieces.items():
        for one in store.piece(ref).files:
            for row in rows_of(files, one):
                assert row[1] == one.campaign
                found[date, *row] += 1
    return found


def check_table(files: Files, table: str) -> Report:
    """Figures told, figures recounted, and figures by an oracle are the same; no strays."""
    store = Store(files)
    told, counted = status(store, table), verify(store, table)
    assert not counted.damaged
    assert told.as_json() == counted.as_json()
    total = 0.0
    every: list[Fraction] = []
    for one in told.files:
        values = [float(row[3]) for row in rows_of(files, one)]
        assert one.rows == len(values) and one.sum == math.fsum(values)
        assert (one.min, one.max) == (min(values), max(values))
        total += one.sum
        every += map(Fraction, values)
    shown = told.as_json()
    assert (shown["rows"], shown["sum"]) == (len(every), total)
    if every:
        assert shown["mean"] == total / len(every)
        mean = sum(every) / len(every)
        spread = math.sqrt(sum((value - mean) ** 2 for value in every) / len(every))
        assert math.isclose(float(str(shown["stddev"])), spread, rel_tol=1e-12, abs_tol=1e-15)
    return told


def check_clean(files: MemoryFiles) -> None:
    """Nothing lies about that no manifest knows."""
    assert not files.parts
    for table in (*TABLES, DIMENSION):
        assert list(unknown(Store(files), table)) == []
        assert f"tables/{table}/lock.json" not in files.held
