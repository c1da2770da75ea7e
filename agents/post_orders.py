"""Orders and cancels of flows with `executor: http`, posted to the flow's endpoint.

A batch is done with when each of its orders was taken, was refused, or no longer holds; a kill
posts what wasn't again, under the same key, so the endpoint acts once. How it goes comes on
`execution-results`: from the endpoint, and from here only that it refused, for nothing was started
then.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec

from agents.campaign_route import RESULTS, flow_of
from connectors.executors.http import HttpExecutor, Refused
from domain.aggregation.instants import parse_instant, print_instant
from domain.campaigns.document import Flows
from domain.clock import Clock
from tables.ledger_book import Output
from tables.stream import Item

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode
REFUSED = "REFUSED"
"""The reason of an execution that its endpoint didn't take."""


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
        self.posted = 0

    async def take(self, items: Sequence[Item]) -> None:
        """One batch of `executions`: orders of one execution in order, all else side by side."""
        by_execution: dict[str, list[tuple[str, bytes, dict[str, Any]]]] = {}
        for _, _, key, value, _ in items:
            flow = None if key is None else self._flows(flow_of(key.decode().partition("/")[0]))
            if flow is None or flow.executor != "http" or not flow.url or not key or not value:
                continue
            order = _decode(value)
            found = by_execution.setdefault(order["execution_id"], [])
            found.append((flow.url, key, order))
        await asyncio.gather(*map(self._post, by_execution.values()))

    async def _post(self, orders: list[tuple[str, bytes, dict[str, Any]]]) -> None:
        for url, key, order in orders:
            delivery = await self._executor.deliver(url, order, self._holds(order))
            self.posted += 1
            if isinstance(delivery, Refused) and order["event"] == "execute":
                await self._send([(RESULTS, key, _encode(self._refusal(order)))])

    def _holds(self, order: dict[str, Any]) -> Callable[[], bool]:
        ends = [parse_instant(order[name]) for name in ("deadline", "not_after") if name in order]
        ends_ms = min((at for at in ends if at is not None), default=None)
        return lambda: ends_ms is None or self._clock.now_ms() < ends_ms

    def _refusal(self, order: dict[str, Any]) -> dict[str, Any]:
        told = {name: order[name] for name in ("execution_id", "fdd_id", "request_id", "number")}
        at = print_instant(self._clock.now_ms())
        told |= {"event": "finished", "at": at, "started_at": None}
        return told | {"outcome": "FAILED", "reason": REFUSED}

    async def close(self) -> None:
        """Ends connections."""
        await self._executor.close()
