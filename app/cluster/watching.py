"""How all workers are: each says so every ten seconds on a topic, everybody listens.

A word holds a worker's last hour and all that runs there, so who comes later knows it as well. A
worker not heard of for GONE_S is gone; that is measured by the hearer's monotonic clock, for words
said before the hearer was there by how long ago their record was appended. One that stops says so.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import msgspec

from agents.ending import end
from app.process_shapes import Vitals, gone
from connectors.streams.base import Item, Log, StreamUnavailable

logger = logging.getLogger(__name__)

BEAT_S = 10.0
GONE_S = 30.0
FORGET_S = 3_600.0  # how long one that is gone is still shown
WAIT_S = 2.0  # of a read at the end of the topic
TAIL = 2_000  # words read at the start: a hundred workers' last three minutes

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Vitals).decode


@dataclass
class _Heard:
    vitals: Vitals
    at_s: float
    stopped: bool = False


class Watching:
    """Beats and listens on `topic` (its one partition); `topic` "": there is no other worker."""

    def __init__(
        self,
        log: Log,
        topic: str,
        own: Callable[[], Awaitable[Vitals]],
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._log, self._topic, self._own, self._now_s = log, topic, own, now_s
        self._heard: dict[str, _Heard] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._name = ""

    async def start(self, crash: Callable[[BaseException], None]) -> None:
        """Reads the latest words, then beats and listens until `stop`."""
        if not self._topic:
            return
        tp = (self._topic, 0)
        end = (await self._log.end_offsets([tp]))[tp]
        at = max(0, end - TAIL)
        while at < end:
            piece = await self._log.read(self._topic, 0, at)
            self.hear(piece.items, late=True)
            if piece.next_offset <= at:
                break
            at = piece.next_offset
        self._tasks = [asyncio.create_task(self._beat()), asyncio.create_task(self._listen(at))]
        for task in self._tasks:
            task.add_done_callback(lambda ended: _seen(ended, crash))

    async def stop(self) -> None:
        """Ends the tasks and says that this worker stops."""
        await end(*self._tasks)
        if not self._name:
            return
        try:
            async with asyncio.timeout(1.0):
                await self._log.append(self._topic, 0, [(self._name.encode(), None, None, ())])
        except (StreamUnavailable, TimeoutError):
            logger.info("the others were not told that this worker stops; they will miss it")

    async def all(self) -> list[Vitals]:
        """This worker now, and the others as they were last heard of."""
        own = await self._own()
        return [own, *self.others(own.worker)]

    def others(self, own: str) -> list[Vitals]:
        """Every other worker by name."""
        found, now_s = [], self._now_s()
        for name, heard in sorted(self._heard.items()):
            if name == own or now_s - heard.at_s > FORGET_S:
                continue
            if heard.stopped:
                found.append(gone(heard.vitals, "stopped"))
            elif now_s - heard.at_s > GONE_S:
                found.append(gone(heard.vitals, "gone"))
            else:
                found.append(heard.vitals)
        return found

    def hear(self, items: Sequence[Item], *, late: bool = False) -> None:
        """Takes words; `late`: they were said before this worker listened."""
        now_s, real_ms = self._now_s(), time.time_ns() // 1_000_000
        for _, _, key, value, _ in items:
            name = (key or b"").decode("utf-8", "replace")
            if value is None:
                if name in self._heard:
                    self._heard[name].stopped = True
                continue
            try:
                vitals = _decode(value)
            except msgspec.DecodeError as error:
                logger.warning("what %s says can't be read (another version?): %s", name, error)
                continue
            age_s = max(0.0, (real_ms - vitals.real_ms) / 1000) if late else 0.0
            self._heard[name] = _Heard(vitals, now_s - age_s)
        for name, heard in list(self._heard.items()):
            if now_s - heard.at_s > FORGET_S:
                del self._heard[name]

    async def _beat(self) -> None:
        while True:
            own = await self._own()
            self._name = own.worker
            try:
                await self._log.append(
                    self._topic, 0, [(own.worker.encode(), _encode(own), None, ())]
                )
            except StreamUnavailable as error:
                logger.warning("this worker's state was not told: %s", error)
            await asyncio.sleep(BEAT_S)

    async def _listen(self, at: int) -> None:
        while True:
            try:
                piece = await self._log.read(self._topic, 0, at, wait_s=WAIT_S)
            except StreamUnavailable as error:
                logger.warning("the other workers' state is not heard: %s", error)
                await asyncio.sleep(BEAT_S)
                continue
            self.hear(piece.items)
            at = piece.next_offset


def _seen(task: asyncio.Task[None], crash: Callable[[BaseException], None]) -> None:
    error = None if task.cancelled() else task.exception()
    if error is not None:
        crash(error)
