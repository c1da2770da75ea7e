"""Keys of the rows that rollups are kept in, and what a series is.

m<metric>\\0<series 16>          Series: its type, dimensions, zone
k<source>\\0<record 16>          [version, zone, [[series, ts, value], …]]: what a record gave
v<series><quarter 8><ts 8><version 8><record 16>   a value, as text
q<series><quarter 8>            Partial of a quarter of an hour UTC
c<series><grain 1><start 8>     [revision, figures]: a bucket in the series' zone
u<key of a bucket>              [metric, the bucket as it was told last]: it was changed unsaid
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from typing import Any, Protocol

import msgspec

from domain.metrics.grains import GRAINS, QUARTER_MS, Grain

METRIC, RECORD, VALUE, QUARTER, CUBE, UNTOLD = b"m", b"k", b"v", b"q", b"c", b"u"
_SHIFT = 1 << 62  # instants before 1970 sort before those after
_json = msgspec.json.Encoder(order="sorted").encode
_pack = msgspec.msgpack.Encoder().encode


class Rows(Protocol):
    """What is read of a shard's rows."""

    def get(self, key: bytes) -> bytes | None:
        """The value of a row, None when there is none."""

    def scan(
        self, prefix: bytes, after: bytes = b"", limit: int = 1000
    ) -> list[tuple[bytes, bytes]]:
        """(key, value) of rows that begin with `prefix` and are greater than `after`, in order."""


class Series(msgspec.Struct, array_like=True, frozen=True):
    """Values of one metric with the same dimensions. `zone`: where its buckets begin."""

    metric: str
    type: str
    dimensions: dict[str, str]
    zone: str


class Given(msgspec.Struct, array_like=True):
    """What the newest version of a record gave: (series, metric, ts, value as text)."""

    version: int
    values: list[tuple[bytes, str, int, str]]


encode = _pack
decode_series = msgspec.msgpack.Decoder(Series).decode
decode_given = msgspec.msgpack.Decoder(Given).decode


def series_id(metric: str, dimensions: dict[str, str]) -> bytes:
    """16 bytes that stand for the series."""
    return blake2b(_json([metric, dimensions]), digest_size=16).digest()


def series_key(metric: str, series: bytes) -> bytes:
    return METRIC + metric.encode() + b"\0" + series


def record_key(source: str, digest: bytes) -> bytes:
    return RECORD + source.encode() + b"\0" + digest


def record_digest(source: str, key: str) -> bytes:
    """16 bytes that stand for a record."""
    return blake2b(f"{source}\0{key}".encode(), digest_size=16).digest()


def instant_bytes(ms: int) -> bytes:
    """8 bytes that sort as the instants do."""
    return (ms + _SHIFT).to_bytes(8, "big")


def instant_of(data: bytes) -> int:
    """The inverse."""
    return int.from_bytes(data, "big") - _SHIFT


def quarter_of(ms: int) -> int:
    """The beginning of the quarter of an hour that the instant is in."""
    return ms // QUARTER_MS * QUARTER_MS


def quarter_key(series: bytes, quarter_ms: int) -> bytes:
    return QUARTER + series + instant_bytes(quarter_ms)


def value_key(series: bytes, ts: int, version: int, record: bytes) -> bytes:
    at = instant_bytes(quarter_of(ts)) + instant_bytes(ts) + instant_bytes(version)
    return VALUE + series + at + record


def cube_prefix(series: bytes, grain: Grain) -> bytes:
    return CUBE + series + bytes([GRAINS.index(grain)])


def cube_key(series: bytes, grain: Grain, start_ms: int) -> bytes:
    return cube_prefix(series, grain) + instant_bytes(start_ms)


def between(
    rows: Rows, prefix: bytes, from_ms: int, to_ms: int, page: int = 1000
) -> Iterable[tuple[int, bytes]]:
    """(instant, value) of the rows `<prefix><instant>` with from <= instant < to, in order; `page`
    of them are read at a time, so one more than are expected is the best."""
    after, end = prefix + instant_bytes(from_ms - 1) + b"\xff", prefix + instant_bytes(to_ms)
    while found := rows.scan(prefix, after, page):
        for key, value in found:
            if key >= end:
                return
            yield instant_of(key[len(prefix) :]), value
        if len(found) < page:
            return
        after = found[-1][0]


def bucket_key(series: Series, grain: str, start: str) -> bytes:
    """The stream key of a bucket on the topic `rollups`: metric, dimensions, bucket."""
    return _json([series.metric, series.dimensions, grain, start])


def plain(data: bytes) -> Any:
    """Decoded plain data."""
    return msgspec.msgpack.decode(data)
