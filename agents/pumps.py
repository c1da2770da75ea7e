"""Takes batches off a Faust stream and works on each partition by itself, in order, one batch at a
time.

A Faust agent sees the batches of all its partitions one after the other; here a partition that
waits for its state doesn't hold up the others. A batch is acknowledged when all that it led to is
durable; one that belongs to a past assignment is let go.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from agents.ending import end
from agents.shards import NotOwned

Still = Callable[[], bool]
"""Whether the assignment under which a batch came is still in force."""
Work = Callable[[str, int, list[Any], Still], Awaitable[None]]
"""(physical topic, partition, items, still) -> when all of it is durable; raises NotOwned when it
isn't ours any more.
"""


class Pumps:
    """One queue and task a partition. `crash(error)` ends the worker; for `still` see `Still`."""

    def __init__(
        self,
        work: Work,
        crash: Callable[[BaseException], Awaitable[None]],
        still: Callable[[Any], bool],
    ) -> None:
        self._work = work
        self._crash = crash
        self._still = still
        self._queues: dict[tuple[str, int], asyncio.Queue[Any]] = {}
        self._tasks: dict[tuple[str, int], asyncio.Task[None]] = {}
        self._begun: set[Any] = set()

    async def run(self, stream: Any) -> None:
        """Feeds the pumps from a stream, for ever."""
        async for event in stream.noack().events():
            message = event.message
            at = (message.topic, message.partition)
            queue = self._queues.get(at)
            if queue is None:
                queue = self._queues[at] = asyncio.Queue()
                self._tasks[at] = asyncio.create_task(self._pump(at, queue))
            self._begun.add(event)
            queue.put_nowait(event)  # the consumer bounds how many there can be

    async def _pump(self, at: tuple[str, int], queue: asyncio.Queue[Any]) -> None:
        topic, partition = at
        given_up = -1  # after a batch was let go, those behind it must not overtake it
        while True:
            event = await queue.get()
            message = event.message
            if message.generation_id == given_up or not self._still(message):
                given_up = message.generation_id
                self._let_go(event)
                continue
            try:
                await self._work(topic, partition, message.value, partial(self._still, message))
            except NotOwned:
                given_up = message.generation_id
                self._let_go(event)
            except asyncio.CancelledError:
                raise
            except BaseException as error:  # noqa: BLE001 - handed on, whatever it is
                await self._crash(error)
                return
            else:
                self._begun.discard(event)
                event.ack()

    def _let_go(self, event: Any) -> None:
        """Not acknowledged: the committed offset stays before it, and the next owner reads it
        again.
        """
        self._begun.discard(event)
        event.app.consumer.abandon(event.message)

    async def stop(self) -> None:
        """Ends the tasks; batches in work are given up without acknowledgement."""
        await end(*self._tasks.values())
        for event in list(self._begun):
            self._let_go(event)
        self._tasks.clear()
        self._queues.clear()
