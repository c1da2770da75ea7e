"""Orders that wait for an endpoint that is away, beside the position of `executions`.

`<app>-orders-changelog`, on the partition of `executions` that they came on, one writer each. A row
an order: it is there as long as the order is neither taken, refused nor lapsed. And one row tells
up to where orders may have been posted at all: who finds a record before it again, after a kill,
can't know that nobody has it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import msgspec

from tables.changelog import Change
from tables.claimed import ClaimedLog

BEGUN = b"begun"
WAITS = b"o/"
"""WAITS + execution id + `/` + event -> Waiting"""


class Waiting(msgspec.Struct, frozen=True, array_like=True):
    """A record of `executions`: its key, body and timestamp. `asked`: an attempt may have reached
    the endpoint. `told`: the reason that is to be reported, decided on and perhaps not out yet."""

    key: bytes
    body: bytes
    came_ms: int
    asked: bool
    told: str | None = None


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Waiting).decode


def row_of(execution_id: str, event: str) -> bytes:
    """The key of an order, or of a cancel, in the log."""
    return WAITS + f"{execution_id}/{event}".encode()


@dataclass
class OrdersLog(ClaimedLog):
    """One partition. `open` first; appends of several tasks follow each other.

    `begun`: orders before this offset of `executions` may have been posted.
    """

    begun: int = 0
    waiting: dict[bytes, Waiting] = field(default_factory=dict)

    async def begin(self, next_offset: int) -> None:
        """Orders before that offset are about to be posted; durable when it returns. Raises
        Fenced."""
        if next_offset > self.begun:
            await self._append([(BEGUN, next_offset.to_bytes(8, "big"))])

    async def keep(self, rows: Mapping[bytes, Waiting]) -> None:
        """Writes rows, by their keys; durable when it returns. Raises Fenced."""
        await self._append([(key, _encode(row)) for key, row in rows.items()])

    async def drop(self, key: bytes) -> None:
        """Takes a row away; durable when it returns. Raises Fenced."""
        await self._append([(key, None)])

    def _current(self, key: bytes) -> Change:
        if key == BEGUN:
            return key, self.begun.to_bytes(8, "big")
        found = self.waiting.get(key)
        return key, None if found is None else _encode(found)

    def _take(self, changes: Iterable[Change]) -> None:
        for key, body in changes:
            if key == BEGUN:
                self.begun = max(self.begun, int.from_bytes(body or b"", "big"))
            elif body is None:
                self.waiting.pop(key, None)
            elif key.startswith(WAITS):
                self.waiting[key] = _decode(body)
