"""The due index of a ledger as a book sees it: entries of the store and those that were added, in
the order of their times.

Entries that are done with are deleted from the front. RocksDB steps over what was deleted and is
not yet gone from the disk at every look, so looks are few (a page at a time) and begin behind what
is known to be gone (`Floors`).
"""

from collections.abc import Mapping
from heapq import heappop, heappush

from tables.floors import Floors
from tables.layout import instant_of
from tables.ledger_layout import WAKE, due_key
from tables.store import KeyedStore

FIRST_PAGE, DUE_PAGE = 16, 512  # entries read at a time: few books need many, which grow fast
ALL = WAKE + b"\x80"  # since 1970: begins with the first byte of such instants
TIMED = due_key(1, b"")  # all but those at instant 0, which have no time of their own


class Due:
    """The entries from `first` on, ALL or TIMED. `changed` is the book's: an entry is taken away
    there."""

    def __init__(
        self,
        store: KeyedStore,
        floors: Floors,
        changed: Mapping[bytes, bytes | None],
        first: bytes = ALL,
    ) -> None:
        self._store, self._floors, self._changed, self._first = store, floors, changed, first
        self._woken: list[bytes] = []
        self._page: list[bytes] = []  # of the store, the next one last
        self._page_from, self._page_size = first, FIRST_PAGE

    def add(self, at: bytes) -> None:
        """An entry is written, or there again."""
        if at >= self._first:
            heappush(self._woken, at)

    def first(self, until_ms: int) -> bytes | None:
        """The earliest entry not after `until_ms`."""
        stored, woken = self._stored(until_ms), self._added()
        at = min((key for key in (stored, woken) if key is not None), default=None)
        return None if at is None or instant_of(at) > until_ms else at

    def again(self) -> None:
        """Changes were taken back: what was read from the store may be due again."""
        self._page, self._page_from = [], self._first

    def _stored(self, until_ms: int) -> bytes | None:
        end = due_key(until_ms + 1, b"")
        while True:
            while self._page:
                if self._changed.get(self._page[-1], b"") is not None:
                    return self._page[-1]
                self._page.pop()
            first = max(self._page_from, self._floors.of(self._first))
            if first >= end:
                return None
            size = self._page_size
            found = [key for key, _ in self._store.scan(first, end, size)]
            if self._page_from == self._first:
                self._floors.note(self._first, min([end, *found[:1], *self._woken[:1]]))
            self._page = found[::-1]
            self._page_from = end if len(found) < size else found[-1] + b"\0"
            self._page_size = min(4 * size, DUE_PAGE)

    def _added(self) -> bytes | None:
        while self._woken:
            if self._changed.get(self._woken[0]) is not None:
                return self._woken[0]
            heappop(self._woken)
        return None
