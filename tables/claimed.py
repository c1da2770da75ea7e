"""A changelog partition that one worker has claimed and keeps whole in memory: a few rows, written
by several tasks.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, field

from tables.changelog import Change, Changelog


@dataclass
class ClaimedLog(ABC):
    """`open` first; appends of several tasks follow each other. What the rows mean is for those who
    derive from it.
    """

    changelog: Changelog
    _one_writer: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def open(self) -> None:
        """Reads everything and claims the partition."""
        async for changes in self.changelog.follow(0):
            self._take(changes)
        self._take(await self.changelog.claim())

    async def still_ours(self) -> bool:
        """Whether nobody else has written since."""
        async with self._one_writer:
            return await self.changelog.end() == self.changelog.next_offset

    async def _append(self, changes: list[Change]) -> None:
        """Durable when it returns. Raises Fenced. Goes on when its caller is cancelled: what the
        log has must be known here, too.
        """
        if changes:
            writing = asyncio.create_task(self._write(changes))
            writing.add_done_callback(_seen)
            await asyncio.shield(writing)

    async def _write(self, changes: list[Change]) -> None:
        async with self._one_writer:
            await self.changelog.append(changes)
            self._take(changes)
            while self.changelog.intruded:  # a straggler wrote these keys: ours must be the last
                keys = list(self.changelog.intruded)
                self.changelog.intruded.clear()
                await self.changelog.append([self._current(key) for key in keys])

    @abstractmethod
    def _current(self, key: bytes) -> Change:
        """The row of a key as it is here; a deletion when there is none."""

    @abstractmethod
    def _take(self, changes: Iterable[Change]) -> None:
        """Changes as they stand in the log, in order."""


def _seen(writing: asyncio.Task[None]) -> None:
    """Whoever waits for it gets what it raised; nobody may."""
    if not writing.cancelled():
        writing.exception()
