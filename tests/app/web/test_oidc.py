"""Signing in with OpenID Connect, against a provider that speaks the protocol."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from aiohttp import ClientResponse
from aiohttp.test_utils import TestClient, TestServer
from joserfc.jwk import RSAKey

from app.people.oidc import Oidc, OidcSettings
from app.people.people import People
from app.web.server import make_web
from tests.app.people.provider import CLIENT, SECRET, Provider, provider
from tests.app.web.fake import FakeBackend
from tests.app.web.signing import settle, some_people
from tests.app.web.site import PERSON, Client
from tests.browser.dev import DevSettings

EVE = {"sub": "248289761001", "preferred_username": "eve", "roles": ["staff", "operator"]}
Steps = Callable[[Client, People, Provider], Awaitable[None]]


def with_provider(steps: Steps, role_claim: str = "roles", anybody: bool = True) -> None:
    """Runs `steps` on a console whose people may sign in there."""

    async def run() -> None:
        async with provider() as at:
            at.claims = dict(EVE)
            people, backend = some_people(), FakeBackend()
            if anybody:
                await settle(people)
            oidc = Oidc(OidcSettings(at.issuer, CLIENT, SECRET, role_claim))
            app = make_web(backend, DevSettings(), backend.clock, people, oidc=oidc)
            async with TestClient(TestServer(app)) as client:
                await steps(client, people, at)

    asyncio.run(run())


async def through(client: Client, following: str = "/sessions") -> ClientResponse:
    """What the console answers to who comes back from the provider."""
    begun = await client.get(f"/login/oidc?next={following}", allow_redirects=False)
    assert begun.status == 303, await begun.text()
    led = await client.session.get(begun.headers["Location"], allow_redirects=False)
    back = urlsplit(led.headers["Location"])
    return await client.get(f"{back.path}?{back.query}", allow_redirects=False, headers=PERSON)


def test_who_the_provider_knows_comes_in_with_the_role_it_gives() -> None:
    async def steps(client: Client, people: People, at: Provider) -> None:
        page = await (await client.get("/login", headers=PERSON)).text()
        assert 'href="/login/oidc?next=/"' in page
        entered = await through(client)
        assert (entered.status, entered.headers["Location"]) == (303, "/sessions")
        me = await (await client.get("/api/me")).json()
        assert (me["name"], me["role"], me["rights"]) == ("eve", "operator", [])
        at.claims["roles"] = ["viewer", "numbers"]
        await through(client)
        assert (people.book.users["eve"].role, people.book.users["eve"].rights) == (
            "viewer", ("numbers",)
        )  # fmt: skip

    with_provider(steps)


def test_a_role_may_lie_deeper() -> None:
    async def steps(client: Client, people: People, at: Provider) -> None:
        at.claims = {"sub": "1", "email": "a@b.example", "realm": {"access": "admin"}}
        assert (await through(client)).status == 303
        assert people.book.users["a@b.example"].role == "admin"

    with_provider(steps, "realm.access")


def later(value: Any) -> Any:
    """A span from now on as a token has it; anything else as it is."""
    return int(time.time() + value.total_seconds()) if isinstance(value, timedelta) else value


@pytest.mark.parametrize(
    "wrong",
    [
        {"nonce": "another"}, {"aud": "another"}, {"iss": "https://elsewhere.example"},
        {"exp": timedelta(minutes=-2)}, {"iat": timedelta(minutes=10)},
        {"aud": [CLIENT, "another"]}, {"azp": "another"}, {"roles": ["staff"]},
        {"roles": None}, {"sub": None},
    ],
    ids=str,
)  # fmt: skip
def test_a_token_that_is_not_for_this_sign_in_is_refused(wrong: dict[str, Any]) -> None:
    async def steps(client: Client, people: People, at: Provider) -> None:
        at.wrong = {name: later(value) for name, value in wrong.items()}
        assert (await through(client)).status == 403
        assert "eve" not in people.book.users
        assert (await client.get("/api/topics")).status == 401

    with_provider(steps)


def test_a_token_that_another_key_signed_is_refused_and_a_new_key_is_found() -> None:
    async def steps(client: Client, people: People, at: Provider) -> None:
        assert (await through(client)).status == 303
        at.key = RSAKey.generate_key(2048, {"kid": "one", "use": "sig"})
        assert (await through(client)).status == 403
        at.published = [at.key]
        assert (await through(client)).status == 303

    with_provider(steps)


def test_a_way_back_that_nobody_went_is_refused() -> None:
    async def steps(client: Client, people: People, at: Provider) -> None:
        stray = await client.get("/login/oidc/callback?code=x&state=y", allow_redirects=False)
        assert stray.status == 403
        await client.get("/login/oidc", allow_redirects=False)
        forged = await client.get("/login/oidc/callback?code=x&state=y", allow_redirects=False)
        assert forged.status == 403
        at.refuses = "not this one"
        refused = await through(client)
        assert refused.status == 403 and "not this one" in await refused.text()

    with_provider(steps)


def test_a_code_is_good_once_and_leads_to_own_pages_only() -> None:
    async def steps(client: Client, people: People, at: Provider) -> None:
        entered = await through(client, "https://elsewhere.example/")
        assert entered.headers["Location"] == "/"
        address = str(entered.url.relative())
        again = await client.get(address, allow_redirects=False)
        assert again.status == 403

    with_provider(steps)


def test_nobody_takes_the_name_of_somebody_here() -> None:
    async def steps(client: Client, people: People, at: Provider) -> None:
        at.claims |= {"preferred_username": "ada", "roles": ["admin"]}
        refused = await through(client)
        assert refused.status == 409 and "somebody else" in await refused.text()
        at.claims |= {"preferred_username": "eve"}
        assert (await through(client)).status == 303
        at.claims |= {"sub": "another"}
        assert (await through(client)).status == 409

    with_provider(steps)


def test_the_first_user_must_be_admin_here_too() -> None:
    async def steps(client: Client, people: People, at: Provider) -> None:
        assert (await through(client)).status == 409
        at.claims["roles"] = "admin"
        assert (await through(client)).status == 303

    with_provider(steps, anybody=False)


def test_a_provider_that_is_away_is_said_to_be() -> None:
    async def run() -> None:
        backend = FakeBackend()
        oidc = Oidc(OidcSettings("http://127.0.0.1:9", CLIENT, SECRET, "roles"))
        app = make_web(backend, DevSettings(), backend.clock, some_people(), oidc=oidc)
        async with TestClient(TestServer(app)) as client:
            assert (await client.get("/login/oidc")).status == 503

    asyncio.run(run())
