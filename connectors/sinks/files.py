"""Files in a folder: written under a temporary name, made durable, renamed when complete.

Blocks: call it in a thread. Errors of the file system are OSErrors.
"""

import itertools
import os
from collections.abc import Iterator, Sequence
from glob import escape as glob_escape
from pathlib import Path
from typing import IO, Any, Protocol

import msgspec
import pyarrow
import pyarrow.parquet

from domain.sinks.columns import DIGITS, SCALE, cell
from domain.sinks.document import Column, Files
from domain.sinks.records import Outgoing
from domain.sinks.rotation import file_name, read_name

_numbers = itertools.count()
GROUP = 10_000  # rows of a row group: what a Parquet writer holds in memory
_TYPES = {
    "text": pyarrow.string(),
    "integer": pyarrow.int64(),
    "number": pyarrow.decimal128(DIGITS, SCALE),
    "boolean": pyarrow.bool_(),
    "instant": pyarrow.timestamp("ms", tz="UTC"),
    "json": pyarrow.string(),
}


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


class Parquet:
    """Columns as the document has them. `bytes` are those of the records as JSON: what the file
    takes is known only when it is complete."""

    def __init__(self, path: Path, columns: Sequence[Column]) -> None:
        self._path = path
        self._columns = columns
        self._schema = pyarrow.schema([(c.name, _TYPES[c.type]) for c in columns])
        self._file: IO[bytes] = path.open("wb")
        self._writer = pyarrow.parquet.ParquetWriter(self._file, self._schema, compression="zstd")
        self._rows: list[tuple[Any, ...]] = []
        self.bytes = 0
        self.records = 0

    def add(self, record: Outgoing) -> None:
        """See `Part`."""
        self._rows.append(tuple(_value(c, record) for c in self._columns))
        self.bytes += len(record.value)
        self.records += 1
        if len(self._rows) >= GROUP:
            self._write()

    def _write(self) -> None:
        rows, self._rows = self._rows, []
        arrays = [
            pyarrow.array([row[at] for row in rows], field.type)
            for at, field in enumerate(self._schema)
        ]
        self._writer.write_table(pyarrow.Table.from_arrays(arrays, schema=self._schema))

    def finish(self) -> None:
        """See `Part`."""
        if self._rows:
            self._write()
        self._writer.close()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()

    def drop(self) -> None:
        """See `Part`."""
        self._writer.close()
        self._file.close()
        self._path.unlink(missing_ok=True)


def _value(column: Column, record: Outgoing) -> Any:
    if column.name == "id":
        return record.id
    return cell(column, record.content)
