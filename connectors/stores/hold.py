"""Waiting for a store that is away: the same call again and again, until it is there."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from connectors.stores.base import StoreUnavailable

T = TypeVar("T")
FIRST_S = 0.05
LONGEST_S = 5.0


class Hold:
    """One for each store: everybody who waits for it waits here.

    `away`: why it is not available, None when it is; `since_s`: when that began, by time.monotonic.
    Who takes events looks at `away` and takes no more; the console shows it.
    """

    def __init__(self, longest_s: float = LONGEST_S) -> None:
        self.away: StoreUnavailable | None = None
        self.since_s: float | None = None
        self._longest_s = longest_s

    async def through(self, call: Callable[[], Awaitable[T]]) -> T:
        """What the call returns, once the store is there. Other errors are the caller's. It is
        asked at twice the pause of the time before; being cancelled ends it."""
        pause_s = FIRST_S
        while True:
            try:
                found = await call()
            except StoreUnavailable as error:
                if self.away is None:
                    self.since_s = time.monotonic()
                self.away = error
            else:
                self.away = self.since_s = None
                return found
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, self._longest_s)
