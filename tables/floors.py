"""Where the live keys under a prefix begin.

A queue is emptied from its front. RocksDB steps over all that was deleted there and is not yet gone
from the disk, at every look; so what is known to be empty is left out of the look.
"""

from collections.abc import Sequence

KEPT = 64  # prefixes: queues are few


class Floors:
    """By prefix a key that no live key is before. A store's writer has one, which its books share;
    who only reads has one of its own."""

    def __init__(self) -> None:
        self._by_kind: dict[bytes, dict[bytes, bytes]] = {}

    def of(self, prefix: bytes) -> bytes:
        """Where to begin to look for keys with that prefix."""
        return self._by_kind.get(prefix[:2], {}).get(prefix, prefix)

    def note(self, prefix: bytes, first: bytes) -> None:
        """The first live key under the prefix, or the end of what could be."""
        if len(prefix) < 2:
            return  # everything: no queue
        known = self._by_kind.setdefault(prefix[:2], {})
        if len(known) >= KEPT and prefix not in known:
            known.clear()
        known[prefix] = first

    def put(self, key: bytes) -> None:
        """A key is written."""
        known = self._by_kind.get(key[:2])
        if known:
            for prefix, first in known.items():
                if prefix <= key < first:
                    known[prefix] = key

    def put_all(self, keys: Sequence[bytes]) -> None:
        """Keys are written."""
        if not keys or not self._by_kind:
            return
        first_key = min(keys)
        for kind in {key[:2] for key in keys}:
            # most are behind all that is known
            if any(first_key < first for first in self._by_kind.get(kind, {}).values()):
                for key in keys:
                    self.put(key)
                return

    def forget(self) -> None:
        """Deletions were taken back: nothing is known."""
        self._by_kind.clear()
