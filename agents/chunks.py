"""What travels on `<app>-sessions-in`: chunks of routed records, marks of how far the inputs have
been routed, and operators' commands.

A chunk holds records of one input partition, under one version of one aggregator, for one shard,
grouped by session key. Many travel in one stream record, so that the hop costs per chunk and not
per record. MessagePack, see the Structs.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

import msgspec


class Chunk(msgspec.Struct, array_like=True):
    """Records for one shard: `groups` holds [session key, [[offset, timestamp ms, values], ...]].

    `upto`: with this chunk the shard has everything of the aggregator up to that offset (-1: more
    is to come). `originals` has, by offset, the bytes of those that the session may still refuse.
    It was placed by that many shards (0: not told).
    """

    topic: str
    partition: int
    aggregator: str
    version: int
    groups: list[Any]
    upto: int
    originals: dict[int, bytes] = {}
    placed: int = 0


class Progress(msgspec.Struct, array_like=True):
    """Every record of that input partition with a timestamp up to `until` has been routed."""

    topic: str
    partition: int
    until: int


class Order(msgspec.Struct, array_like=True):
    """An operator's command for these shards: its position on `config`, when it came there, and its
    bytes. It is read by the versions of the aggregator up to `version`.
    """

    partition: int
    offset: int
    aggregator: str
    version: int
    revision: int
    shards: list[int]
    at: int
    message: bytes


class Move(msgspec.Struct, array_like=True):
    """A row that comes to live on this shard, from `origin`, and its event ids' first sights.

    With `row` empty these are only some of the sights: the row follows.
    """

    origin: int
    key: bytes
    row: bytes
    seen: list[list[Any]]


class Parcel(msgspec.Struct, array_like=True):
    """One stream record on sessions-in. A reader needs the documents up to `revision`. For
    `replays` see `replay_messages.py`; they come behind its chunks, and `orders` last.

    For growths (see `growing.py`): `handed` has the number of shards by which what is in it was
    handed on by another shard (0: it was not), `give` asks to give rows away by a number of shards,
    `release` says that all of that is over.
    """

    revision: int
    chunks: list[Chunk]
    progress: list[Progress] = []
    replays: list[bytes] = []
    orders: list[Order] = []
    moves: list[Move] = []
    handed: int = 0
    give: int = 0
    release: int = 0


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Parcel).decode
encode_order = msgspec.msgpack.Encoder().encode
decode_order = msgspec.msgpack.Decoder(Order).decode
PARCEL_BYTES = 512 * 1024


def encode_parcel(parcel: Parcel) -> bytes:
    """Bytes of a parcel; numbers beyond 64 bits have to be decimals."""
    return _encode(parcel)


def decode_parcel(data: bytes) -> Parcel:
    """The inverse; decimals come back as text."""
    return _decode(data)


def parcels(revision: int, chunks: list[Chunk], handed: int = 0) -> list[bytes]:
    """The chunks as stream records of about PARCEL_BYTES at most, in order."""
    data = encode_parcel(Parcel(revision, chunks, handed=handed))
    if len(data) <= PARCEL_BYTES:
        return [data]
    if len(chunks) > 1:
        middle = len(chunks) // 2
        first, second = chunks[:middle], chunks[middle:]
        return parcels(revision, first, handed) + parcels(revision, second, handed)
    halves = _halves(chunks[0])
    if halves is None:
        return [data]
    return parcels(revision, [halves[0]], handed) + parcels(revision, [halves[1]], handed)


def joined(chunks: Sequence[Chunk]) -> list[Chunk]:
    """Chunks of one source that follow each other as one; what it was is not changed."""
    found: list[Chunk] = []
    for source, run in groupby(chunks, _source):
        first, *others = run
        if others:
            groups = dict(first.groups)
            originals, upto = dict(first.originals), first.upto
            for chunk in others:
                for key, entries in chunk.groups:
                    before = groups.get(key)
                    groups[key] = entries if before is None else [*before, *entries]
                originals |= chunk.originals
                upto = max(upto, chunk.upto)
            first = Chunk(*source[:4], list(groups.items()), upto, originals, source[4])
        found.append(first)
    return found


def _source(chunk: Chunk) -> tuple[str, int, str, int, int]:
    return chunk.topic, chunk.partition, chunk.aggregator, chunk.version, chunk.placed


def commits(chunks: Sequence[Chunk], many: int) -> Iterator[list[Chunk]]:
    """Chunks in their order, by what is to be one commit: one with more than `many` keys shares it
    with none of the same aggregator.
    """
    found: list[Chunk] = []
    sizes: dict[str, int] = {}
    for chunk in chunks:
        size = sizes.get(chunk.aggregator)
        if size is not None and max(size, len(chunk.groups)) > many:
            yield found
            found, sizes, size = [], {}, None
        found.append(chunk)
        sizes[chunk.aggregator] = (size or 0) + len(chunk.groups)
    yield found


def _halves(chunk: Chunk) -> tuple[Chunk, Chunk] | None:
    """A chunk in two, the first of which doesn't complete anything; None when it is one record."""
    groups = chunk.groups
    if len(groups) > 1:
        middle = len(groups) // 2
        parts = groups[:middle], groups[middle:]
    else:
        key, entries = groups[0]
        if len(entries) == 1:
            return None
        middle = len(entries) // 2
        parts = [[key, entries[:middle]]], [[key, entries[middle:]]]
    first, second = (
        msgspec.structs.replace(chunk, groups=part, originals=_of(chunk, part)) for part in parts
    )
    first.upto = -1
    return first, second


def _of(chunk: Chunk, groups: list[Any]) -> dict[int, bytes]:
    if not chunk.originals:
        return {}
    offsets = {entry[0] for _, entries in groups for entry in entries}
    return {offset: data for offset, data in chunk.originals.items() if offset in offsets}
