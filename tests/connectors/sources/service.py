"""Services on loopback that speak a source's wire format, count what they are asked, and fail as
they are told."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

Fault = int | str | None
"""A status to answer with, "drop" the connection, "limit" (429 with Retry-After), None: none."""


class Service:
    """A server. `answer` is the service's; `asked` are its requests that were not failed.

    `seen(keys)` is called with the keys of the records of every answer that moves on;
    `arrived` with every request and its body, before it is answered or failed.
    """

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        self.faults = iter(faults)
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.requests = 0
        self.seen: Callable[[list[str]], None] = lambda _keys: None
        self.arrived: Callable[[web.Request, bytes], None] = lambda _request, _body: None
        self.url = ""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """What the service says."""
        raise NotImplementedError

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        self.requests += 1
        self.arrived(request, await request.read())
        fault = next(self.faults, None)
        if fault == "drop":
            assert request.transport is not None
            request.transport.close()
            return web.Response(status=500)
        if fault == "limit":
            return self.limited()
        if isinstance(fault, int):
            return web.Response(status=fault, text="trouble")
        self.asked.append((request.path, dict(request.query)))
        return await self.answer(request)

    def limited(self) -> web.StreamResponse:
        """The answer of a service that is asked too often."""
        return web.Response(status=429, headers={"Retry-After": "0"})

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[str]:
        """Its base URL, while it listens."""
        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", self._handle)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        assert site._server is not None
        port = site._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
        self.url = f"http://127.0.0.1:{port}"
        try:
            yield self.url
        finally:
            await runner.cleanup()


class Items(Service):
    """`GET /items?after=ID&limit=N`: a list that grows, `next` null at its present end."""

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        super().__init__(faults)
        self.items: list[dict[str, Any]] = []

    async def answer(self, request: web.Request) -> web.StreamResponse:
        after = int(request.query.get("after", 0))
        limit = int(request.query.get("limit", 3))
        found = [item for item in self.items if item["id"] > after]
        page = found[:limit]
        self.seen([str(item["id"]) for item in page])
        following = page[-1]["id"] if len(found) > limit else None
        return web.json_response({"items": page, "next": following})
