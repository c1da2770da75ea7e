"""The orders of one partition of `executions` for endpoints: what a batch waits for, what is posted
on beside the batches to come, and how that goes on after a kill.

The order of things, and what a kill in between leaves:

    1. the log says how far orders are begun     (a batch before that comes again: `asked`)
    2. orders are posted; the batch waits until each is done with, or its endpoint is away
    3. what is not done with is in the log, then the batch is acknowledged
    4. before an attempt of such an order sends anything, the log says `asked`
    5. an order is done with: what is to be reported is in the log, then reported, then its row goes

Nothing is reported as never reached unless no attempt, of whatever process, can have arrived.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import msgspec

from agents.campaign_route import RESULTS, flow_of
from agents.ending import end
from agents.shards import NotOwned
from connectors.executors.http import Accepted, Delivery, HttpExecutor, Lapsed, Refused
from connectors.streams.base import StreamUnavailable
from domain.aggregation.instants import parse_instant, print_instant
from domain.campaigns.document import Flow, Flows
from domain.clock import Clock
from domain.errors import Fenced
from tables.ledger_book import Output
from tables.orders import OrdersLog, Waiting, row_of
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


@dataclass
class Posting:
    """What the partitions of a worker share. `away`: addresses whose last attempt got no answer
    that decides; `send` appends to public topics; `on_step` is told each step of the module."""

    executor: HttpExecutor
    flows: Flows
    clock: Clock
    send: Callable[[list[Output]], Awaitable[None]]
    on_step: Callable[[int], None] = lambda _step: None
    away: set[str] = field(default_factory=set)
    posted: int = 0

    def flow(self, key: bytes | None) -> Flow | None:
        """The flow of a record, if its orders are posted."""
        found = None if key is None else self.flows(flow_of(key.decode().partition("/")[0]))
        posted = found is not None and found.executor == "http" and found.url
        return found if posted else None


class Order:
    """One record of `executions`. `url`: where it goes; `ends_ms`: when it is given up; `kept`: it
    has a row in the log, or will have; the rest as in `Waiting`."""

    __slots__ = ("asked", "body", "came_ms", "done", "ends_ms", "kept", "key", "raw", "told", "url")

    def __init__(self, flow: Flow, key: bytes, raw: bytes, came_ms: int) -> None:
        self.url, self.key, self.raw, self.came_ms = flow.url or "", key, raw, came_ms
        self.body: dict[str, Any] = _decode(raw)
        ends = [parse_instant(self.body[n]) for n in ("deadline", "not_after") if n in self.body]
        # a cancel has no end of its own: when the lease is over, there is nothing to cancel
        ends_ms = min((at for at in ends if at is not None), default=came_ms + flow.lease_ms)
        self.ends_ms = ends_ms - min(EARLY_MS, flow.lease_ms // EARLY_SHARE)
        self.asked = self.kept = self.done = False
        self.told: str | None = None

    @property
    def row(self) -> bytes:
        """The key of its row."""
        return row_of(self.body["execution_id"], self.body["event"])

    def waiting(self) -> Waiting:
        """Its row."""
        return Waiting(self.key, self.raw, self.came_ms, self.asked, self.told)


class OrderLane:
    """See the module. `log` is open; `go_on` first, `close` last."""

    def __init__(self, number: int, log: OrdersLog, posting: Posting) -> None:
        self._number, self._log, self._posting = number, log, posting
        self._last: dict[str, asyncio.Task[None]] = {}  # of an execution
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    async def go_on(self) -> None:
        """Posts on what waited when the last owner ended; what its flow does not post any more is
        let go."""
        by_execution: dict[str, list[Order]] = {}
        # `execute` comes before `cancel` on the topic, and not in the alphabet
        for at, row in sorted(self._log.waiting.items(), reverse=True):
            flow = self._posting.flow(row.key)
            if flow is None:
                await self._lasting(self._log.drop, at)
                continue
            order = Order(flow, row.key, row.body, row.came_ms)
            order.kept, order.asked, order.told = True, row.asked, row.told
            by_execution.setdefault(order.body["execution_id"], []).append(order)
        for ident, orders in by_execution.items():
            _go(self._begin(ident, orders))

    async def take(self, items: Sequence[Item]) -> None:
        """One batch; what it returns for is done with, or waits in the log. Raises NotOwned."""
        by_execution: dict[str, list[Order]] = {}
        for offset, came_ms, key, value, _ in items:
            flow = self._posting.flow(key)
            order = None if flow is None or not value else Order(flow, key or b"", value, came_ms)
            if order is None or order.row in self._log.waiting:
                continue  # not ours, or it waits: the batch was not acknowledged any more
            order.asked = offset < self._log.begun
            by_execution.setdefault(order.body["execution_id"], []).append(order)
        if not by_execution:
            return
        # Step 1: from here on they may have arrived.
        await self._log.begin(items[-1][0] + 1)
        self._posting.on_step(1)
        # Step 2: each is done with, or its endpoint is away.
        await asyncio.gather(*[self._begin(*each) for each in by_execution.items()])
        # Step 3: what waits is in the log.
        if self._closed:
            raise NotOwned(self._number)
        left = [each for orders in by_execution.values() for each in orders if not each.done]
        for order in left:
            order.kept = True
        await self._log.keep({order.row: order.waiting() for order in left})
        self._posting.on_step(3)

    def waiting(self) -> int:
        """Executions whose orders are being posted."""
        return len(self._last)

    async def still_ours(self) -> bool:
        """See `Opened`."""
        return not self._closed and await self._log.still_ours()

    def close(self) -> None:
        """Ends what is under way: whoever has the partition next goes on with it."""
        self._closed = True
        for task in self._tasks:
            task.cancel()

    async def ended(self) -> None:
        """Returns when nothing is under way after `close`."""
        await end(*self._tasks)

    def _begin(self, ident: str, orders: list[Order]) -> asyncio.Future[None]:
        """Starts to post; the future is done when the batch need not wait for it any more."""
        let_go: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(self._post(orders, self._last.get(ident), let_go))
        self._tasks.add(task)
        self._last[ident] = task

        def ended(task: asyncio.Task[None]) -> None:
            self._tasks.discard(task)
            if self._last.get(ident) is task:
                del self._last[ident]
            error = None if task.cancelled() else task.exception()
            if let_go.done():
                if isinstance(error, Fenced):
                    logger.warning("orders that wait are another worker's now: %s", error)
                    self.close()
                elif error is not None:  # a fault of ours, with nobody left who waits for it
                    logger.error("order %s was not posted", ident, exc_info=error)
            elif error is not None:
                let_go.set_exception(error)
                let_go.exception()  # seen: the batch gets it, unless it ended before
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
            if order.told is None:
                order.told = await self._deliver(order, let_go)
                self._posting.on_step(5)
            await self._end(order)

    async def _deliver(self, order: Order, let_go: asyncio.Future[None]) -> str | None:
        """The reason that is to be reported, if any."""
        posting = self._posting
        if order.url in posting.away:
            _go(let_go)

        def away() -> None:
            posting.away.add(order.url)
            _go(let_go)

        delivery = await posting.executor.deliver(
            order.url, order.body, partial(self._holds, order), away, partial(self._asks, order)
        )
        posting.posted += 1
        if isinstance(delivery, Accepted | Refused):
            posting.away.discard(order.url)
        return _told(order, delivery)

    def _holds(self, order: Order) -> bool:
        return self._posting.clock.now_ms() < order.ends_ms

    async def _asks(self, order: Order) -> None:
        """Step 4: an attempt has a connection and is about to use it."""
        if order.asked:
            return
        order.asked = True
        if order.kept:
            await self._lasting(self._log.keep, {order.row: order.waiting()})
            self._posting.on_step(4)

    async def _end(self, order: Order) -> None:
        """Step 5."""
        if order.told is not None:
            if order.kept or order.told == UNREACHABLE:
                # whoever lost the partition hears of it here, before it tells what may not be so
                order.kept = True
                await self._lasting(self._log.keep, {order.row: order.waiting()})
                self._posting.on_step(6)
            names = ("execution_id", "fdd_id", "request_id", "number")
            told: Mapping[str, Any] = {name: order.body[name] for name in names} | {
                "event": "finished", "at": print_instant(self._posting.clock.now_ms()),
                "started_at": None, "outcome": "FAILED", "reason": order.told,
            }  # fmt: skip
            await self._lasting(self._posting.send, [(RESULTS, order.key, _encode(told))])
            self._posting.on_step(7)
        order.done = True
        if order.kept:
            await self._lasting(self._log.drop, order.row)
            self._posting.on_step(8)

    async def _lasting(self, append: Callable[[Any], Awaitable[None]], given: Any) -> None:
        """Again until the stream has it."""
        while True:
            try:
                return await append(given)
            except StreamUnavailable as error:
                logger.warning("an order waits for the stream: %s", error)
                await asyncio.sleep(RETRY_S)


def _told(order: Order, delivery: Delivery) -> str | None:
    """What only this side knows: that nothing was started."""
    if order.body["event"] != "execute":
        return None
    if isinstance(delivery, Refused):
        return REFUSED
    never = isinstance(delivery, Lapsed) and not delivery.asked and not order.asked
    return UNREACHABLE if never else None


def _go(let_go: asyncio.Future[None]) -> None:
    if not let_go.done():
        let_go.set_result(None)
