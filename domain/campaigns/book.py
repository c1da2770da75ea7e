"""What the rules of campaigns write in: an ordered map of rows, and what goes out of it.

The rules are deterministic over a Book: no I/O, no clock, time is an argument. One call of
`machine` is one transaction: all of what it did to the book is kept, or nothing.
Keys and values are bytes; a key's first letter says what the row is (`keys.py`).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator, Sequence
from heapq import heappop, heappush
from typing import Any, Literal, Protocol

from msgspec import Raw, json

from domain.campaigns.leases import ids_of, leased
from domain.campaigns.made import documents_of

Collection = Literal["fdds", "made", "leases", "campaigns", "negative_numbers", "negative_uploads"]


class Book(Protocol):
    """One campaign shard, as one transaction sees it."""

    def get(self, key: bytes) -> bytes | None:
        """The row, what this transaction put included."""

    def prefetch(self, keys: Iterable[bytes]) -> None:
        """Says that these rows will be asked for: looked up together they cost a fifth."""

    def get_all(self, keys: Iterable[bytes]) -> list[bytes | None]:
        """The rows, looked up together, which costs a fifth."""

    def put(self, key: bytes, value: bytes) -> None:
        """Writes a row; `get` and `scan` of this transaction see it at once."""

    def put_all(self, rows: Sequence[tuple[bytes, bytes]]) -> None:
        """The same for many rows, each once, which costs a third."""

    def delete(self, key: bytes) -> None:
        """Removes a row; none is no error."""

    def scan(
        self, prefix: bytes, after: bytes = b"", limit: int = 1000
    ) -> list[tuple[bytes, bytes]]:
        """At most `limit` rows whose key has the prefix and is greater than `after`, in order."""

    def send(self, topic: str, key: bytes, value: dict[str, Any] | Raw) -> None:
        """A record for a public topic, in the order of the calls; Raw: JSON already."""

    def send_all(self, topic: str, records: Iterable[tuple[bytes, bytes]]) -> None:
        """(key, JSON) of many records for a topic."""

    def store(self, what: Collection, id: str, value: dict[str, Any] | None) -> None:
        """An upsert (None: a removal) in a store outside; the last one of an id stands. `made` are
        many FDDs, see `made.py`; `leases` change what stands, see `leases.py`."""

    def wake(self, at_ms: int, key: bytes) -> None:
        """`machine.due` is called with the key once the clock is at `at_ms` or past it.

        It may be called for a key that no longer matters: the rules look whether it does.
        """


PAGE = 1000  # rows of a scan


def every(book: Book, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
    """All rows whose key has the prefix, in order. A page that isn't full is the last: a look
    behind it costs as much as one at the first."""
    after = b""
    while True:
        rows = book.scan(prefix, after, PAGE)
        yield from rows
        if len(rows) < PAGE:
            return
        after = rows[-1][0]


class MemoryBook:
    """A Book in this process's memory, for tests and oracles: every change is kept at once."""

    def __init__(self) -> None:
        self.rows: dict[bytes, bytes] = {}
        self.sent: list[tuple[str, bytes, dict[str, Any]]] = []
        # collection -> id -> document
        self.stored: dict[str, dict[str, dict[str, Any]]] = {}
        self.wakes: set[tuple[int, bytes]] = set()
        self._soonest: list[tuple[int, bytes]] = []  # a heap of the same
        self._keys: list[bytes] = []

    def get(self, key: bytes) -> bytes | None:
        return self.rows.get(key)

    def prefetch(self, keys: Iterable[bytes]) -> None:
        pass

    def get_all(self, keys: Iterable[bytes]) -> list[bytes | None]:
        return list(map(self.rows.get, keys))

    def put(self, key: bytes, value: bytes) -> None:
        if key not in self.rows:
            if not self._keys or key > self._keys[-1]:
                self._keys.append(key)
            else:
                insort(self._keys, key)
        self.rows[key] = value

    def put_all(self, rows: Sequence[tuple[bytes, bytes]]) -> None:
        for key, value in rows:
            self.put(key, value)

    def delete(self, key: bytes) -> None:
        if self.rows.pop(key, None) is not None:
            del self._keys[bisect_left(self._keys, key)]

    def scan(
        self, prefix: bytes, after: bytes = b"", limit: int = 1000
    ) -> list[tuple[bytes, bytes]]:
        start = bisect_left(self._keys, prefix)
        if after >= prefix:
            start = bisect_right(self._keys, after)
        found = []
        for key in self._keys[start : start + limit]:
            if not key.startswith(prefix):
                break
            found.append((key, self.rows[key]))
        return found

    def send(self, topic: str, key: bytes, value: dict[str, Any] | Raw) -> None:
        told: dict[str, Any] = json.decode(value) if isinstance(value, Raw) else value
        self.sent.append((topic, key, told))

    def send_all(self, topic: str, records: Iterable[tuple[bytes, bytes]]) -> None:
        self.sent += [(topic, key, json.decode(value)) for key, value in records]

    def store(self, what: Collection, id: str, value: dict[str, Any] | None) -> None:
        if what == "leases" and value is not None:
            documents = self.stored["fdds"]
            for ident in ids_of(value):
                documents[ident] = leased(documents[ident], ident, value)
            return
        if what == "made" and value is not None:
            fdds = self.stored.setdefault("fdds", {})
            fdds.update((each["id"], each) for each in documents_of(value))
            return
        documents = self.stored.setdefault(what, {})
        if value is None:
            documents.pop(id, None)
        else:
            documents[id] = value

    def wake(self, at_ms: int, key: bytes) -> None:
        if (at_ms, key) not in self.wakes:
            self.wakes.add((at_ms, key))
            heappush(self._soonest, (at_ms, key))

    def next_due(self) -> tuple[int, bytes] | None:
        """The earliest wake, removed; None without one. Ties go by key."""
        if not self.wakes:
            return None
        first = heappop(self._soonest)
        self.wakes.remove(first)
        return first

    def due_ms(self) -> int | None:
        """When the earliest wake is; None without one."""
        return self._soonest[0][0] if self._soonest else None
