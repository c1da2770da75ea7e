"""What the rules see of a ledger: its rows with all that this commit changes, due times, outputs.

Nothing in here is durable before `Ledger.commit`. A transaction that is refused is taken back with
`back_to`; those before it in the same commit stay.
"""

from bisect import bisect_left, bisect_right, insort
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Any

import msgspec

from tables.floors import Floors
from tables.layout import instant_of
from tables.ledger_layout import ROW, WAKE, due_key, end_of
from tables.store import KeyedStore

Output = tuple[str, bytes | None, bytes]
"""(public topic, key, value)"""
Write = tuple[str, str, bytes | None]
"""(what, id, JSON value; None deletes) for a store of documents or negatives"""
DUE_PAGE = 500  # due entries read at a time
DUE = WAKE + b"\x80"  # the due index since 1970: begins with the first byte of such instants

_json = msgspec.json.Encoder().encode


@dataclass(frozen=True)
class Savepoint:
    """A state of the book that it can go back to."""

    changes: int
    outputs: int
    writes: int


class LedgerBook:
    """See the module and `Book` of the rules. One commit uses it, then it is thrown away.

    `changed` has new values by store key, None for what is deleted; `read` the values before this
    commit, of keys that were looked up.
    """

    def __init__(self, store: KeyedStore, floors: Floors | None = None) -> None:
        self._store = store
        self._floors = Floors() if floors is None else floors
        self.changed: dict[bytes, bytes | None] = {}
        self.read: dict[bytes, bytes | None] = {}
        self.outputs: list[Output] = []
        self.writes: list[Write] = []
        self._ordered: list[bytes] = []
        self._journal: list[tuple[bytes, bytes | None, bool]] = []
        self._woken: list[bytes] = []
        self._page: list[bytes] = []  # due entries of the store, the next one last
        self._page_from = WAKE

    # Rows

    def get(self, key: bytes) -> bytes | None:
        """The value of a row, None when there is none."""
        at = ROW + key
        if at in self.changed:
            return self.changed[at]
        if at in self.read:
            return self.read[at]
        value = self.read[at] = self._store.get_many([at])[0]
        return value

    def put(self, key: bytes, value: bytes) -> None:
        """Writes a row; `get` and `scan` see it at once."""
        at = ROW + key
        self._change(at, value)
        self._floors.put(at)

    def delete(self, key: bytes) -> None:
        """Takes a row away; one that isn't there is no error."""
        self._change(ROW + key, None)

    def scan(
        self, prefix: bytes, after: bytes = b"", limit: int = 1000
    ) -> list[tuple[bytes, bytes]]:
        """(key, value) of rows that begin with `prefix`, are greater than `after`, in order."""
        start, end = ROW + prefix, end_of(ROW + prefix)
        whole = after < prefix
        first = self._floors.of(start) if whole else ROW + after + b"\0"
        found = self._merged(first, end, limit)
        if whole and limit > 0:
            self._floors.note(start, found[0][0] if found else end)
        return [(key[1:], value) for key, value in found]

    def _merged(self, first: bytes, end: bytes, limit: int) -> list[tuple[bytes, bytes]]:
        low, high = bisect_left(self._ordered, first), bisect_left(self._ordered, end)
        if low == high:
            found_below = list(self._store.scan(first, end, limit))
            self.read.update(found_below)
            return found_below
        above = self._ordered[low:high]
        found: dict[bytes, bytes] = {}
        while len(found) < limit:
            wanted = limit - len(found)
            below = list(self._store.scan(first, end, wanted))
            last = below[-1][0] if len(below) == wanted else end
            cut = bisect_right(above, last) if last != end else len(above)
            self.read.update(below)
            part = dict(below)
            for key in above[:cut]:
                value = self.changed[key]
                if value is None:
                    part.pop(key, None)
                else:
                    part[key] = value
            found.update((key, part[key]) for key in sorted(part)[:wanted])
            if last == end or len(found) >= limit:
                break
            above, first = above[cut:], last + b"\0"
        return list(found.items())

    def _change(self, at: bytes, value: bytes | None) -> None:
        known = at in self.changed
        self._journal.append((at, self.changed[at] if known else None, known))
        if not known:
            insort(self._ordered, at)
        self.changed[at] = value

    # What goes out

    def send(self, topic: str, key: bytes, value: dict[str, Any]) -> None:
        """A record for a public topic; out once the commit is durable."""
        self.outputs.append((topic, key, _json(value)))

    def send_bytes(self, output: Output) -> None:
        """The same, encoded already."""
        self.outputs.append(output)

    def store(self, what: str, id: str, value: dict[str, Any] | None) -> None:
        """A value of a store of documents or negatives, None deletes it; written once the commit
        is durable."""
        self.writes.append((what, id, None if value is None else _json(value)))

    # What is due

    def wake(self, at_ms: int, key: bytes) -> None:
        """Gives the key back at that instant; asked for twice it comes once."""
        at = due_key(max(at_ms, 0), key)
        self._change(at, b"")
        heappush(self._woken, at)
        self._floors.put(at)

    def pop_due(self, until_ms: int) -> tuple[int, bytes] | None:
        """(instant, key) of the earliest entry not after `until_ms`, which is then no longer there;
        what was added meanwhile is in its place in the order."""
        stored, woken = self._stored_due(until_ms), self._woken_due()
        at = min((key for key in (stored, woken) if key is not None), default=None)
        if at is None or instant_of(at) > until_ms:
            return None
        self._change(at, None)
        return instant_of(at), at[9:]

    def pop_timed(self, until_ms: int) -> tuple[int, bytes] | None:
        """The same, but entries at instant 0 are passed over: they have no time of their own."""
        found = self._merged(due_key(1, b""), due_key(until_ms + 1, b""), 1)
        if not found:
            return None
        self._change(found[0][0], None)
        return instant_of(found[0][0]), found[0][0][9:]

    def _stored_due(self, until_ms: int) -> bytes | None:
        end = due_key(until_ms + 1, b"")
        while True:
            while self._page:
                if self.changed.get(self._page[-1], b"") is not None:
                    return self._page[-1]
                self._page.pop()
            first = max(self._page_from, self._floors.of(DUE))
            if first >= end:
                return None
            found = [key for key, _ in self._store.scan(first, end, DUE_PAGE)]
            if self._page_from == WAKE:
                self._floors.note(DUE, min([end, *found[:1], *self._woken[:1]]))
            self._page = found[::-1]
            self._page_from = end if len(found) < DUE_PAGE else found[-1] + b"\0"

    def _woken_due(self) -> bytes | None:
        while self._woken:
            if self.changed.get(self._woken[0]) is not None:
                return self._woken[0]
            heappop(self._woken)
        return None

    # Back

    def savepoint(self) -> Savepoint:
        """Where the book is now."""
        return Savepoint(len(self._journal), len(self.outputs), len(self.writes))

    def back_to(self, point: Savepoint) -> None:
        """Takes back all that came after it."""
        while len(self._journal) > point.changes:
            at, value, known = self._journal.pop()
            if known:
                self.changed[at] = value
                if at[:1] == WAKE and value is not None:
                    heappush(self._woken, at)
            else:
                del self.changed[at]
                del self._ordered[bisect_left(self._ordered, at)]
        del self.outputs[point.outputs :]
        del self.writes[point.writes :]
        self._page, self._page_from = [], WAKE
        self._floors.forget()
