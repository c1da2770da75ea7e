"""Orders and cancels of flows with `executor: http`, posted to the flow's endpoint.

A batch is done with when each of its orders was taken, was refused, no longer holds, or its
endpoint is away: no answer, or one that asks to come back. Such orders are posted on beside the
batches to come, until shortly before they lapse, so that an endpoint that is away holds up nobody
else's orders. There are never more of them than the flow has channels.
A kill posts what was not done with again, under the same key, so the endpoint acts once. What an
endpoint that was away had not taken yet is not posted again: its lease lapses.

How it goes comes on `execution-results`: from the endpoint, and from here only that it refused, or
was never reached, for nothing was started then.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

import msgspec

from agents.campaign_route import RESULTS, flow_of
from connectors.executors.http import Accepted, Delivery, HttpExecutor, Lapsed, Refused
from connectors.streams.base import StreamUnavailable
from domain.aggregation.instants import parse_instant, print_instant
from domain.campaigns.document import Flow, Flows
from domain.clock import Clock
from tables.ledger_book import Output
from tables.stream import Item

logger = logging.getLogger(__name__)
_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode
REFUSED = "REFUSED"
"""The reason of an execution that its endpoint didn't take."""
UNREACHABLE = "UNREACHABLE"
"""The reason of an execution whose endpoint was never reached while the order held."""
EARLY_MS = 2_000  # before the lease is over, so that this is told before it counts as no answer
EARLY_SHARE = 10  # of a short lease only that part
RETRY_S = 1.0


class Order:
    """One record of `executions`. `url`: where it goes; `ends_ms`: when it is given up."""

    __slots__ = ("body", "ends_ms", "key", "url")

    def __init__(self, flow: Flow, key: bytes, body: dict[str, Any], came_ms: int) -> None:
        self.url, self.key, self.body = flow.url or "", key, body
        ends = [parse_instant(body[name]) for name in ("deadline", "not_after") if name in body]
        # a cancel has no end of its own: when the lease is over, there is nothing to cancel
        ends_ms = min((at for at in ends if at is not None), default=came_ms + flow.lease_ms)
        self.ends_ms = ends_ms - min(EARLY_MS, flow.lease_ms // EARLY_SHARE)


class PostOrders:
    """See the module. `send` appends to public topics."""

    def __init__(
        self,
        executor: HttpExecutor,
        flows: Flows,
        clock: Clock,
        send: Callable[[list[Output]], Awaitable[None]],
    ) -> None:
        self._executor = executor
        self._flows = flows
        self._clock = clock
        self._send = send
        self._under_way: dict[str, asyncio.Task[None]] = {}
        self._away: set[str] = set()
        self.posted = 0

    async def take(self, items: Sequence[Item]) -> None:
        """One batch of `executions`: orders of one execution in order, all else side by side."""
        by_execution: dict[str, list[Order]] = {}
        for _, came_ms, key, value, _ in items:
            flow = None if key is None else self._flows(flow_of(key.decode().partition("/")[0]))
            if flow is None or flow.executor != "http" or not flow.url or not key or not value:
                continue
            order = Order(flow, key, _decode(value), came_ms)
            by_execution.setdefault(order.body["execution_id"], []).append(order)
        waits = [self._begin(ident, orders) for ident, orders in by_execution.items()]
        await asyncio.gather(*waits)

    def waiting(self) -> int:
        """Executions whose orders are being posted."""
        return len(self._under_way)

    def _begin(self, ident: str, orders: list[Order]) -> asyncio.Future[None]:
        """Starts to post; the future is done when the batch need not wait for it any more."""
        let_go: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(self._post(orders, self._under_way.get(ident), let_go))
        self._under_way[ident] = task

        def ended(task: asyncio.Task[None]) -> None:
            if self._under_way.get(ident) is task:
                del self._under_way[ident]
            error = None if task.cancelled() else task.exception()
            if let_go.done():
                if error is not None:  # a fault of ours, with nobody left who waits for it
                    logger.error("order %s was not posted", ident, exc_info=error)
            elif error is not None:
                let_go.set_exception(error)
            else:
                let_go.set_result(None)

        task.add_done_callback(ended)
        return let_go

    async def _post(
        self, orders: list[Order], before: asyncio.Task[None] | None, let_go: asyncio.Future[None]
    ) -> None:
        if before is not None:
            _go(let_go)  # what its endpoint did not take yet comes first
            await asyncio.wait([before])
        for order in orders:
            if order.url in self._away:
                _go(let_go)

            def away(url: str = order.url) -> None:
                self._away.add(url)
                _go(let_go)

            delivery = await self._executor.deliver(
                order.url, order.body, partial(self._holds, order), away
            )
            self.posted += 1
            if isinstance(delivery, Accepted | Refused):
                self._away.discard(order.url)
            await self._report(order, delivery)

    def _holds(self, order: Order) -> bool:
        return self._clock.now_ms() < order.ends_ms

    async def _report(self, order: Order, delivery: Delivery) -> None:
        """Says what only this side knows: that nothing was started."""
        if order.body["event"] != "execute":
            return None
        if isinstance(delivery, Refused):
            reason = REFUSED
        elif isinstance(delivery, Lapsed) and not delivery.asked:
            reason = UNREACHABLE
        else:
            return None
        told = {
            name: order.body[name] for name in ("execution_id", "fdd_id", "request_id", "number")
        }
        at = print_instant(self._clock.now_ms())
        told |= {"event": "finished", "at": at, "started_at": None}
        told |= {"outcome": "FAILED", "reason": reason}
        while True:
            try:
                return await self._send([(RESULTS, order.key, _encode(told))])
            except StreamUnavailable as error:
                logger.warning("a result of an order waits for the stream: %s", error)
                await asyncio.sleep(RETRY_S)

    async def close(self) -> None:
        """Ends what is under way, and connections."""
        tasks = list(self._under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._executor.close()


def _go(let_go: asyncio.Future[None]) -> None:
    if not let_go.done():
        let_go.set_result(None)
