"""A look at something each second, for as long as the worker lives."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from agents.ending import end

EVERY_S = 1.0


@dataclass
class Looking:
    """Calls `look` with how much later than asked for it comes (seconds), first at once; `crash`
    hears of what it raises, and it looks no more.
    """

    look: Callable[[float], Awaitable[None]]
    crash: Callable[[BaseException], None]
    now_s: Callable[[], float] = time.monotonic
    _task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Looks once, which raises what that raises, and then every second until `stop`."""
        await self.look(0.0)
        self._task = asyncio.create_task(self._run())
        self._task.add_done_callback(self._ended)

    async def stop(self) -> None:
        """Ends it."""
        if self._task is not None:
            await end(self._task)

    def _ended(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self.crash(error)

    async def _run(self) -> None:
        while True:
            began = self.now_s()
            await asyncio.sleep(EVERY_S)
            await self.look(max(0.0, self.now_s() - began - EVERY_S))
