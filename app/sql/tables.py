"""Buckets as the table `rollups` of SQL."""

from collections.abc import Iterable
from typing import Any

from domain.metrics.asking import series_of_all
from domain.metrics.grains import GRAINS
from domain.metrics.rolling import cube_of, figures
from domain.metrics.series import Rows, between, cube_prefix

NUMBERS = ("sum", "min", "max", "last", "mean", "stddev")


def rows_of(rows: Rows, after: bytes, least: int) -> tuple[list[list[Any]], bytes | None]:
    """The buckets that have values of whole series behind `after`, at least `least` of them, and
    up to where; None at the end."""
    found: list[list[Any]] = []
    for key, ident, series in series_of_all(rows, after):
        for grain in GRAINS:
            for start, held in between(rows, cube_prefix(ident, grain), -(1 << 61), 1 << 61):
                revision, partial = cube_of(held)
                if partial.count:
                    told = figures(series.type, partial)
                    numbers = [told[name] for name in NUMBERS]
                    place = [series.metric, series.dimensions, grain, start]
                    found.append([*place, partial.count, *numbers, revision])
        if len(found) >= least:
            return found, key
    return found, None


def stream_of(rows: Iterable[list[Any]]) -> bytes:
    """Those rows as an Arrow stream."""
    import pyarrow as pa  # loaded by the first who asks with SQL

    # `start` is in UTC; numbers are doubles
    schema = pa.schema(
        [
            ("metric", pa.string()),
            ("dimensions", pa.map_(pa.string(), pa.string())),
            ("grain", pa.string()),
            ("start", pa.timestamp("ms")),
            ("count", pa.int64()),
            *((name, pa.float64()) for name in NUMBERS),
            ("revision", pa.int64()),
        ]
    )
    columns: list[list[Any]] = [[] for _ in schema]
    for row in rows:
        for column, value in zip(columns, row, strict=True):
            column.append(value)
    columns[1] = [list(dimensions.items()) for dimensions in columns[1]]
    arrays = [
        pa.array(
            [None if v is None else float(v) for v in column] if field.name in NUMBERS else column,
            field.type,
        )
        for column, field in zip(columns, schema, strict=True)
    ]
    table = pa.Table.from_arrays(arrays, schema=schema)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())
