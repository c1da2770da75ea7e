"""Orders of flows with an endpoint are posted there, all others are passed over."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from agents.order_lane import Posting
from agents.post_orders import PostOrders
from connectors.executors.http import HttpExecutor
from connectors.outbound import Outbound
from connectors.streams.memory import MemoryLog
from domain.aggregation.instants import print_instant
from domain.campaigns.document import FlowsOf
from domain.clock import FixedClock
from scripts.house.processes import free_ports
from tables.ledger_book import Output
from tests.agents.orders_world import logs, ours
from tests.agents.world import START_MS
from tests.domain.campaigns.kit import flow

REQUEST = "posted-0011223344556677"


def order(number: int, event: str = "execute", request: str = REQUEST) -> Any:
    ident = f"{request}.20251103.-.1.{number}"
    told = {"event": event, "execution_id": f"{ident}.1", "fdd_id": ident, "request_id": request,
            "number": "+1", "deadline": "2100-01-01T00:00:00.000Z"}  # fmt: skip
    return (number, 0, f"{request}/+1".encode(), json.dumps(told).encode(), ())


async def _posted(items: list[Any], status: int) -> tuple[list[Any], list[Output]]:
    """(what the endpoint got, what was reported) when the endpoint answers with that status."""
    got: list[Any] = []
    sent: list[Output] = []

    async def take(request: web.Request) -> web.Response:
        got.append((request.headers["Idempotency-Key"], await request.json()))
        return web.Response(status=status)

    async def send(outputs: list[Output]) -> None:
        sent.extend(outputs)

    app = web.Application()
    app.router.add_post("/run", take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    flows = FlowsOf(
        flow(name="posted", executor="http", url=f"{site.name}/run"), flow(name="other")
    )
    clock = FixedClock(START_MS)
    posting = PostOrders(
        Posting(HttpExecutor(Outbound(loopback=True)), flows, clock, send), logs(MemoryLog(clock))
    )
    await posting.assign({0})
    try:
        await posting.take(0, items, lambda: True)
    finally:
        await posting.close()
        await runner.cleanup()
    return got, sent


def test_an_order_is_posted_under_its_id_and_a_cancel_after_it() -> None:
    items = [order(1), order(2), order(1, "cancel"), order(3, request="other-00")]
    got, sent = asyncio.run(_posted(items, 202))
    assert sorted(key for key, _ in got) == [
        f"{REQUEST}.20251103.-.1.1.1", f"{REQUEST}.20251103.-.1.1.1/cancel",
        f"{REQUEST}.20251103.-.1.2.1",
    ]  # fmt: skip
    of_one = [body["event"] for _, body in got if body["fdd_id"].endswith(".1")]
    assert of_one == ["execute", "cancel"]
    assert not sent


def test_an_order_that_is_refused_has_failed_and_started_nothing() -> None:
    got, sent = asyncio.run(_posted([order(1), order(1, "cancel")], 400))
    assert len(got) == 2
    ((topic, key, value),) = sent
    told = json.loads(value)
    assert (topic, key) == ("execution-results", f"{REQUEST}/+1".encode())
    assert (told["event"], told["outcome"], told["reason"]) == ("finished", "FAILED", "REFUSED")
    assert told["started_at"] is None


class Endpoint:
    """An endpoint that counts what it took, and one beside it that nobody listens on."""

    def __init__(self) -> None:
        self.got: list[tuple[str, str]] = []
        self.sent: list[dict[str, Any]] = []
        self.clock = FixedClock(START_MS)
        self.dead_port = free_ports(1)[0]

    async def run(self, story: Callable[[PostOrders], Awaitable[None]]) -> None:
        runner = await self.listen(0)
        site = next(iter(runner.sites))
        flows = FlowsOf(
            flow(name="posted", executor="http", url=f"{site.name}/run"),
            flow(name="gone", executor="http", url=f"http://127.0.0.1:{self.dead_port}/run"),
        )
        executor = HttpExecutor(Outbound(loopback=True), first_s=0.01, longest_s=0.02)
        posting = PostOrders(
            Posting(executor, flows, self.clock, self.send), logs(MemoryLog(self.clock))
        )
        await posting.assign({0})
        try:
            await story(posting)
        finally:
            await posting.close()
            await runner.cleanup()

    async def listen(self, port: int) -> web.AppRunner:
        app = web.Application()
        app.router.add_post("/run", self.take)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        return runner

    async def take(self, request: web.Request) -> web.Response:
        told = await request.json()
        self.got.append((told["event"], told["request_id"].partition("-")[0]))
        return web.Response(status=202)

    async def send(self, outputs: list[Output]) -> None:
        self.sent += [json.loads(value) for _, _, value in outputs]


GONE = "gone-0011223344556677"


def test_a_dead_endpoint_holds_up_no_order_of_another() -> None:
    endpoint = Endpoint()

    async def story(posting: PostOrders) -> None:
        await asyncio.wait_for(posting.take(0, [order(1, request=GONE), order(2)], ours), 30)
        await asyncio.wait_for(posting.take(0, [order(3), order(1, "cancel", GONE)], ours), 30)
        assert endpoint.got == [("execute", "posted")] * 2
        assert posting.waiting() == 1

    asyncio.run(endpoint.run(story))
    assert endpoint.sent == []


def test_what_waits_is_posted_in_its_order_when_the_endpoint_is_back() -> None:
    endpoint = Endpoint()

    async def story(posting: PostOrders) -> None:
        await posting.take(0, [order(1, request=GONE)], ours)
        await posting.take(0, [order(1, "cancel", GONE)], ours)
        runner = await endpoint.listen(endpoint.dead_port)
        while posting.waiting():
            await asyncio.sleep(0)
        await runner.cleanup()
        assert endpoint.got == [("execute", "gone"), ("cancel", "gone")]

    asyncio.run(endpoint.run(story))


def test_an_order_that_never_reached_its_endpoint_says_so_before_it_lapses() -> None:
    endpoint = Endpoint()

    async def story(posting: PostOrders) -> None:
        item = order(1, request=GONE)
        told = {**json.loads(item[3]), "deadline": print_instant(START_MS + 120_000)}
        await posting.take(0, [(1, START_MS, item[2], json.dumps(told).encode(), ())], ours)
        endpoint.clock.advance(117_999)
        assert endpoint.sent == [] and posting.waiting() == 1
        endpoint.clock.advance(1)
        while posting.waiting():
            await asyncio.sleep(0)

    asyncio.run(endpoint.run(story))
    (told,) = endpoint.sent
    assert (told["outcome"], told["reason"], told["started_at"]) == ("FAILED", "UNREACHABLE", None)


def test_a_cancel_is_given_up_with_the_lease() -> None:
    endpoint = Endpoint()

    async def story(posting: PostOrders) -> None:
        number, _, *rest = order(1, "cancel", GONE)
        told = json.loads(rest[1])
        del told["deadline"]
        await posting.take(0, [(number, START_MS, rest[0], json.dumps(told).encode(), ())], ours)
        endpoint.clock.advance(120_000)
        while posting.waiting():
            await asyncio.sleep(0)

    asyncio.run(endpoint.run(story))
    assert endpoint.sent == []
