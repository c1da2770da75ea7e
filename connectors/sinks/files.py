"""Files in a folder: written under a temporary name, made durable, renamed when complete.

Blocks: call it in a thread. Errors of the file system are OSErrors.
"""

import itertools
import os
from collections.abc import Iterator
from glob import escape as glob_escape
from pathlib import Path
from typing import IO, Protocol

import msgspec

from domain.sinks.document import Files
from domain.sinks.records import Outgoing
from domain.sinks.rotation import file_name, read_name

_numbers = itertools.count()


class Part(Protocol):
    """A file that is being written."""

    bytes: int
    records: int

    def add(self, record: Outgoing) -> None:
        """Adds a record. Raises NoFit, and then nothing was added."""

    def finish(self) -> None:
        """Writes what is left, durably, and closes."""

    def drop(self) -> None:
        """Closes and deletes it."""


class Folder:
    """The files of one partition of one sink, whose names begin with `stem`. `owner` tells apart
    the temporary files of two workers that share the folder."""

    def __init__(self, document: Files, stem: str, owner: str) -> None:
        self._document = document
        self._stem = stem
        self.path = Path(document.path).expanduser()
        # a thread of a cancelled call may still be at work on an earlier one
        self._part = self.path / f".{stem}-{owner}-{next(_numbers)}.part"

    def prepare(self) -> None:
        """Makes the folder."""
        self.path.mkdir(parents=True, exist_ok=True)

    def begin(self) -> Part:
        """A new temporary file; what an earlier one of this worker held is gone."""
        if self._document.format == "jsonl":
            return JsonLines(self._part)
        from connectors.sinks.parquet import Parquet  # its library is loaded by who has such a sink

        return Parquet(self._part, self._document.columns)

    def has(self, first: int, end: int) -> bool:
        """Whether the complete file of these offsets is there."""
        return self._final(first, end).exists()

    def complete(self, first: int, end: int) -> None:
        """Gives the finished temporary file its name, durably."""
        self._part.rename(self._final(first, end))
        folder = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def clean(self) -> None:
        """Deletes the temporary files of workers that were killed. One that still lives, and lost
        the partition, can't complete its file any more."""
        for path in self.path.glob(f".{glob_escape(self._stem)}-*.part"):
            path.unlink(missing_ok=True)

    def files(self) -> Iterator[tuple[int, int]]:
        """(first, end) of the complete files that are there."""
        for path in self.path.iterdir():
            found = read_name(path.name)
            if found is not None and found[0] == self._stem:
                yield found[1], found[2]

    def _final(self, first: int, end: int) -> Path:
        return self.path / file_name(self._stem, first, end, self._document.format)


class JsonLines:
    """A record a line, as it came."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[bytes] = path.open("wb")
        self.bytes = 0
        self.records = 0

    def add(self, record: Outgoing) -> None:
        """See `Part`."""
        line = record.value
        if b"\n" in line or b"\r" in line:
            line = msgspec.json.format(line, indent=-1)  # blanks only; numbers stay as they are
        self._file.write(line + b"\n")
        self.bytes += len(line) + 1
        self.records += 1

    def finish(self) -> None:
        """See `Part`."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()

    def drop(self) -> None:
        """See `Part`."""
        self._file.close()
        self._path.unlink(missing_ok=True)
