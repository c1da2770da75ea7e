"""An entry of the trail, and which ones are looked for."""

from dataclasses import dataclass
from typing import Any, Literal

import msgspec

Outcome = Literal["asked", "done", "refused", "failed"]


class Entry(msgspec.Struct, frozen=True):
    """A change. It is written when it is asked for (`asked`), before anything is done, and again
    under its id when that has ended; one that stays `asked` was cut short, and may have been done.

    `at` is the product's time in epoch milliseconds. `before` and `after`: what there was and what
    there is, as plain data, null where there is nothing.
    """

    id: str
    at: int
    actor: str
    action: str
    object: str
    reason: str
    outcome: Outcome
    address: str = ""
    before: Any = None
    after: Any = None


@dataclass(frozen=True)
class Wanted:
    """`from_ms` inclusive, `to_ms` exclusive. `action` and `object`: all that begin so."""

    from_ms: int | None = None
    to_ms: int | None = None
    actor: str = ""
    action: str = ""
    object: str = ""

    def takes(self, entry: Entry) -> bool:
        """Whether it is one of them."""
        return (
            (self.from_ms is None or entry.at >= self.from_ms)
            and (self.to_ms is None or entry.at < self.to_ms)
            and self.actor in ("", entry.actor)
            and entry.action.startswith(self.action)
            and entry.object.startswith(self.object)
        )


encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder(Entry).decode
