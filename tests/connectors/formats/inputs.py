"""Input files for tests, and what a reader makes of them."""

import io
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, cast

from connectors.formats.csv import CsvReader
from connectors.formats.files import Source, identify
from connectors.formats.jsonl import JsonLinesReader
from connectors.formats.parquet import ParquetReader
from connectors.formats.records import PathKinds, Position, Reader, Records
from domain.aggregation.extract import ABSENT

LIMIT = 1 << 20
Row = tuple[int, dict[str, Any]]


def source(path: Path) -> Source:
    """The file as a run identifies it; scratch files go beside it."""
    scratch = path.parent / "scratch"
    scratch.mkdir(exist_ok=True)
    return identify(str(path), None, io.BytesIO(), scratch)


def reader(format_: str, kinds: PathKinds, limit: int = LIMIT) -> Reader:
    """A reader of that format."""
    if format_ == "jsonl":
        return JsonLinesReader(kinds, limit)
    return CsvReader(kinds, limit) if format_ == "csv" else ParquetReader(kinds)


def rows_of(made: Reader, some: Records) -> list[Row]:
    """(line, values by path) of records, absent ones left out."""
    found = []
    for line, record in zip(some.lines, some.rows(), strict=True):
        if made.shape == "view":
            values = {path: getattr(record, name) for path, name in made.attributes.items()}
        else:
            values = dict(zip(made.attributes, record, strict=True))
        found.append((line, {p: v for p, v in values.items() if v is not ABSENT}))
    return found


def read(
    path: Path, paths: Iterable[str] | PathKinds, limit: int = LIMIT, start: Position | None = None
) -> tuple[list[Row], list[tuple[int, str, str]]]:
    """All rows of a file, and (line, reason, detail) of what it refuses."""
    kinds: PathKinds = (
        cast(PathKinds, paths) if isinstance(paths, Mapping) else dict.fromkeys(paths, "any")
    )
    file = source(path)
    made = reader(file.format, kinds, limit)
    made.check(file)
    rows: list[Row] = []
    refused: list[tuple[int, str, str]] = []
    for some in made.read(file, start or Position()):
        rows += rows_of(made, some)
        refused += [(line, error.reason, error.detail) for line, error in some.refused]
    return rows, refused


def json_lines(path: Path, records: Sequence[object]) -> Path:
    """A file of JSON Lines."""
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


class Trickle(io.RawIOBase):
    """A stream that gives its bytes in pieces of the sizes asked for by a test."""

    def __init__(self, data: bytes, sizes: Sequence[int]) -> None:
        self._data = data
        self._sizes = list(sizes) or [1]
        self._turn = 0

    def read(self, size: int = -1) -> bytes:
        want = self._sizes[self._turn % len(self._sizes)]
        self._turn += 1
        some = want if size < 0 else min(size, want)
        piece, self._data = self._data[:some], self._data[some:]
        return piece


def trickle(data: bytes, sizes: Sequence[int]) -> BinaryIO:
    """See `Trickle`."""
    return cast(BinaryIO, Trickle(data, sizes))
