"""The cells of a block of CSV by column: taken apart by Arrow without quotes, else by `csv`."""

import csv
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Protocol

from connectors.formats.blocks import LARGE_BYTES, Block, Lines
from connectors.formats.jsonl import too_large
from domain.errors import Reject

Convert = Callable[[str], Any]


class Cells(Protocol):
    """Cells by column. `values` converts each; equal texts are converted once."""

    @property
    def lines(self) -> Sequence[int]: ...
    @property
    def refused(self) -> list[tuple[int, Reject]]: ...
    def values(self, column: int, convert: Convert) -> Iterable[Any]: ...
    def original(self, line: int) -> bytes: ...


@dataclass(frozen=True)
class ArrowCells:
    """Cells of a block of which every line is a row. A column is (distinct texts, codes)."""

    raw: Lines
    lines: range
    columns: dict[int, tuple[list[str], list[int]]]
    refused: list[tuple[int, Reject]] = field(default_factory=list)

    def values(self, column: int, convert: Convert) -> Iterable[Any]:
        texts, codes = self.columns[column]
        return map(list(map(convert, texts)).__getitem__, codes)

    def original(self, line: int) -> bytes:
        return self.raw(line)


@dataclass(frozen=True)
class RowCells:
    """Cells of rows, each with the number of its first line; `longer` has how many lines a row has
    if it is more than one."""

    raw: Lines
    lines: list[int] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    refused: list[tuple[int, Reject]] = field(default_factory=list)
    longer: dict[int, int] = field(default_factory=dict)

    def values(self, column: int, convert: Convert) -> Iterable[Any]:
        known = cache(convert)
        return [known(row[column]) for row in self.rows]

    def original(self, line: int) -> bytes:
        return self.raw(line, self.longer.get(line, 1))


def plain_cells(block: Block, width: int, columns: list[int], limit: int) -> ArrowCells | None:
    """The cells of a block in which every line is a row of `width` cells; None for any other."""
    text = block.text
    if len(text) < LARGE_BYTES or width < 2 or b'"' in text:
        return None
    if b"\r" in text and text.count(b"\r") != text.count(b"\r\n") + text.endswith(b"\r"):
        return None
    if not text.isascii():
        try:
            text.decode()
        except UnicodeDecodeError:
            return None
    shortest, longest = block.line_lengths()
    # Arrow takes a blank line for a row of empty cells: a row has its commas at least
    if not columns or longest > limit or shortest < width - 1 + (b"\r" in text):
        return None
    found = _arrow(text, width, columns)
    if found is None or any(len(codes) != block.lines for _, codes in found.values()):
        return None
    return ArrowCells(Lines(block), range(block.first, block.first + block.lines), found)


def _arrow(
    text: bytes, width: int, columns: list[int]
) -> dict[int, tuple[list[str], list[int]]] | None:
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    read, parse, convert = _options(width, tuple(columns))
    try:
        table = arrow_csv.read_csv(pa.BufferReader(text), read, parse, convert)
    except pa.ArrowInvalid:  # a row with too few or too many cells
        return None
    found = {}
    for column in columns:
        encoded = table.column(str(column)).combine_chunks().dictionary_encode()
        if isinstance(encoded, pa.ChunkedArray):
            encoded = encoded.combine_chunks()
        found[column] = encoded.dictionary.to_pylist(), encoded.indices.to_numpy().tolist()
    return found


@cache
def _options(width: int, columns: tuple[int, ...]) -> tuple[Any, Any, Any]:
    from pyarrow import csv as arrow_csv
    from pyarrow import string

    names = [str(column) for column in range(width)]
    return (
        arrow_csv.ReadOptions(use_threads=False, column_names=names, block_size=1 << 30),
        arrow_csv.ParseOptions(
            quote_char=False, ignore_empty_lines=False, newlines_in_values=False
        ),
        arrow_csv.ConvertOptions(
            include_columns=[str(column) for column in columns],
            column_types={str(column): string() for column in columns},
            strings_can_be_null=False,
        ),
    )


def quoted_cells(block: Block, width: int, limit: int) -> RowCells:
    """The cells of any block."""
    text, valid = _decoded(block.text)
    raw_sizes = len(block.text) > limit and block.line_lengths()[1] > limit
    found = RowCells(Lines(block))
    csv.field_size_limit(max(len(text) + 1, csv.field_size_limit()))
    reader = csv.reader([line + "\n" for line in text.split("\n")], strict=True)
    taken = 0
    while True:
        line, first = block.first + taken, taken
        refusal: Reject | None = None
        try:
            row = next(reader)
        except StopIteration:
            return found
        except csv.Error as error:
            row, refusal = [], Reject("undecodable", f"the row is no CSV: {error}")
        taken = reader.line_num
        if taken - first > 1:
            found.longer[line] = taken - first
        if refusal is None and len(row) != width:
            if not row or (len(row) == 1 and not row[0].strip()):
                continue
            detail = f"the row has {len(row)} cells, the header {width}"
            refusal = Reject("undecodable", detail)
        if raw_sizes or taken - first > 1:
            size = len(found.original(line))
            refusal = too_large(size, limit) if size > limit else refusal
        if refusal is None and not valid and any(map(_damaged, row)):
            refusal = Reject("undecodable", "the row is not UTF-8")
        if refusal is None:
            found.lines.append(line)
            found.rows.append(row)
        else:
            found.refused.append((line, refusal))


def _decoded(text: bytes) -> tuple[str, bool]:
    """The text, bytes that are not UTF-8 as lone surrogates, and whether it has none of those."""
    try:
        return text.decode(), True
    except UnicodeDecodeError:
        return text.decode("utf-8", "surrogateescape"), False


def _damaged(cell: str) -> bool:
    return any("\udc80" <= character <= "\udcff" for character in cell)
