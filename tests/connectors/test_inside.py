"""Whoever calls out, by whatever address: what is inside is not asked, by no redirect either."""

import asyncio
import socket
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from aiohttp import web

from connectors.executors.http import HttpExecutor
from connectors.notices import Notices, NoticeSettings
from connectors.outbound import Outbound
from connectors.sinks.base import TryLater
from connectors.sinks.http import HttpTarget
from connectors.sources.caller import Caller
from connectors.sources.errors import CallFailed
from domain.sinks.document import Http, Retry
from tests.connectors.executors.test_http import ORDER
from tests.connectors.sinks.test_http import ENVIRON, record

Call = Callable[[str, Outbound], Coroutine[Any, Any, str]]
"""Asks the URL; returns why it did not work, empty when it did."""


async def source(url: str, outbound: Outbound) -> str:
    caller = Caller(outbound, Retry(1, 1, 0), None)
    try:
        await caller.call("GET", url)
    except CallFailed as failed:
        return failed.detail
    finally:
        await caller.close()
    return ""


async def sink(url: str, outbound: Outbound) -> str:
    target = HttpTarget(Http(url, ("S",)), outbound, ENVIRON)
    try:
        outcome = await target.deliver([record(0)], 0, 1)
    finally:
        await target.close()
    return "" if outcome.later is None else outcome.later.detail


async def alert(url: str, outbound: Outbound) -> str:
    try:
        await Notices(NoticeSettings(), outbound).webhook(url, "a", b"{}", 1)
    except TryLater as error:
        return str(error)
    return ""


async def executor(url: str, outbound: Outbound) -> str:
    calls = HttpExecutor(outbound, first_s=0.001)
    looks = iter([True, False])
    try:
        done = await calls.deliver(url, ORDER, lambda: next(looks, False))
    finally:
        await calls.close()
    return "" if done is None else getattr(done, "detail", "")


CALLERS = {"source": source, "sink": sink, "alert": alert, "executor": executor}
WHY = ("not a public address", "is not known", "InvalidUrl", "not a canonical")
INSIDE = {
    "metadata": "169.254.169.254",
    "as one number": "2852039166",  # the same, as the C library reads it
    "in hexadecimal": "0xa9fea9fe",
    "in octal": "0251.0376.0251.0376",
    "with a dot behind": "169.254.169.254.",
    "mapped to IPv6": "[::ffff:169.254.169.254]",
    "by NAT64": "[64:ff9b::a9fe:a9fe]",
    "link local": "[fe80::1]",
    "private": "10.0.0.8",
    "shared": "100.64.0.1",
    "any": "0.0.0.0",
    "a name that leads there": "inside.example",
    "one of two addresses": "both.example",
}


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name service in which names lead inside; addresses in any form are read as ever."""
    known = {"inside.example": ["169.254.169.254"], "both.example": ["10.0.0.8", "10.0.0.9"]}
    really = socket.getaddrinfo

    def getaddrinfo(host: str, port: int, *more: int, **named: int) -> list[object]:
        if host in known:
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (a, port)) for a in known[host]]
        return list(really(host, port, *more, **named))

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


@pytest.mark.parametrize("host", INSIDE.values(), ids=INSIDE)
@pytest.mark.parametrize("call", CALLERS.values(), ids=CALLERS)
@pytest.mark.usefixtures("names")
def test_an_address_inside_is_not_asked(call: Call, host: str) -> None:
    told = asyncio.run(call(f"https://{host}/latest/meta-data", Outbound(loopback=True)))
    assert any(why in told for why in WHY), told


@pytest.mark.parametrize("call", CALLERS.values(), ids=CALLERS)
@pytest.mark.usefixtures("names")
def test_a_redirect_inside_is_not_followed_and_loopback_is_asked(call: Call) -> None:
    async def run(to: str) -> tuple[str, int]:
        asked = 0

        async def answer(_request: web.Request) -> web.Response:
            nonlocal asked
            asked += 1
            return web.Response(status=302 if to else 200, headers={"Location": to} if to else {})

        app = web.Application()
        app.router.add_route("*", "/{path:.*}", answer)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        port = runner.addresses[0][1]
        try:
            return await call(f"http://127.0.0.1:{port}/x", Outbound(loopback=True)), asked
        finally:
            await runner.cleanup()

    for to in ("http://169.254.169.254/", "https://inside.example/", "//10.0.0.8/", "gopher://x/"):
        told, asked = asyncio.run(run(to))
        assert told and asked == 1, to
    assert asyncio.run(run(""))[1] == 1
