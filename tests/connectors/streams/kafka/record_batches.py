"""Record batches as a broker sends them, made by hand."""

from collections.abc import Sequence

from aiokafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder
from aiokafka.record.util import calc_crc32c

from connectors.streams.base import Headers

GZIP = DefaultRecordBatch.CODEC_GZIP
_CONTROL = 0x20
_CRC, _ATTRIBUTES, _LAST_DELTA, _COUNT = 17, 21, 23, 57


def batch(
    base: int,
    values: Sequence[bytes | None],
    *,
    key: bytes | None = b"k",
    headers: Headers = (),
    timestamp_ms: int = 1000,
    producer: int = -1,
    codec: int = 0,
    span: int | None = None,
    control: bool = False,
) -> bytes:
    """One record batch from offset `base` on; record i has timestamp_ms + i.

    `producer` makes it part of that producer's transaction. `span` is how many offsets it takes,
    when compaction has removed its last records.
    """
    builder = DefaultRecordBatchBuilder(2, codec, int(producer >= 0), producer, 0, 0, 1 << 24)
    for index, value in enumerate(values):
        builder.append(index, timestamp_ms + index, key, value, list(headers))
    data = bytearray(builder.build())
    data[0:8] = base.to_bytes(8, "big")
    if span is not None:
        data[_LAST_DELTA : _LAST_DELTA + 4] = (span - 1).to_bytes(4, "big")
    if control:
        data[_ATTRIBUTES + 1] |= _CONTROL
    data[_CRC:_ATTRIBUTES] = calc_crc32c(bytes(data[_ATTRIBUTES:])).to_bytes(4, "big")
    return bytes(data)


def marker(base: int, producer: int, *, aborted: bool) -> bytes:
    """The control batch that ends a transaction."""
    key = (0).to_bytes(2, "big") + (0 if aborted else 1).to_bytes(2, "big")
    return batch(base, [b"\0" * 6], key=key, producer=producer, control=True)
