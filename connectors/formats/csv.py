"""CSV: a header, then text. An empty cell is absent, a header with a dot is a path.

Cells are separated by commas and may be quoted; quotes within are doubled. A row whose number of
cells is not that of the header is refused, as is one that is not UTF-8; blank lines are passed
over. Blocks without quotes, nearly all, are taken apart by Arrow, all others by `csv`; the result
is the same.
"""

import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import repeat
from typing import Any, Literal

from connectors.formats.blocks import Block, Blocks
from connectors.formats.csv_columns import Cells, plain_cells, quoted_cells
from connectors.formats.files import Source
from connectors.formats.jsonl import BYTE_ORDER_MARK, too_large
from connectors.formats.records import InputError, PathKinds, Position, Records
from domain.aggregation.extract import ABSENT
from domain.aggregation.numbers import number_from_text

Take = Callable[[Cells], Iterable[Any]]
"""The values of one path for each row of some cells."""


class CsvReader:
    """See `records.Reader`. A row above `max_record_bytes` is refused `too_large`."""

    shape: Literal["row"] = "row"

    def __init__(self, kinds: PathKinds, max_record_bytes: int) -> None:
        self._kinds = dict(kinds)
        self.attributes = {path: f"c{i}" for i, path in enumerate(kinds)}
        self._limit = max_record_bytes

    def check(self, source: Source) -> None:
        """Reads the header."""
        self._header(source)

    def columns(self, source: Source) -> list[str]:
        """The names in the header, in order; raises InputError."""
        return self._header(source)[0]

    def missing(self, source: Source) -> list[str]:
        """The paths that the file has no column for."""
        names, _ = self._header(source)
        return [path for path in self._kinds if not _places(names, path)]

    def read(self, source: Source, start: Position) -> Iterator[Records]:
        """See `records.Reader`. Lines count from the header, which is line 1."""
        names, following = self._header(source)
        if start.offset == 0:
            start = following
        wanted = {path: _places(names, path) for path in self._kinds}
        columns = sorted({column for places in wanted.values() for column in places.values()})
        takes = [self._take(path, places) for path, places in wanted.items()]
        with source.open(start.offset) as (content, reached):
            for block in Blocks(content, start, self._limit, quoted=True):
                yield self._records(block, len(names), columns, takes, reached())

    def _header(self, source: Source) -> tuple[list[str], Position]:
        with source.open() as (content, _):
            block = Blocks(content, Position(), self._limit, quoted=True).first_line()
        if block is None:
            return [], Position()
        where = f"{source.name}:1"
        try:
            text = block.text.removeprefix(BYTE_ORDER_MARK).decode()
            lines = [line + "\n" for line in text.split("\n")]
            names = next(csv.reader(lines, strict=True), [])
        except (UnicodeDecodeError, csv.Error) as error:
            raise InputError(where, f"the header can't be read ({error})", "names") from error
        if not any(names):
            raise InputError(where, "the header is blank", "the names of the columns")
        repeated = {name for name in names if name and names.count(name) > 1}
        if repeated:
            problem = f"the header has {sorted(repeated)[0]!r} twice"
            raise InputError(where, problem, "a name of its own for each column")
        return names, block.end

    def _records(
        self, block: Block, width: int, columns: list[int], takes: list[Take], reached: int
    ) -> Records:
        if block.too_long is not None:
            refused = [(block.first, too_large(block.too_long, self._limit))]
            return Records(range(0), list, refused, lambda _: block.text, block.end, reached)
        plain = plain_cells(block, width, columns, self._limit)
        cells: Cells = plain or quoted_cells(block, width, self._limit)
        return Records(
            cells.lines,
            lambda: zip(*(take(cells) for take in takes), strict=True),
            cells.refused,
            cells.original,
            block.end,
            reached,
        )

    def _take(self, path: str, places: dict[str, int]) -> Take:
        if not places:
            return lambda cells: repeat(ABSENT, len(cells.lines))
        convert = _number if self._kinds[path] == "number" else _text
        if list(places) == [""]:
            column = places[""]
            return lambda cells: cells.values(column, convert)
        return lambda cells: _objects(cells, places)


def _text(text: str) -> Any:
    return text or ABSENT


def _number(text: str) -> Any:
    """Numbers where all that is wanted is one; other text stays, to be refused as what it is."""
    if not text:
        return ABSENT
    number = number_from_text(text)
    return text if number is None else number


def _places(names: Sequence[str], path: str) -> dict[str, int]:
    """Where the value at `path` is: {"": column}, or the columns of the object's members by their
    paths in it; empty without any."""
    if path in names:
        return {"": names.index(path)}
    prefix = path + "."
    return {
        name[len(prefix) :]: column for column, name in enumerate(names) if name.startswith(prefix)
    }


def _objects(cells: Cells, places: dict[str, int]) -> Iterator[Any]:
    """An object for each row, of the members whose cells are not empty."""
    columns = [cells.values(column, _text) for column in places.values()]
    for values in zip(*columns, strict=True):
        made: dict[str, Any] = {}
        for path, value in zip(places, values, strict=True):
            if value is not ABSENT:
                _put(made, path, value)
        yield made or ABSENT


def _put(made: dict[str, Any], path: str, value: Any) -> None:
    head, dot, rest = path.partition(".")
    if not dot:
        made[head] = value
        return
    inner = made.setdefault(head, {})
    if isinstance(inner, dict):
        _put(inner, rest, value)
    else:  # `a` and `a.b` are both columns: the key with a literal dot stays one
        made[path] = value
