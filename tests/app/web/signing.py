"""People of a console in memory: one of each role, and signing in as a browser does."""

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

from aiohttp import ClientResponse
from argon2 import PasswordHasher

from app.people.attempts import Attempts
from app.people.passwords import Passwords
from app.people.people import People
from app.web.people import PEOPLE
from tests.app.web.fake import FakeBackend
from tests.app.web.site import Client, visit
from tests.browser.dev import DevSettings

T = TypeVar("T")
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
PASSWORD = "correct horse"
TOKEN = re.compile(r'name="csrf-token" content="([0-9a-f]+)"')


class Now:
    """Seconds and milliseconds that a test moves."""

    def __init__(self) -> None:
        self.s = 1_700_000_000.0

    def seconds(self) -> float:
        return self.s

    def ms(self) -> int:
        return int(self.s * 1000)


def some_people(now: Now | None = None) -> People:
    """Nobody yet; passwords cost little."""
    at = now or Now()
    return People(passwords=Passwords(CHEAP), attempts=Attempts(at.seconds), now_ms=at.ms)


async def settle(people: People) -> None:
    """Adds `ada` the admin, `otto` the operator, `vera` the viewer and `nora`, a viewer who may see
    numbers; their password is PASSWORD.
    """
    for name, role in (("ada", "admin"), ("otto", "operator"), ("vera", "viewer")):
        await people.add_user(name, role, (), PASSWORD, "test")
    await people.add_user("nora", "viewer", ("numbers",), PASSWORD, "test")


def among_people(
    steps: Callable[[Client, People], Awaitable[T]],
    backend: FakeBackend | None = None,
    settings: DevSettings | None = None,
    now: Now | None = None,
) -> T:
    """Runs `steps` on a console with those people."""
    made: list[People] = []

    def make() -> People:
        made.append(some_people(now))
        return made[0]

    async def run(client: Client) -> T:
        await settle(made[0])
        assert client.app is not None and client.app[PEOPLE] is made[0]
        return await steps(client, made[0])

    return visit(run, backend, settings, make)


async def csrf(client: Client, path: str = "/login") -> str:
    """The token of a page."""
    text = await (await client.get(path, headers={"Accept": "text/html"})).text()
    found = TOKEN.search(text)
    assert found is not None, text
    return found[1]


async def sign_in(
    client: Client, name: str, password: str = PASSWORD, **more: str
) -> ClientResponse:
    """What the form answers."""
    form = {"username": name, "password": password, "csrf": await csrf(client), **more}
    return await client.post("/login", data=form, allow_redirects=False)


async def bearer(people: People, role: str, rights: tuple[str, ...] = ()) -> Mapping[str, str]:
    """The header of a program of that role."""
    _, secret = await people.create_token(f"program-{role}-{len(rights)}", role, rights, "test")
    return {"Authorization": f"Bearer {secret}"}
