"""Where on a topic an id first stands: an index beside the lane, made from the topic alone.

It answers whether a record is a repetition, and where an id is. Never ahead of the topic and made
in its order, it can be lost or stale (a kill loses the newest writes of a store without a log) and
goes on where it is. It holds no more than the topic does.
"""

import struct
from collections.abc import Sequence

from tables.store import KeyedStore

_IDS, _PLACES, _NEXT = b"i", b"o", b"p"
_AT = struct.Struct(">IQ")
Fingerprint = tuple[bytes, bytes]
"""(16 bytes of the id, 8 bytes of the content)"""


class Index:
    """The ids of one topic, as far as their partitions are in this lane."""

    def __init__(self, store: KeyedStore, topic: str) -> None:
        self._store = store
        self._topic = topic.encode() + b"\0"

    def covered(self, partition: int) -> int:
        """The offset before which every record of the partition is in the index."""
        (found,) = self._store.get_many([self._next(partition)])
        return 0 if found is None else int.from_bytes(found, "big")

    def add(
        self, partition: int, records: Sequence[tuple[int, Fingerprint]], next_offset: int
    ) -> None:
        """Adds records in the order of their offsets; before `next_offset` all are then covered."""
        keys = [self._id(*fingerprint) for _, fingerprint in records]
        known = dict(zip(keys, self._store.get_many(keys), strict=True))
        puts: list[tuple[bytes, bytes]] = []
        for key, (offset, _) in zip(keys, records, strict=True):
            if known[key] is None:
                at = known[key] = _AT.pack(partition, offset)
                puts += [(key, at), (self._place(partition, offset), key)]
        reached = max(next_offset, self.covered(partition))
        puts.append((self._next(partition), reached.to_bytes(8, "big")))
        self._store.write(puts)

    def firsts(self, fingerprints: Sequence[Fingerprint]) -> list[tuple[int, int] | None]:
        """(partition, offset) where each record first stands; None for one that isn't covered."""
        found = self._store.get_many([self._id(*each) for each in fingerprints])
        return [None if at is None else _AT.unpack(at) for at in found]

    def places(self, digest: bytes) -> list[tuple[int, int]]:
        """(partition, offset) where records with the id of this digest first stand."""
        start = _IDS + self._topic + digest
        return [_AT.unpack(at) for _, at in self._store.scan(start, start + b"\xff" * 9)]

    def forget(self, partition: int, before: int, limit: int) -> int:
        """Drops what stands before that offset, at most `limit`; returns how many."""
        first, end = self._place(partition, 0), self._place(partition, before)
        rows = list(self._store.scan(first, end, limit))
        if rows:
            self._store.write([], [key for row in rows for key in row])
        return len(rows)

    def _id(self, digest: bytes, content: bytes) -> bytes:
        return _IDS + self._topic + digest + content

    def _place(self, partition: int, offset: int) -> bytes:
        return _PLACES + self._topic + _AT.pack(partition, offset)

    def _next(self, partition: int) -> bytes:
        return _NEXT + self._topic + partition.to_bytes(4, "big")
