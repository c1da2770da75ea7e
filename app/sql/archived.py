"""Archived records as the table `archive` of SQL."""

from collections.abc import Iterator
from typing import Any

import msgspec

from app.sql.run import SqlLimit
from connectors.archive.archive import Archive, Archived
from domain.masking import Masker
from domain.metrics.records import Attribute

PAGE = 10_000  # records made into columns at a time
RECORDS_MAX = 1_000_000
BYTES_MAX = 512 << 20  # of the table: what the worker holds beside everything else

_json = msgspec.json.Encoder().encode


def archive_stream(archive: Archive | None, masker: Masker | None = None) -> bytes:
    """Every record that counts, as an Arrow stream; no rows without an archive. Blocks: call it in
    a thread. Raises SqlLimit, and what the archive raises."""
    import pyarrow as pa  # loaded by the first who asks with SQL

    # `ts` is in UTC; the values of attributes are text, as JSON has them
    schema = pa.schema(
        [
            ("source", pa.string()),
            ("ts", pa.timestamp("ms")),
            ("attributes", pa.map_(pa.string(), pa.string())),
        ]
    )
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema) as writer:
        total = 0
        for page in _pages(archive, masker):
            total += len(page)
            if total > RECORDS_MAX or sink.tell() > BYTES_MAX:
                raise SqlLimit(
                    f"more than it may have: the archive has over {RECORDS_MAX:,} records or "
                    f"{BYTES_MAX >> 20} MB"
                )
            columns = [list(column) for column in zip(*page, strict=True)]
            arrays = [pa.array(c, field.type) for c, field in zip(columns, schema, strict=True)]
            writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=schema))
    return bytes(sink.getvalue())


def _pages(archive: Archive | None, masker: Masker | None) -> Iterator[list[list[Any]]]:
    page: list[list[Any]] = []
    for source, each in () if archive is None else _records(archive):
        held = each.record.attributes
        if masker is not None:
            held = masker.value("", held)
        page.append([source, each.record.ts_ms, [(n, _text(v)) for n, v in held.items()]])
        if len(page) == PAGE:
            yield page
            page = []
    if page:
        yield page


def _records(archive: Archive) -> Iterator[tuple[str, Archived]]:
    for source in archive.sources():
        for each in archive.records(source):
            yield source, each


def _text(value: Attribute) -> str | None:
    return value if value is None or isinstance(value, str) else _json(value).decode()
