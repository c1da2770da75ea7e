"""Orders for endpoints in memory: a worker that can be killed at every step, an endpoint on a real
socket that comes and goes. What outlives a kill is the log.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from agents.order_lane import Posting
from agents.post_orders import PostOrders
from connectors.executors.http import HttpExecutor
from connectors.outbound import Outbound
from connectors.streams.base import Item
from connectors.streams.memory import Killed, MemoryLog
from domain.aggregation.instants import print_instant
from domain.campaigns.document import FlowsOf
from domain.clock import FixedClock
from scripts.house.processes import free_ports
from tables.changelog import Changelog
from tables.ledger_book import Output
from tables.orders import OrdersLog
from tests.agents.world import NAMES, START_MS
from tests.domain.campaigns.kit import flow

LEASE_MS = 120_000
LOG = NAMES.changelog("orders")


def ours() -> bool:
    """The assignment is in force."""
    return True


def logs(log: MemoryLog, owner: str = "w") -> Callable[[int], Awaitable[OrdersLog]]:
    """What opens the logs of waiting orders."""
    log.counts[LOG] = 1

    async def opened(number: int) -> OrdersLog:
        found = OrdersLog(Changelog(log, LOG, number, owner))
        await found.open()
        return found

    return opened


@dataclass
class OrdersWorld:
    """`kill_on`: the step that ends the worker, after `passes` others of it were passed."""

    kill_on: int | None = None
    passes: int = 0
    status: int = 202
    pause_s: float = 0.001
    clock: FixedClock = field(default_factory=lambda: FixedClock(START_MS))
    got: list[tuple[str, str]] = field(default_factory=list)
    told: list[dict[str, Any]] = field(default_factory=list)
    next_offset: int = 0

    def __post_init__(self) -> None:
        self.log = MemoryLog(self.clock)
        self.log.counts["executions"] = 1
        self.port = free_ports(1)[0]
        self.killed = asyncio.Event()
        url = f"http://127.0.0.1:{self.port}/run"
        self.flows = FlowsOf(flow(name="posted", executor="http", url=url))

    async def order(self, *events: str) -> None:
        """An order of one execution, or its cancel, is appended."""
        ident = "posted-0011223344556677.20251103.-.1.1"
        for event in events:
            told = {"event": event, "execution_id": f"{ident}.1", "fdd_id": ident, "number": "+1",
                    "request_id": "posted-0011223344556677"}  # fmt: skip
            if event == "execute":
                told["deadline"] = print_instant(self.clock.now_ms() + LEASE_MS)
            row = (b"posted-0011223344556677/+1", json.dumps(told).encode(), None, ())
            await self.log.append("executions", 0, [row])

    def step(self, step: int) -> None:
        """Ends the worker if it is to end here."""
        if step != self.kill_on:
            return
        self.passes -= 1
        if self.passes < 0:
            self.kill_on = None
            self.killed.set()
            raise Killed

    async def send(self, outputs: list[Output]) -> None:
        """What is reported."""
        self.told += [json.loads(value) for _, _, value in outputs]

    async def endpoint(self) -> web.AppRunner:
        """The endpoint is there, until `cleanup`."""

        async def take(request: web.Request) -> web.Response:
            told = await request.json()
            self.got.append((request.headers["Idempotency-Key"], told["event"]))
            return web.Response(status=self.status)

        app = web.Application()
        app.router.add_post("/run", take)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", self.port).start()
        return runner

    async def run(self, until: Callable[[PostOrders], bool]) -> bool:
        """A worker takes what there is and posts until that holds; False when it was killed."""
        executor = HttpExecutor(Outbound(loopback=True), first_s=self.pause_s)
        posting = PostOrders(
            Posting(executor, self.flows, self.clock, self.send, self.step), logs(self.log)
        )
        self.killed.clear()
        await posting.assign({0})
        work = asyncio.create_task(self._work(posting, until))
        killed = asyncio.create_task(self.killed.wait())
        await asyncio.wait([work, killed], return_when=asyncio.FIRST_COMPLETED)
        alive = not self.killed.is_set()
        for task in (work, killed):
            task.cancel()
        ends = await asyncio.gather(work, killed, return_exceptions=True)
        await posting.close()
        if alive and isinstance(ends[0], BaseException):
            raise ends[0]
        return alive

    async def _work(self, posting: PostOrders, until: Callable[[PostOrders], bool]) -> None:
        while items := self._unread():
            await posting.take(0, items, ours)
            self.next_offset = items[-1][0] + 1
        while not until(posting):
            await asyncio.sleep(0)

    def _unread(self) -> list[Item]:
        return self.log.rows.get(("executions", 0), [])[self.next_offset :]
