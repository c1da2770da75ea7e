"""Which workers there are: each beats on the log, everybody listens.

A worker is live as long as it was heard of within LIVE_S; that is measured by the hearer's own
monotonic clock, so no two clocks are compared. One that stops says so and is gone at once. On the
embedded stream there is only one worker, and nothing is written.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec

from agents.ending import end
from app.cluster.beat import Beat, decode, encode
from connectors.streams.base import Item, Log, StreamUnavailable

logger = logging.getLogger(__name__)

BEAT_S = 2.0
LIVE_S = 6.0  # three beats: one may be late and one may be lost with a broker
LOOK_S = 0.1  # how soon news about ourselves are told
WAIT_S = 2.0  # of a read at the end of the topic
FORGET_S = 900.0  # how long one that is gone is still shown
TAIL = 500  # beats read at the start: a live worker beats again before that matters
STALE_MS = 60_000  # a beat of the tail that is older by its sender's clock is nobody's


class Members(Protocol):
    """The workers as one of them sees them."""

    def own(self) -> Beat:
        """This worker, now."""

    def live(self) -> list[Beat]:
        """Those heard of lately, this one first."""

    def silent_s(self, worker: str) -> float:
        """For how long a live worker was not heard of; 0 for this one."""

    def gone(self) -> list[tuple[Beat, float]]:
        """Those not heard of any more, with the seconds since."""


class Alone:
    """The one worker of an embedded stream."""

    def __init__(self, own: Callable[[], Beat]) -> None:
        self.own = own

    async def start(self) -> None:
        """Nothing to follow."""

    async def stop(self) -> None:
        """Nobody to tell."""

    def live(self) -> list[Beat]:
        """This one."""
        return [self.own()]

    def silent_s(self, worker: str) -> float:
        """It is always heard."""
        return 0.0

    def gone(self) -> list[tuple[Beat, float]]:
        """Nobody."""
        return []


@dataclass
class _Heard:
    beat: Beat
    at_s: float


class Following:
    """Beats and listens on `topic` (its one partition). `now_s` is a monotonic clock."""

    def __init__(
        self,
        log: Log,
        topic: str,
        own: Callable[[], Beat],
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._log = log
        self._topic = topic
        self.own = own
        self._now_s = now_s
        self._heard: dict[str, _Heard] = {}
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Reads the latest beats, then beats and listens until `stop`."""
        tp = (self._topic, 0)
        end = (await self._log.end_offsets([tp]))[tp]
        at = max(0, end - TAIL)
        while at < end:
            piece = await self._log.read(self._topic, 0, at)
            self.hear(piece.items, STALE_MS)
            if piece.next_offset <= at:
                break
            at = piece.next_offset
        self._tasks = [asyncio.create_task(self._beat()), asyncio.create_task(self._listen(at))]

    async def stop(self) -> None:
        """Ends the tasks and says good-bye."""
        await end(*self._tasks)
        try:
            async with asyncio.timeout(1.0):
                await self._log.append(self._topic, 0, [(self.own().id.encode(), None, None, ())])
        except (StreamUnavailable, TimeoutError):
            logger.info("the others were not told that this worker stops; they will miss it")

    def live(self) -> list[Beat]:
        """Those heard of within LIVE_S, this one first."""
        own = self.own()
        now = self._now_s()
        others = [
            heard.beat
            for name, heard in sorted(self._heard.items())
            if name != own.id and now - heard.at_s <= LIVE_S
        ]
        return [own, *others]

    def silent_s(self, worker: str) -> float:
        """By this worker's monotonic clock."""
        if worker == self.own().id or worker not in self._heard:
            return 0.0
        return self._now_s() - self._heard[worker].at_s

    def gone(self) -> list[tuple[Beat, float]]:
        """Those that did not say good-bye and are no longer heard of."""
        own = self.own().id
        now = self._now_s()
        return [
            (heard.beat, now - heard.at_s)
            for name, heard in sorted(self._heard.items())
            if name != own and LIVE_S < now - heard.at_s <= FORGET_S
        ]

    def hear(self, items: Sequence[Item], stale_ms: int = 0) -> None:
        """Takes beats; with `stale_ms`, those older by their sender's clock are passed over."""
        for _, _, key, value, _ in items:
            name = (key or b"").decode("utf-8", "replace")
            if value is None:
                self._heard.pop(name, None)
                continue
            try:
                beat = decode(value)
            except msgspec.DecodeError as error:
                logger.warning("a beat of %s can't be read (another version?): %s", name, error)
                continue
            if not stale_ms or time.time_ns() // 1_000_000 - beat.real_ms < stale_ms:
                self._heard[name] = _Heard(beat, self._now_s())
        for name, heard in list(self._heard.items()):
            if self._now_s() - heard.at_s > FORGET_S:
                del self._heard[name]

    async def _beat(self) -> None:
        told: object = None
        at_s = float("-inf")
        while True:
            own = self.own()
            if own.news() != told or self._now_s() - at_s >= BEAT_S:
                told, at_s = own.news(), self._now_s()
                try:
                    await self._log.append(
                        self._topic, 0, [(own.id.encode(), encode(own), None, ())]
                    )
                except StreamUnavailable as error:
                    logger.warning("this worker was not heard of: %s", error)
            await asyncio.sleep(LOOK_S)

    async def _listen(self, at: int) -> None:
        while True:
            try:
                piece = await self._log.read(self._topic, 0, at, wait_s=WAIT_S)
            except StreamUnavailable as error:
                logger.warning("the other workers are not heard: %s", error)
                await asyncio.sleep(BEAT_S)
                continue
            self.hear(piece.items)
            at = piece.next_offset
