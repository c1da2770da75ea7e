"""Flushed records as a table, CSV or Parquet: a column for each value, named by its path.

`group.account`, `values.sum_bytes`, `meta.count`: read back as input, the same paths lead to the
same values. Arrays and objects are JSON text. Which columns there are shows at the end only, so
the records wait in a file until then.
"""

import csv
import io
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import msgspec

from app.batch.targets import Bytes
from domain.aggregation.numbers import plain

ROWS = 10_000  # of one Parquet batch
# digits of Arrow's two decimals; a column that needs more is text
NARROW_DIGITS, MAX_DIGITS = 38, 76

_decode = msgspec.json.Decoder(float_hook=Decimal).decode
_encode = msgspec.json.Encoder(decimal_format="number").encode


class TabularTarget:
    """A Target that writes CSV or Parquet `into`; `spool` is a file of its own."""

    def __init__(self, into: Bytes, format_: Literal["csv", "parquet"], spool: Path) -> None:
        self._into = into
        self._format = format_
        self._spool = spool
        self._lines = spool.open("wb")

    def write(self, record: bytes) -> None:
        self._lines.write(record + b"\n")

    def finish(self) -> None:
        self._lines.close()
        columns: dict[str, Column] = {}
        for row in self._rows():
            for path, value in row.items():
                columns.setdefault(path, Column()).see(value)
        if self._format == "csv":
            self._write_csv(columns)
        else:
            self._write_parquet(columns)
        self._into.finish()

    def abandon(self) -> None:
        self._lines.close()
        self._into.abandon()

    def _rows(self) -> Iterator[dict[str, Any]]:
        with self._spool.open("rb") as lines:
            for line in lines:
                yield dict(flat(_decode(line), ""))

    def _write_csv(self, columns: Iterable[str]) -> None:
        names = list(columns)
        text = io.TextIOWrapper(self._into.stream, encoding="utf-8", newline="")
        writer = csv.writer(text, lineterminator="\n")
        if names:
            writer.writerow(names)
        for row in self._rows():
            writer.writerow([cell(row.get(name)) for name in names])
        text.flush()
        text.detach()

    def _write_parquet(self, columns: "dict[str, Column]") -> None:
        import pyarrow as pa
        from pyarrow import parquet as pq

        schema = pa.schema([(name, column.type()) for name, column in columns.items()])
        converts = [converter(field.type) for field in schema]
        rows = self._rows()
        with pq.ParquetWriter(self._into.stream, schema) as writer:
            while some := list(islice(rows, ROWS)):
                arrays = [
                    pa.array([convert(row.get(field.name)) for row in some], field.type)
                    for field, convert in zip(schema, converts, strict=True)
                ]
                writer.write_batch(pa.record_batch(arrays, schema=schema))


def flat(value: dict[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    """(path, value) of everything in an object that is no object itself."""
    for name, item in value.items():
        if isinstance(item, dict):
            yield from flat(item, f"{prefix}{name}.")
        else:
            yield prefix + name, item


def cell(value: Any) -> str:
    """A value as a cell of CSV; nothing for null."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return plain(value)
    return _encode(value).decode()


class Column:
    """Finds, over all values of a column, the Parquet type that holds them without loss."""

    def __init__(self) -> None:
        self.kinds: set[str] = set()
        self.scale = 0  # digits behind the point
        self.whole = 0  # digits before it

    def see(self, value: Any) -> None:
        """Takes a value into account."""
        if value is None:
            return
        if isinstance(value, bool | str | list):
            self.kinds.add(type(value).__name__)
            return
        before, _, behind = plain(value).lstrip("-").partition(".")
        self.kinds.add("int" if not behind and -(1 << 63) <= value < 1 << 63 else "decimal")
        self.scale = max(self.scale, len(behind))
        self.whole = max(self.whole, len(before))

    def type(self) -> Any:
        """The Arrow type."""
        import pyarrow as pa

        if self.kinds == {"bool"}:
            return pa.bool_()
        if self.kinds == {"int"}:
            return pa.int64()
        if self.kinds and self.kinds <= {"int", "decimal"}:
            digits = self.whole + self.scale
            if digits <= MAX_DIGITS:
                decimal = pa.decimal128 if digits <= NARROW_DIGITS else pa.decimal256
                return decimal(digits, self.scale)
        return pa.string()


def converter(kind: Any) -> Callable[[Any], Any]:
    """What makes a value as an array of that type takes it."""
    import pyarrow as pa

    if pa.types.is_decimal(kind):
        return lambda value: Decimal(value) if isinstance(value, int) else value
    if pa.types.is_string(kind):
        return lambda value: None if value is None else cell(value)
    return lambda value: value
