"""How many wrong passwords came lately for a person from an address: ten in a quarter of an hour.

Kept by each worker in memory only: a password is slow enough to check that a restart gives nobody a
chance worth having. Workers ask each other for theirs, so that a second one gives none either.
"""

import math
import time
from collections.abc import Callable, Iterable

MOST = 10
SPAN_S = 900.0
KEPT = 100_000  # pairs; filling it takes longer than SPAN_S, as each costs a hash


class Attempts:
    """`now_s` is a monotonic clock: the product's may be a trial clock that stands still."""

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        self._wrong: dict[tuple[str, str], list[float]] = {}

    def ages(self, name: str, address: str) -> list[float]:
        """How many seconds ago each was, the oldest first."""
        now = self._now_s()
        return [now - at for at in self._wrong.get((name, address), ()) if now - at < SPAN_S]

    def begin(self, name: str, address: str, elsewhere: Iterable[float] = ()) -> int:
        """0 when a password may be tried, else the seconds to wait. It counts as wrong until
        `right` says otherwise, so that tries at the same time are all counted. `elsewhere`: the
        ages of those at other workers.
        """
        now, pair = self._now_s(), (name, address)
        lately = [at for at in self._wrong.pop(pair, ()) if now - at < SPAN_S]
        all_of_them = sorted([*(now - at for at in lately), *elsewhere], reverse=True)
        if len(all_of_them) >= MOST:
            if lately:
                self._wrong[pair] = lately
            return max(1, math.ceil(SPAN_S - all_of_them[-MOST]))
        self._wrong[pair] = [*lately, now]
        while len(self._wrong) > KEPT:
            del self._wrong[next(iter(self._wrong))]
        return 0

    def right(self, name: str, address: str) -> None:
        """The password was right: those before it are forgotten."""
        self._wrong.pop((name, address), None)
