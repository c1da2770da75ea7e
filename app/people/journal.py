"""Where rows about people are written and read back: one partition of a compacted topic."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Protocol

from connectors.streams.base import Log, StreamUnavailable
from domain.errors import SluiceError

logger = logging.getLogger(__name__)
WAIT_S = 2.0  # of a read at the end of the topic
AGAIN_S = 1.0

Pair = tuple[bytes, bytes | None]
Take = Callable[[bytes, bytes | None], None]


class Journal(Protocol):
    """What `People` is kept by. `take` is called for every row, in the order of the log."""

    async def append(self, rows: Sequence[Pair]) -> None:
        """Returns once the rows are durable and taken."""

    async def catch_up(self) -> None:
        """Takes what is new."""

    async def follow(self) -> None:
        """Takes what others write as it comes; for ever."""


class MemoryJournal:
    """Rows that live as long as the process."""

    def __init__(self, take: Take) -> None:
        self._take = take

    async def append(self, rows: Sequence[Pair]) -> None:
        for key, value in rows:
            self._take(key, value)

    async def catch_up(self) -> None:
        """There is nobody else who writes."""

    async def follow(self) -> None:
        await asyncio.get_running_loop().create_future()


class TopicJournal:
    """Rows on the one partition of `topic`. All workers write and follow it."""

    def __init__(self, log: Log, topic: str, take: Take) -> None:
        self._log = log
        self._topic = topic
        self._take = take
        self._next = 0
        self._one_reader = asyncio.Lock()

    async def append(self, rows: Sequence[Pair]) -> None:
        made = [(key, value, None, ()) for key, value in rows]
        await self._log.append(self._topic, 0, made)
        await self.catch_up()

    async def catch_up(self) -> None:
        async with self._one_reader:
            tp = (self._topic, 0)
            end = (await self._log.end_offsets([tp]))[tp]
            if end < self._next:
                raise PeopleLost(self._topic, end, self._next)
            while self._next < end and await self._read(0.0):
                pass

    async def follow(self) -> None:
        while True:
            try:
                piece = await self._log.read(self._topic, 0, self._next, wait_s=WAIT_S)
                if piece.items:
                    await self.catch_up()
            except StreamUnavailable as error:
                logger.warning("changes of users and tokens are not heard: %s", error)
                await asyncio.sleep(AGAIN_S)

    async def _read(self, wait_s: float) -> bool:
        piece = await self._log.read(self._topic, 0, self._next, wait_s=wait_s)
        for _, _, key, value, _ in piece.items:
            if key is not None:
                self._take(key, value)
        moved = piece.next_offset > self._next
        self._next = piece.next_offset
        return moved


class PeopleLost(SluiceError):
    """The topic is shorter than what was read of it: somebody emptied or made it anew."""

    def __init__(self, topic: str, end: int, read: int) -> None:
        super().__init__(
            f"topic {topic} ends at {end}, but was read to {read}: it was emptied or made anew, "
            "and users with it; start the workers again when that was meant"
        )
