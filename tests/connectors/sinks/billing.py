"""A billing target on loopback that behaves as a test tells it to."""

import asyncio
import base64
import hmac
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import sha256

from aiohttp import web

SECRET = "whsec_" + base64.b64encode(b"a secret of 24 bytes ...").decode()


@dataclass
class Call:
    """One request: its number from 0, headers and body."""

    number: int
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]


Behave = Callable[[Call], object]
"""A status, a response, "reset" (the connection dies unanswered), "garbage" (no HTTP), "hang"."""


@dataclass
class Billing:
    """`calls` are all that came in whole, `took` the bodies that it acted on."""

    behave: Behave = lambda _call: 200
    calls: list[Call] = field(default_factory=list)
    took: list[bytes] = field(default_factory=list)
    url: str = ""

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        headers = {name.lower(): value for name, value in request.headers.items()}
        call = Call(len(self.calls), headers, body)
        self.calls.append(call)
        answer = self.behave(call)
        if answer == 200 or answer == "took, then reset":
            self.took.append(body)
        transport = request.transport
        assert transport is not None
        if answer in ("reset", "took, then reset"):
            transport.abort()
            return web.Response()
        if answer == "garbage":
            transport.write(b"NOT HTTP AT ALL\r\n\r\n")
            transport.close()
            return web.Response()
        if answer == "hang":
            await asyncio.Event().wait()
        if isinstance(answer, web.StreamResponse):
            return answer
        assert isinstance(answer, int)
        return web.Response(status=answer, text="because")

    @asynccontextmanager
    async def serve(self, port: int = 0) -> AsyncIterator["Billing"]:
        """Listens on a free port of 127.0.0.1 until the block ends."""
        app = web.Application(client_max_size=1 << 26)
        app.router.add_post("/hooks", self._handle)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", port)
        await site.start()
        assert site._server is not None
        number = site._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]  # asyncio's own server has them
        self.url = f"http://127.0.0.1:{number}/hooks"
        try:
            yield self
        finally:
            await runner.cleanup()


def signature(call: Call, secret: str = SECRET) -> str:
    """What the specification says, written down here independently of the product."""
    key = base64.b64decode(secret.split("_", 1)[1])
    signed = b".".join([call.id.encode(), call.headers["webhook-timestamp"].encode(), call.body])
    return "v1," + base64.b64encode(hmac.new(key, signed, sha256).digest()).decode()
