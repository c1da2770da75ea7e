"""Parquet: columns, nested ones as objects, numbers exact.

Integers and decimals come as they are, floating-point numbers as the shortest decimal that means
the same, dates and times as ISO 8601 text (with a zone: in UTC), structs, lists and maps as objects
and arrays. "Lines" are rows, from 1.
"""

from collections.abc import Iterable, Iterator
from itertools import repeat
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from connectors.formats.files import Source
from connectors.formats.parquet_values import Values, known_type, values_of
from connectors.formats.records import InputError, PathKinds, Position, Records
from domain.aggregation.extract import ABSENT

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow import parquet as pq

CHUNK_ROWS = 16_384
BUFFER_BYTES = 1 << 20  # of each column chunk held while it is read
_encode = msgspec.json.Encoder(decimal_format="number").encode


class ParquetReader:
    """See `records.Reader`."""

    shape: Literal["row"] = "row"

    def __init__(self, kinds: PathKinds) -> None:
        self.attributes = {path: f"c{i}" for i, path in enumerate(kinds)}

    def check(self, source: Source) -> None:
        """Opens it, and reads every column that is wanted."""
        import pyarrow as pa

        file = _open(source)
        names = file.schema_arrow.names
        if len(set(names)) < len(names):
            repeated = sorted(name for name in names if names.count(name) > 1)[0]
            problem = f"there are two columns {repeated!r}"
            raise InputError(source.name, problem, "a name of its own for each column")
        wanted = self._columns(file.schema_arrow)
        for name in wanted:
            kind = file.schema_arrow.field(name).type
            if not known_type(kind):
                problem = f"column {name} is {kind}"
                raise InputError(source.name, problem, "numbers, text, booleans, dates and times")
        try:
            for _ in file.iter_batches(CHUNK_ROWS, columns=wanted, use_threads=False):
                pass
        except (pa.ArrowException, OSError) as error:
            raise InputError(source.name, f"its data is broken ({error})", "Parquet") from error

    def missing(self, source: Source) -> list[str]:
        """The paths that the file has no column for."""
        names = _open(source).schema_arrow.names
        return [path for path in self.attributes if _column_of(path, names) is None]

    def read(self, source: Source, start: Position) -> Iterator[Records]:
        """See `records.Reader`."""
        with source.open():  # only to see that it stays the same
            file = _open(source)
            wanted = self._columns(file.schema_arrow)
            done = 0
            for group in range(file.metadata.num_row_groups):
                rows = file.metadata.row_group(group).num_rows
                if done + rows <= start.line:
                    done += rows
                    continue
                for batch in file.iter_batches(
                    CHUNK_ROWS, row_groups=[group], columns=wanted, use_threads=False
                ):
                    first, done = done, done + batch.num_rows
                    if done <= start.line:
                        continue
                    if first < start.line:
                        batch, first = batch.slice(start.line - first), start.line
                    reached = source.size * done // file.metadata.num_rows
                    yield self._records(batch, first, reached)

    def _records(self, batch: "pa.RecordBatch", first: int, reached: int) -> Records:
        columns = {path: _column(batch, path) for path in self.attributes}
        count = batch.num_rows

        def rows() -> Iterable[Any]:
            return zip(*(column(count) for column in columns.values()), strict=True)

        def original(line: int) -> bytes:
            one = batch.slice(line - first - 1, 1)
            values = ((path, next(iter(_column(one, path)(1)))) for path in columns)
            return _encode({path: value for path, value in values if value is not ABSENT})

        end = Position(first + count)
        return Records(range(first + 1, first + count + 1), rows, [], original, end, reached)

    def _columns(self, schema: "pa.Schema") -> list[str]:
        found = (_column_of(path, schema.names) for path in self.attributes)
        return list(dict.fromkeys(name for name in found if name is not None)) or schema.names[:1]


def _open(source: Source) -> "pq.ParquetFile":
    import pyarrow as pa
    from pyarrow import parquet as pq

    try:
        return pq.ParquetFile(source.path, buffer_size=BUFFER_BYTES, pre_buffer=False)
    except (pa.ArrowException, OSError) as error:
        raise InputError(source.name, f"it can't be opened ({error})", "Parquet") from error


def _column_of(path: str, names: list[str]) -> str | None:
    """The column that a path is in: one of its whole name wins over the object it leads into."""
    if path in names:
        return path
    head = path.partition(".")[0]
    return head if head in names else None


def _column(batch: "pa.RecordBatch", path: str) -> Values:
    """The values at a path, ABSENT where an object on the way is null."""
    import pyarrow as pa

    names = batch.schema.names
    name = _column_of(path, names)
    if name is None:
        return lambda count: repeat(ABSENT, count)
    found = batch.column(names.index(name))
    if name == path:
        return values_of(found)
    holes: list[bool] = [False] * len(found)
    for inner in path.split(".")[1:]:
        if not pa.types.is_struct(found.type) or found.type.get_field_index(inner) < 0:
            return lambda count: repeat(ABSENT, count)
        holes = [a or b for a, b in zip(holes, found.is_null().to_pylist(), strict=True)]
        found = found.field(inner)
    inside = values_of(found)
    if not any(holes):
        return inside
    return lambda count: (
        ABSENT if hole else value for hole, value in zip(holes, inside(count), strict=True)
    )
