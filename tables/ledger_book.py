"""What the rules see of a ledger: its rows with all that this commit changes, due times, outputs.

Nothing in here is durable before `Ledger.commit`. A transaction that is refused is taken back with
`back_to`; those before it in the same commit stay.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from tables.floors import Floors
from tables.layout import instant_of
from tables.ledger_due import TIMED, Due
from tables.ledger_layout import ROW, WAKE, due_key, end_of
from tables.store import KeyedStore

Output = tuple[str, bytes | None, bytes]
"""(public topic, key, value)"""
Write = tuple[str, str, bytes | None]
"""(what, id, JSON value; None deletes) for a store of documents or negatives"""

_json = msgspec.json.Encoder().encode
FEW = 16  # keys that are put in their places one by one, as long as all others are moved


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
        self._ordered: list[bytes] = []  # keys of `changed`, but for those in `_fresh`
        self._fresh: list[bytes] = []
        self._journal: list[tuple[bytes, bytes | None, bool]] = []
        self._due = Due(store, self._floors, self.changed)
        self._timed = Due(store, self._floors, self.changed, TIMED)

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

    def prefetch(self, keys: Iterable[bytes]) -> None:
        """Looks these rows up together, which costs a fifth of one by one; `get` has them then."""
        known, changed = self.read, self.changed
        unknown = [at for key in keys if (at := ROW + key) not in known and at not in changed]
        known.update(zip(unknown, self._store.get_many(unknown), strict=True))

    def get_all(self, keys: Iterable[bytes]) -> list[bytes | None]:
        """The values of rows, looked up together."""
        ats = [ROW + key for key in keys]
        read, changed = self.read, self.changed
        unknown = [at for at in ats if at not in read and at not in changed]
        read.update(zip(unknown, self._store.get_many(unknown), strict=True))
        if changed.keys().isdisjoint(ats):
            return [read[at] for at in ats]
        return [changed[at] if at in changed else read[at] for at in ats]

    def put(self, key: bytes, value: bytes) -> None:
        """Writes a row; `get` and `scan` see it at once."""
        at = ROW + key
        self._change(at, value)
        self._floors.put(at)

    def put_all(self, rows: Sequence[tuple[bytes, bytes]]) -> None:
        """The same for many rows, each once, which costs a third."""
        ats = [ROW + key for key, _ in rows]
        if not ats:
            return
        if not self.changed.keys().isdisjoint(ats):
            for key, value in rows:
                self.put(key, value)
            return
        if ats[0] not in self.read and not [*self._store.scan(min(ats), max(ats) + b"\0", 1)]:
            # nothing is there where a page of new rows goes: one look instead of one for each
            self.read.update(dict.fromkeys(ats))
        self._journal += [(at, None, False) for at in ats]
        self._fresh += ats
        self.changed.update(zip(ats, [value for _, value in rows], strict=True))
        self._floors.put_all(ats)

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
        ordered = self._in_order()
        low, high = bisect_left(ordered, first), bisect_left(ordered, end)
        if low == high:
            found_below = list(self._store.scan(first, end, limit))
            self.read.update(found_below)
            return found_below
        above = ordered[low:high]
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

    def _in_order(self) -> list[bytes]:
        """The keys of `changed` in order: they are put in order when somebody looks."""
        if len(self._fresh) > FEW:
            self._ordered += self._fresh
            self._ordered.sort()
        else:
            for at in self._fresh:
                insort(self._ordered, at)
        self._fresh.clear()
        return self._ordered

    def _change(self, at: bytes, value: bytes | None) -> None:
        if at in self.changed:
            self._journal.append((at, self.changed[at], True))
        else:
            self._journal.append((at, None, False))
            self._fresh.append(at)
        self.changed[at] = value

    # What goes out

    def send(self, topic: str, key: bytes, value: dict[str, Any] | msgspec.Raw) -> None:
        """A record for a public topic; out once the commit is durable. Raw: JSON already."""
        self.outputs.append((topic, key, _json(value)))

    def send_bytes(self, output: Output) -> None:
        """The same, encoded already."""
        self.outputs.append(output)

    def send_all(self, topic: str, records: Iterable[tuple[bytes, bytes]]) -> None:
        """(key, JSON) of many records for a topic."""
        self.outputs += [(topic, key, value) for key, value in records]

    def store(self, what: str, id: str, value: dict[str, Any] | None) -> None:
        """A value of a store of documents or negatives, None deletes it; written once the commit
        is durable."""
        self.writes.append((what, id, None if value is None else _json(value)))

    # What is due

    def wake(self, at_ms: int, key: bytes) -> None:
        """Gives the key back at that instant; asked for twice it comes once."""
        at = due_key(max(at_ms, 0), key)
        self._change(at, b"")
        self._due.add(at)
        self._timed.add(at)
        self._floors.put(at)

    def pop_due(self, until_ms: int) -> tuple[int, bytes] | None:
        """(instant, key) of the earliest entry not after `until_ms`, which is then no longer there;
        what was added meanwhile is in its place in the order."""
        return self._popped(self._due.first(until_ms))

    def pop_timed(self, until_ms: int) -> tuple[int, bytes] | None:
        """The same, but entries at instant 0 are passed over: they have no time of their own."""
        return self._popped(self._timed.first(until_ms))

    def _popped(self, at: bytes | None) -> tuple[int, bytes] | None:
        if at is None:
            return None
        self._change(at, None)
        return instant_of(at), at[9:]

    # Back

    def savepoint(self) -> Savepoint:
        """Where the book is now."""
        return Savepoint(len(self._journal), len(self.outputs), len(self.writes))

    def back_to(self, point: Savepoint) -> None:
        """Takes back all that came after it."""
        ordered = self._in_order()
        while len(self._journal) > point.changes:
            at, value, known = self._journal.pop()
            if known:
                self.changed[at] = value
                if at[:1] == WAKE and value is not None:
                    self._due.add(at)
                    self._timed.add(at)
            else:
                del self.changed[at]
                del ordered[bisect_left(ordered, at)]
        del self.outputs[point.outputs :]
        del self.writes[point.writes :]
        self._due.again()
        self._timed.again()
        self._floors.forget()
