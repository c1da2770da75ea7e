"""Orders posted to an endpoint on loopback that behaves as a test tells it to."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web

from connectors.executors.http import Accepted, Delivery, HttpExecutor, Lapsed, Refused
from connectors.outbound import Outbound

ORDER = {
    "event": "execute",
    "execution_id": "reminder-0011223344556677.20251103.1000_1200.1.17.1",
    "number": "+919800000017",
    "fields": {"näme": "Ana"},
}
CANCEL = {"event": "cancel", "execution_id": ORDER["execution_id"], "because": "negative"}
LOOPBACK = Outbound(loopback=True)

Behave = Callable[[int], object]
"""By the number of the call from 0: a status, a response, "reset" or "hang"."""


@dataclass
class Endpoint:
    """`calls`: (Idempotency-Key, body) of all that came in whole."""

    behave: Behave
    calls: list[tuple[str, Any]] = field(default_factory=list)
    url: str = ""

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        self.calls.append((request.headers["Idempotency-Key"], json.loads(await request.read())))
        answer = self.behave(len(self.calls) - 1)
        if answer == "reset":
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        if answer == "hang":
            await asyncio.Event().wait()
        if isinstance(answer, web.StreamResponse):
            return answer
        assert isinstance(answer, int)
        return web.Response(status=answer, text="because of\nthat")

    @asynccontextmanager
    async def serve(self) -> AsyncIterator["Endpoint"]:
        """Listens on a free port of 127.0.0.1 until the block ends."""
        app = web.Application()
        app.router.add_post("/orders", self._handle)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}/orders?key=s3cret"
        try:
            yield self
        finally:
            await runner.cleanup()


def _deliver(
    behave: Behave, order: dict[str, Any] = ORDER, holds_for: int = 100, timeout_s: float = 5
) -> tuple[Delivery, Endpoint]:
    """What becomes of an order that holds for so many attempts."""
    endpoint = Endpoint(behave)

    async def story() -> Delivery:
        async with endpoint.serve():
            executor = HttpExecutor(LOOPBACK, timeout_s=timeout_s, first_s=0.001, longest_s=0.01)
            looks = iter([*[True] * holds_for, False])
            try:
                return await executor.deliver(endpoint.url, order, lambda: next(looks))
            finally:
                await executor.close()

    return asyncio.run(story()), endpoint


@pytest.mark.parametrize("status", [200, 202, 204])
def test_an_order_is_taken_with_its_execution_as_the_key(status: int) -> None:
    delivery, endpoint = _deliver(lambda _: status)
    assert delivery == Accepted(1)
    assert endpoint.calls == [(ORDER["execution_id"], ORDER)]


def test_a_cancel_is_not_taken_for_the_order_repeated() -> None:
    _, endpoint = _deliver(lambda _: 200, CANCEL)
    assert endpoint.calls == [(f"{CANCEL['execution_id']}/cancel", CANCEL)]


def test_what_can_pass_is_tried_again_with_the_same_key_and_body() -> None:
    trouble: list[object] = [500, 503, "reset", 429, 408, 425, 302, 200]
    delivery, endpoint = _deliver(lambda n: trouble[n])
    assert delivery == Accepted(8)
    assert endpoint.calls == [(ORDER["execution_id"], ORDER)] * 8


@pytest.mark.parametrize("status", [400, 401, 404, 409, 422])
def test_a_refusal_is_for_good(status: int) -> None:
    delivery, endpoint = _deliver(lambda _: status)
    assert delivery == Refused(status, f"answered {status}: because of that")
    assert len(endpoint.calls) == 1


def test_an_order_that_no_longer_holds_is_not_posted() -> None:
    delivery, endpoint = _deliver(lambda _: 500, holds_for=3)
    assert delivery == Lapsed(True, "answered 500: because of that")
    assert len(endpoint.calls) == 3
    never, endpoint = _deliver(lambda _: 200, holds_for=0)
    assert isinstance(never, Lapsed)
    assert not never.asked
    assert endpoint.calls == []


def test_an_endpoint_that_hangs_is_given_up_and_asked_again() -> None:
    delivery, endpoint = _deliver(lambda n: 200 if n else "hang", timeout_s=0.3)
    assert delivery == Accepted(2)
    assert len(endpoint.calls) == 2


def test_a_long_answer_is_not_read() -> None:
    text = "x" * 10_000_000
    delivery, _ = _deliver(lambda _: web.Response(status=403, text=text))
    assert isinstance(delivery, Refused)
    assert len(delivery.detail) < 300


def test_a_redirect_is_not_followed() -> None:
    elsewhere = Endpoint(lambda _: 200)

    async def story() -> Delivery:
        async with elsewhere.serve():
            away = web.Response(status=307, headers={"Location": elsewhere.url})
            async with Endpoint(lambda _: away).serve() as endpoint:
                executor = HttpExecutor(LOOPBACK, first_s=0.001)
                looks = iter([True, False])
                found = await executor.deliver(endpoint.url, ORDER, lambda: next(looks))
                await executor.close()
                return found

    assert asyncio.run(story()) == Lapsed(True, "answered 307")
    assert elsewhere.calls == []


@pytest.mark.parametrize(
    "url",
    ["http://169.254.169.254/latest", "http://10.0.0.1/x", "http://127.0.0.1:1/", "http://[::1]/"],
)
def test_an_address_inside_is_not_asked(url: str) -> None:
    async def story() -> Delivery:
        executor = HttpExecutor(Outbound())
        try:
            return await executor.deliver(url, ORDER, lambda: True)
        finally:
            await executor.close()

    delivery = asyncio.run(story())
    assert isinstance(delivery, Refused)
    assert "SLUICE_OUTBOUND_ALLOW" in delivery.detail


def test_a_name_that_leads_inside_is_not_asked() -> None:
    async def story() -> Delivery:
        executor = HttpExecutor(Outbound())
        try:
            return await executor.deliver("http://localhost:1/", ORDER, lambda: True)
        finally:
            await executor.close()

    assert isinstance(asyncio.run(story()), Refused)


def test_nobody_there_means_nothing_was_started(free_port: int) -> None:
    async def story() -> Delivery:
        executor = HttpExecutor(LOOPBACK, first_s=0.001)
        looks = iter([True, True, False])
        url = f"http://me:s3cret@127.0.0.1:{free_port}/?token=s3cret"
        try:
            return await executor.deliver(url, ORDER, lambda: next(looks))
        finally:
            await executor.close()

    delivery = asyncio.run(story())
    assert isinstance(delivery, Lapsed)
    assert not delivery.asked
    assert "s3cret" not in str(delivery)


def test_many_orders_go_side_by_side() -> None:
    endpoint = Endpoint(lambda n: 503 if n % 3 == 0 else 202)

    async def story() -> list[Delivery]:
        async with endpoint.serve():
            executor = HttpExecutor(LOOPBACK, first_s=0.001)
            orders = [{**ORDER, "execution_id": f"e.{n}"} for n in range(300)]
            calls = [executor.deliver(endpoint.url, each, lambda: True) for each in orders]
            found = await asyncio.gather(*calls)
            await executor.close()
            return found

    found = asyncio.run(story())
    assert all(isinstance(each, Accepted) for each in found)
    assert {key for key, _ in endpoint.calls} == {f"e.{n}" for n in range(300)}
