"""Orders and cancels of flows with `executor: http`, posted to the flow's endpoint.

A batch is done with when each of its orders was taken, was refused, no longer holds, or its
endpoint is away: no answer, or one that asks to come back. Such orders are posted on beside the
batches to come, until shortly before they lapse, so that an endpoint that is away holds up nobody
else's orders. There are never more of them than the flow has channels.
A kill posts what was not done with again, under the same key, so the endpoint acts once; what
waited is in a log (`tables/orders.py`), and waits on.

How it goes comes on `execution-results`: from the endpoint, and from here only that it refused, or
was never reached, for nothing was started then.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from agents.order_lane import OrderLane, Posting
from agents.shards import Shards
from tables.orders import OrdersLog
from tables.stream import Item


class PostOrders:
    """See the module. `open_log(partition)` gives a log that is read and claimed."""

    def __init__(self, posting: Posting, open_log: Callable[[int], Awaitable[OrdersLog]]) -> None:
        self._posting = posting
        self._open_log = open_log
        self._lanes = Shards[OrderLane](self._open)

    @property
    def posted(self) -> int:
        """Orders and cancels that are done with."""
        return self._posting.posted

    async def _open(self, number: int) -> OrderLane:
        lane = OrderLane(number, await self._open_log(number), self._posting)
        await lane.go_on()
        return lane

    async def assign(self, partitions: set[int]) -> None:
        """These partitions of `executions` are this worker's from now on, and no others."""
        await self._lanes.assign(partitions)

    async def take(self, partition: int, items: Sequence[Item], still: Callable[[], bool]) -> None:
        """One batch: orders of one execution in order, all else side by side. Raises NotOwned."""
        async with self._lanes.use(partition, still) as lane:
            pass  # an endpoint's silence must not keep the partition from being given away
        await lane.take(items)

    def waiting(self) -> int:
        """Executions whose orders are being posted."""
        return sum(lane.waiting() for lane in self._lanes.open_ones().values())

    async def close(self) -> None:
        """Ends what is under way, and connections."""
        lanes = self._lanes.open_ones().values()
        await self._lanes.close()
        await asyncio.gather(*(lane.ended() for lane in lanes))
        await self._posting.executor.close()
