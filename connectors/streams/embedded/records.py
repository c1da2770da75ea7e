"""Records of one partition packed into blobs, by column: 20,000 records cost a few calls of C.

A blob is the msgpack array [base offset, offset deltas or nil when dense, timestamp or
timestamps, keys or nil, values, headers or nil]: what all its records share is written once.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, chain, repeat
from operator import add
from types import NoneType
from typing import NamedTuple

import msgspec

from connectors.streams.base import Headers, Item, MissingKey, RecordTooLarge, Row

# Small enough that a reader who wants ten records doesn't decode megabytes, large enough that
# the cost of a row in the database (about 10 us) vanishes among the 2,000 records it holds.
BLOB_BYTES = 256 << 10


# What a record counts for besides its bytes when blobs are cut, so that a blob of empty records
# stays within 16,384 of them.
RECORD_BYTES = 16


class Columns(NamedTuple):
    """Records by column, all of the same length; `sizes` is what each record counts for."""

    timestamps: Sequence[int]
    keys: Sequence[bytes | None]
    values: Sequence[bytes | None]
    headers: Sequence[Headers]
    sizes: Sequence[int]

    def part(self, start: int, stop: int) -> "Columns":
        """The records from `start` to before `stop`."""
        if start == 0 and stop == len(self.sizes):
            return self
        return Columns(
            self.timestamps[start:stop],
            self.keys[start:stop],
            self.values[start:stop],
            self.headers[start:stop],
            self.sizes[start:stop],
        )


class _Blob(msgspec.Struct, array_like=True, gc=False):
    base: int
    deltas: Sequence[int] | None
    timestamps: int | Sequence[int]
    keys: Sequence[bytes | None] | None
    values: Sequence[bytes | None]
    headers: Sequence[Headers] | None


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Blob).decode


def columns_of(topic: str, rows: Sequence[Row], now_ms: int, limit: int, keyed: bool) -> Columns:
    """The rows of one append by column.

    Raises RecordTooLarge for a record above `limit` bytes, MissingKey for one without a key
    where the topic is `keyed`, and TypeError for anything that is no record: a blob that can't
    be read back would close the partition to all readers.
    """
    keys = [row[0] for row in rows]
    values = [row[1] for row in rows]
    given = [row[2] for row in rows]
    headers = [row[3] for row in rows]
    _check_types(keys, values, given, headers)
    if keyed and None in keys:
        raise MissingKey(topic)
    sizes = list(map(add, _lengths(keys), _lengths(values)))
    if any(headers):
        sizes = [
            size + sum(len(name.encode()) + len(value) for name, value in own)
            for size, own in zip(sizes, headers, strict=True)
        ]
    largest = max(sizes)
    if largest > limit:
        raise RecordTooLarge(topic, largest, limit)
    if given.count(None) == len(given):
        return Columns((now_ms,) * len(given), keys, values, headers, sizes)
    stamps = [now_ms if stamp is None else stamp for stamp in given]
    return Columns(stamps, keys, values, headers, sizes)


def columns_of_items(items: Sequence[Item]) -> tuple[Sequence[int], Columns]:
    """The offsets and the columns of stored records, to pack them anew."""
    offsets, stamps, keys, values, headers = zip(*items, strict=True)
    sizes = list(map(add, _lengths(keys), _lengths(values)))
    return offsets, Columns(stamps, keys, values, headers, sizes)


def joined(parts: Sequence[Columns]) -> Columns:
    """The records of several appends, one after the other."""
    if len(parts) == 1:
        return parts[0]
    return Columns(
        list(chain.from_iterable(part.timestamps for part in parts)),
        list(chain.from_iterable(part.keys for part in parts)),
        list(chain.from_iterable(part.values for part in parts)),
        list(chain.from_iterable(part.headers for part in parts)),
        list(chain.from_iterable(part.sizes for part in parts)),
    )


def cuts(sizes: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Where to cut records into blobs: (start, stop), each at most BLOB_BYTES or one record."""
    weights = list(accumulate(map(add, sizes, repeat(RECORD_BYTES))))
    start = weight = 0
    while start < len(weights):
        stop = max(bisect_right(weights, weight + BLOB_BYTES, lo=start), start + 1)
        yield start, stop
        start, weight = stop, weights[stop - 1]


def pack(offsets: Sequence[int], columns: Columns) -> bytes:
    """One blob of at least one record. `offsets` rise; a range says that they are dense."""
    base = offsets[0]
    stamps = columns.timestamps
    return _encode(
        _Blob(
            base,
            None if isinstance(offsets, range) else [offset - base for offset in offsets],
            stamps[0] if stamps.count(stamps[0]) == len(stamps) else stamps,
            None if columns.keys.count(None) == len(columns.keys) else columns.keys,
            columns.values,
            columns.headers if any(columns.headers) else None,
        )
    )


def unpack(data: bytes, from_offset: int = 0) -> list[Item]:
    """The records of a blob at or after `from_offset`, in order."""
    blob = _decode(data)
    base, count, stamps = blob.base, len(blob.values), blob.timestamps
    # the endless columns come after the offsets, which end the zip
    offsets: Iterable[int] = (
        range(base, base + count) if blob.deltas is None else map(base.__add__, blob.deltas)
    )
    items: list[Item] = list(
        zip(
            offsets,
            repeat(stamps) if isinstance(stamps, int) else stamps,
            repeat(None) if blob.keys is None else blob.keys,
            blob.values,
            repeat(()) if blob.headers is None else blob.headers,
            strict=False,
        )
    )
    if base < from_offset:
        return [item for item in items if item[0] >= from_offset]
    return items


def _check_types(
    keys: Sequence[object],
    values: Sequence[object],
    stamps: Sequence[object],
    headers: Sequence[Headers],
) -> None:
    wrong = (set(map(type, keys)) | set(map(type, values))) - {bytes, NoneType}
    wrong |= set(map(type, stamps)) - {int, NoneType}
    if any(headers):
        named = [header for own in headers for header in own]
        wrong |= {type(name) for name, _ in named} - {str}
        wrong |= {type(value) for _, value in named} - {bytes}
    if wrong:
        names = ", ".join(sorted(kind.__name__ for kind in wrong))
        raise TypeError(f"a record holds bytes or None, with timestamps in int: got {names}")


def _lengths(column: Sequence[bytes | None]) -> Iterable[int]:
    absent = column.count(None)
    if absent == len(column):
        return repeat(0, absent)
    if absent:
        return [0 if cell is None else len(cell) for cell in column]
    return map(len, column)  # type: ignore[arg-type]  # no None is left in it
