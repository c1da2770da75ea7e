"""What travels on `<app>-campaigns-in` and `<app>-retrigger-in`: records of the public topics, for
the shard of their flow, with the position they had.

Many travel in one stream record. A record sent again after a kill has the same position, and the
shard knows up to which position of each source it has applied them.
"""

import msgspec

PARCEL_BYTES = 512 * 1024


class Entry(msgspec.Struct, array_like=True):
    """One record. `path`: how it came, see `DIRECT` and `BY_RETRIGGER`; `topic` is public."""

    path: int
    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    body: bytes


DIRECT, BY_RETRIGGER = 0, 1

_encode = msgspec.msgpack.Encoder().encode
decode_parcel = msgspec.msgpack.Decoder(list[Entry]).decode


def parcels(entries: list[Entry]) -> list[bytes]:
    """The entries in order, as stream records of about PARCEL_BYTES at most."""
    made: list[bytes] = []
    held: list[Entry] = []
    size = 0
    for entry in entries:
        if held and size + len(entry.body) > PARCEL_BYTES:
            made.append(_encode(held))
            held, size = [], 0
        held.append(entry)
        size += len(entry.body)
    if held:
        made.append(_encode(held))
    return made
