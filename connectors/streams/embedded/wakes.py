"""Readers at the end of partitions sleep here until an append wakes them."""

import asyncio
from collections.abc import Iterable

from connectors.streams.base import TP


class Wakes:
    """Waiting readers by partition. Belongs to one event loop."""

    def __init__(self) -> None:
        # (topic, partition) -> the readers waiting for it
        self._waiting: dict[TP, set[asyncio.Future[None]]] = {}

    async def wait(self, tps: Iterable[TP], timeout_s: float) -> None:
        """Returns when one of `tps` is notified, or after `timeout_s`."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        watched = list(tps)
        for tp in watched:
            self._waiting.setdefault(tp, set()).add(future)
        try:
            await asyncio.wait((future,), timeout=timeout_s)
        finally:
            for tp in watched:
                others = self._waiting.get(tp)
                if others is not None:
                    others.discard(future)
                    if not others:
                        del self._waiting[tp]

    def notify(self, tps: Iterable[TP]) -> None:
        """Wakes those who wait for one of `tps`."""
        for tp in tps:
            for future in self._waiting.pop(tp, ()):
                if not future.done():
                    future.set_result(None)

    def notify_all(self) -> None:
        """Wakes everybody."""
        self.notify(list(self._waiting))
