"""What a run would change, kept in memory over a store that is only read."""

from collections.abc import Iterable, Iterator, Sequence
from heapq import merge
from itertools import islice

from tables.store import KeyedStore, MemoryStore


class OverlayStore:
    """A KeyedStore. Closing it closes the store below, which never changes."""

    def __init__(self, below: KeyedStore) -> None:
        self._below = below
        self._above = MemoryStore()
        self._hidden: set[bytes] = set()
        """Keys of `below` that were replaced or deleted."""

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        found = self._above.get_many(keys)
        missing = [
            key
            for key, value in zip(keys, found, strict=True)
            if value is None and key not in self._hidden
        ]
        below = dict(zip(missing, self._below.get_many(missing), strict=True))
        return [
            below.get(key) if value is None else value
            for key, value in zip(keys, found, strict=True)
        ]

    def write(self, puts: Iterable[tuple[bytes, bytes]], deletes: Iterable[bytes] = ()) -> None:
        puts, deletes = list(puts), list(deletes)
        self._above.write(puts, deletes)
        self._hidden.update(deletes)
        self._hidden.update(key for key, _ in puts)

    def scan(
        self, start: bytes, end: bytes, limit: int | None = None
    ) -> Iterator[tuple[bytes, bytes]]:
        below = (item for item in self._below.scan(start, end) if item[0] not in self._hidden)
        yield from islice(merge(below, self._above.scan(start, end)), limit)

    def close(self) -> None:
        self._above.close()
        self._below.close()
