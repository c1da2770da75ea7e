"""A Parquet file that is being written: one of the formats of `files`."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import pyarrow
import pyarrow.parquet

from domain.sinks.columns import DIGITS, SCALE, cell
from domain.sinks.document import Column
from domain.sinks.records import Outgoing

GROUP = 10_000  # rows of a row group: what a writer holds in memory
_TYPES = {
    "text": pyarrow.string(),
    "integer": pyarrow.int64(),
    "number": pyarrow.decimal128(DIGITS, SCALE),
    "boolean": pyarrow.bool_(),
    "instant": pyarrow.timestamp("ms", tz="UTC"),
    "json": pyarrow.string(),
}


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
