"""Orders of flows with an endpoint are posted there, all others are passed over."""

import asyncio
import json
from typing import Any

from aiohttp import web

from agents.post_orders import PostOrders
from connectors.executors.http import HttpExecutor
from connectors.outbound import Outbound
from domain.campaigns.document import FlowsOf
from domain.clock import FixedClock
from tables.ledger_book import Output
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
    posting = PostOrders(HttpExecutor(Outbound(loopback=True)), flows, FixedClock(START_MS), send)
    try:
        await posting.take(items)
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
