"""Avro files of fetched records: `ts` and `attributes`, and in the metadata what page they are of.

The bytes of a file depend on its name and content alone, so that writing one again makes the same.
"""

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any

from domain.errors import SluiceError
from domain.metrics.fetched import Fetched

_TIME = {"type": "long", "logicalType": "timestamp-millis"}
_VALUES = ["null", "boolean", "long", "double", "string"]
SCHEMA = {
    "type": "record",
    "name": "Record",
    "namespace": "sluice",
    "fields": [
        {"name": "ts", "type": _TIME},
        {"name": "attributes", "type": {"type": "map", "values": _VALUES}},
    ],
}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)


class Unreadable(SluiceError):
    """A file of the archive that is no Avro file of ours."""

    def __init__(self, where: str, detail: str) -> None:
        self.where = where
        super().__init__(f"{where} can't be read ({detail}); expected an Avro file of the archive")


def encode(name: str, records: Iterable[Fetched], metadata: Mapping[str, str]) -> bytes:
    """The file of these records."""
    import fastavro  # loaded by those who have an archive

    out = io.BytesIO()
    rows = ({"ts": each.ts_ms, "attributes": each.attributes} for each in records)
    mark = blake2b(name.encode(), digest_size=16).digest()
    schema = fastavro.parse_schema(SCHEMA)
    fastavro.writer(out, schema, rows, codec="deflate", metadata=dict(metadata), sync_marker=mark)
    return out.getvalue()


def decode(name: str, content: bytes) -> tuple[dict[str, str], Sequence[Fetched]]:
    """(metadata, records) of a file. Raises Unreadable."""
    import fastavro

    try:
        reader = fastavro.reader(io.BytesIO(content))
        return _told(reader.metadata), list(_records(reader))
    except (ValueError, KeyError, TypeError, IndexError, EOFError, StopIteration) as error:
        raise Unreadable(name, str(error) or type(error).__name__) from error


def metadata_of(name: str, beginning: bytes) -> dict[str, str]:
    """The metadata alone; `beginning` must hold the file's header. Raises Unreadable."""
    import fastavro

    try:
        return _told(fastavro.reader(io.BytesIO(beginning)).metadata)
    except (ValueError, KeyError, TypeError, IndexError, EOFError, StopIteration) as error:
        raise Unreadable(name, str(error) or type(error).__name__) from error


def _told(metadata: Mapping[str, Any]) -> dict[str, str]:
    return {
        key: value.decode() if isinstance(value, bytes) else value
        for key, value in metadata.items()
        if key.startswith("sluice.")
    }


def _records(reader: Iterable[Any]) -> Iterator[Fetched]:
    for row in reader:
        at = row["ts"]
        ts_ms = at if isinstance(at, int) else (at - _EPOCH) // _MS
        yield Fetched(ts_ms, row["attributes"])
