"""Writes the files of a partitioned date anew where a load comes in or goes out.

A file holds the gzip members of its loads one behind the other, by load: taking one out, or putting
one in, copies bytes and never packs again, and the order of loads does not show.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain

from agents.impressions.partition import Place
from agents.impressions.source import WRITERS
from agents.impressions.step import Step
from connectors.files.base import Files, Reading
from domain.impressions.figures import Figures, merge
from domain.impressions.layout import PARTITIONED, Layout, file_name
from domain.impressions.manifest import FileEntry, Key, Part, entry

READ_BYTES = 4 << 20
AT_ONCE_BYTES = 4 << 20  # a file up to this is handed to another thread; larger ones are streamed
WAITING = 2 * WRITERS  # files handed over: 64 MiB at most


@dataclass
class _Section:
    """What one load has in the new file; `size`, in bytes, is counted as it passes."""

    load: str
    figures: Figures
    pieces: Iterable[bytes]
    size: int = 0

    def __iter__(self) -> Iterator[bytes]:
        for piece in self.pieces:
            self.size += len(piece)
            yield piece


class Writer:
    """Writes for one step; `load` is the one that comes in. `count`: files written."""

    def __init__(
        self, step: Step, layout: Layout, pool: ThreadPoolExecutor | None = None, load: str = ""
    ) -> None:
        self._step, self._layout, self._pool, self._load = step, layout, pool, load
        self.count = 0

    def with_new(
        self, date: str, places: Iterable[tuple[Place, Figures, Iterator[bytes]]], gone: set[str]
    ) -> list[FileEntry]:
        """The files of a date with what comes in, and without the loads that go."""
        old, made = self._old(date), []
        waiting: deque[Future[FileEntry]] = deque()
        for place, figures, members in places:
            key = place.bucket, place.campaign.decode()
            before = old.pop(key, None)
            held, size = [], 0
            for member in members:
                held.append(member)
                size += len(member)
                if size > AT_ONCE_BYTES:
                    break
            section = _Section(self._load, figures, chain(held, members))
            if self._pool is None or size > AT_ONCE_BYTES:
                made.append(self._write(date, key, before, gone, section))
                continue
            waiting.append(self._pool.submit(self._write, date, key, before, gone, section))
            if len(waiting) > WAITING:
                made.append(waiting.popleft().result())
        made += [future.result() for future in waiting]
        return [*made, *self._kept(date, old, gone)]

    def without(self, date: str, gone: set[str]) -> list[FileEntry]:
        """The files of a date without the loads that go."""
        return self._kept(date, self._old(date), gone)

    def _old(self, date: str) -> dict[Key, FileEntry]:
        ref = self._step.manifest.pieces.get(date)
        return {} if ref is None else {one.key: one for one in self._step.store.piece(ref).files}

    def _kept(self, date: str, old: dict[Key, FileEntry], gone: set[str]) -> list[FileEntry]:
        kept = []
        for key, before in old.items():
            loads = {part.load for part in before.parts}
            if not loads & gone:
                kept.append(before)
            elif loads - gone:
                kept.append(self._write(date, key, before, gone, None))
        return kept

    def _write(
        self, date: str, key: Key, before: FileEntry | None, gone: set[str],
        new: _Section | None,
    ) -> FileEntry:  # fmt: skip
        """One file: what stays of the old one, and what comes in, by load."""
        step, sections, at = self._step, [] if new is None else [new], 0
        old: _Old | None = None
        if before is not None:
            old = _Old(step.files, before)
            for part in before.parts:
                if part.load not in gone:
                    pieces = old.between(at, at + part.bytes)
                    sections.append(_Section(part.load, part.figures, pieces))
                at += part.bytes
        sections.sort(key=lambda one: one.load)
        bucket, campaign = key

        def name(version: int | None) -> str:
            encoded = campaign.encode()
            return file_name(self._layout, PARTITIONED, date, bucket, encoded, version)

        path = step.fresh(name, None if before is None else before.path)
        try:
            checksum, size = step.put(path, chain.from_iterable(sections))
        finally:
            if old is not None:
                old.close()
        parts = tuple(Part(one.load, one.size, one.figures) for one in sections)
        self.count += 1
        return entry(path, key, checksum, size, merge(p.figures for p in parts), parts=parts)


class _Old:
    """The file that is written anew. What is taken of it piece by piece, from its beginning on, is
    read in one go: opened for each load it would be asked for as often as loads came into it."""

    def __init__(self, files: Files, entry: FileEntry) -> None:
        self._files, self._path = files, entry.path
        self._size = sum(part.bytes for part in entry.parts)
        self._reading: Reading | None = None
        self._at = 0

    def between(self, start: int, end: int) -> Iterator[bytes]:
        """The bytes from `start` to before `end`, as far as there are."""
        if self._reading is None or self._at != start:
            self.close()
            self._reading, self._at = self._files.open(self._path, start, self._size), start
        while self._at < end and (piece := self._reading.read(min(READ_BYTES, end - self._at))):
            self._at += len(piece)
            yield piece

    def close(self) -> None:
        """Ends the reading."""
        if self._reading is not None:
            self._reading.close()
            self._reading = None
