"""A console on the fake backend, asked over HTTP as a browser or a program asks."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import TypeVar

from aiohttp import ClientResponse
from aiohttp.test_utils import TestClient, TestServer
from aiohttp.web import Application, Request

from app.people.people import People
from app.web.server import make_web
from tests.app.web.fake import FakeBackend
from tests.browser.dev import DevSettings

T = TypeVar("T")
Client = TestClient[Request, Application]
PERSON = {"Accept": "text/html"}


def visit(
    steps: Callable[[Client], Awaitable[T]],
    backend: FakeBackend | None = None,
    settings: DevSettings | None = None,
    people: Callable[[], People] | None = None,
) -> T:
    """Runs `steps` with a client of a server of its own; cookies are kept between requests."""

    async def run() -> T:
        used = backend or FakeBackend()
        known = None if people is None else people()
        app = make_web(used, settings or DevSettings(), used.clock, known)
        async with TestClient(TestServer(app)) as client:
            return await steps(client)

    return asyncio.run(run())


def get(path: str, backend: FakeBackend | None = None, **headers: str) -> tuple[int, str]:
    """(status, text) of one GET; header names with _ for -."""

    async def steps(client: Client) -> tuple[int, str]:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        response = await client.get(path, headers=named)
        return response.status, await response.text()

    return visit(steps, backend)


def page(path: str, backend: FakeBackend | None = None) -> str:
    """The HTML of a page that is there."""
    status, text = get(path, backend, Accept="text/html")
    assert status == 200, text
    return text


async def token(client: Client, path: str = "/configuration/apply") -> str:
    """The CSRF token of a fresh page; the visitor's cookie comes with it."""
    response = await client.get(path, headers=PERSON)
    found = re.search(r'name="csrf-token" content="([0-9a-f]+)"', await response.text())
    assert found is not None
    return found[1]


async def problem(response: ClientResponse, status: int, code: str) -> dict[str, object]:
    """The problem document of a response that must be one."""
    assert response.content_type == "application/problem+json", await response.text()
    body: dict[str, object] = await response.json(content_type=None)
    assert (response.status, body["status"], body["type"]) == (
        status,
        status,
        f"urn:sluice:problem:{code}",
    )
    return body
