"""The flushes of both sides of a what-if, kept in its store until they are compared by group.

h <row key>\\0<sequence><id>    a flush that really happened, its JSON
f <row key>\\0<sequence><id>    one of the what-if
s <row key>                    the what-if's sessions: its shard's own rows
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

from domain.aggregation.session import Row
from tables.codec import decode_row
from tables.layout import ROW
from tables.store import KeyedStore

HAPPENED, WHAT_IF = b"h", b"f"
_TAIL = 25  # \0, the sequence in 8 bytes, 16 characters of the id
PAGE = 200  # rows of one scan
Sides = tuple[list[bytes], list[bytes], Row | None]
"""Flushes that happened, those of the what-if, both by sequence; the what-if's row if it has an
open session."""


class SidesStore:
    """Puts flushes in, and takes them out by group."""

    def __init__(self, store: KeyedStore) -> None:
        self._store = store
        self.count = {HAPPENED: 0, WHAT_IF: 0}

    def put(self, side: bytes, row_key: bytes, sequence: int, flush_id: str, text: bytes) -> bool:
        """Keeps a flush; False for one that is there already (it was sent twice)."""
        key = side + row_key + b"\0" + sequence.to_bytes(8, "big") + flush_id.encode()[:16]
        (known,) = self._store.get_many([key])
        self._store.write([(key, text)])
        if known is None:
            self.count[side] += 1
        return known is None

    async def groups(
        self, pause: Callable[[], Awaitable[None]]
    ) -> AsyncIterator[tuple[bytes, Sides]]:
        """(row key, sides) of every group that has a flush on a side or an open session."""
        sources: list[Iterator[tuple[bytes, bytes]]] = [
            self._rows(kind) for kind in (HAPPENED, WHAT_IF, ROW)
        ]
        heads: list[Any] = [next(source, None) for source in sources]
        while any(head is not None for head in heads):
            row_key = min(head[0] for head in heads if head is not None)
            found: list[list[bytes]] = [[], [], []]
            for i, source in enumerate(sources):
                while heads[i] is not None and heads[i][0] == row_key:
                    found[i].append(heads[i][1])
                    heads[i] = next(source, None)
            row = decode_row(found[2][0]) if found[2] else None
            if row is not None and row.open is None:
                row = None
            if found[0] or found[1] or row is not None:
                yield row_key, (found[0], found[1], row)
            await pause()

    def _rows(self, kind: bytes) -> Iterator[tuple[bytes, bytes]]:
        at, end = kind, bytes([kind[0] + 1])
        while page := list(self._store.scan(at, end, PAGE)):
            for key, value in page:
                yield (key[1:] if kind == ROW else key[1:-_TAIL]), value
            at = page[-1][0] + b"\0"
