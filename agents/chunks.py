"""What travels on `<app>-sessions-in`: chunks of routed records, and marks of how far the inputs
have been routed.

A chunk holds the records of one input partition, under one version of one aggregator, for one
shard, in order; many travel in one stream record, so that the hop costs per chunk and not per
record. MessagePack: [topic, partition, aggregator, version, [[key, offset, timestamp, values,
original?], ...]].
"""

from typing import Any

import msgspec

Entry = tuple[bytes, int, int, tuple[Any, ...]]
"""(session key, offset, broker timestamp ms, values)"""


class Chunk(msgspec.Struct, array_like=True):
    """Routed records. `originals` has, by offset, the bytes of those that the session may still
    refuse.
    """

    topic: str
    partition: int
    aggregator: str
    version: int
    entries: list[Any]
    originals: dict[int, bytes] = {}


class Progress(msgspec.Struct, array_like=True):
    """Every record of that input partition with a timestamp up to `until` has been routed before
    this.
    """

    topic: str
    partition: int
    until: int


class Parcel(msgspec.Struct, array_like=True):
    """One stream record on sessions-in. A reader needs the documents up to `revision`."""

    revision: int
    chunks: list[Chunk]
    progress: list[Progress] = []


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Parcel).decode


def encode_parcel(parcel: Parcel) -> bytes:
    """Bytes of a parcel; numbers beyond 64 bits have to be decimals."""
    return _encode(parcel)


def decode_parcel(data: bytes) -> Parcel:
    """The inverse; decimals come back as text."""
    return _decode(data)
