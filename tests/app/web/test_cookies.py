"""Cookies that were forged, stolen, or were good once: on every route, nobody's."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import FormData

from app.people.people import People
from app.people.rows import digest
from app.web import roles
from app.web.audited import TRAIL
from tests.app.web.attacks import filled, mounted, watched
from tests.app.web.campaigns_shown import CampaignsShown
from tests.app.web.signing import PASSWORD, Now, among_people, bearer, csrf, sign_in, some_people
from tests.app.web.site import PERSON, Client
from tests.app.web.test_attacks import CHANGES, WITH_FILE
from tests.app.web.test_masking import NUMBER, ONE

SESSION, VISITOR = "sluice-session", "sluice-csrf"
GUARDED = [
    (m, p)
    for m, p in mounted()
    if roles.needed(m, p) != "open" and not (m == "GET" and p.endswith("/records"))
]
Stolen = Callable[[Client, People], Awaitable[str]]
"""Takes a signed-in client and leaves it; the value of a cookie that must be worth nothing."""


def keep(client: Client) -> str:
    """The session's cookie as a thief has it."""
    cookies = client.session.cookie_jar.filter_cookies(client.make_url("/"))
    return cookies[SESSION].value


async def ended_elsewhere(client: Client, people: People) -> str:
    """Ended at another browser: `DELETE /api/me/sessions/{id}`."""
    kept = keep(client)
    (session,) = people.sessions_of(await _person(people, kept))
    client.session.cookie_jar.clear()
    await sign_in(client, "ada")
    headers = {"X-CSRF-Token": await csrf(client, "/")}
    done = await client.delete(f"/api/me/sessions/{session.id}", headers=headers)
    assert done.status == 204
    return kept


async def logged_out(client: Client, people: People) -> str:
    kept = keep(client)
    form = {"csrf": await csrf(client, "/")}
    assert (await client.post("/logout", data=form, allow_redirects=False)).status == 303
    return kept


async def removed(client: Client, people: People) -> str:
    await people.add_user("eve", "admin", (), PASSWORD, "test")
    await people.remove_user("ada")
    return keep(client)


async def removed_and_added(client: Client, people: People) -> str:
    kept = await removed(client, people)
    await people.add_user("ada", "admin", (), PASSWORD, "eve")
    return kept


async def new_password(client: Client, people: People) -> str:
    """An admin gave them another one, as when it is known to a stranger."""
    await people.change_user("ada", password="another one")
    return keep(client)


async def signed_in_again(client: Client, people: People) -> str:
    kept = keep(client)
    await sign_in(client, "ada")
    return kept


async def another_installation(client: Client, people: People) -> str:
    """Of a user of that name, signed in where other rows are."""
    other = some_people()
    await other.add_user("ada", "admin", (), PASSWORD, "test")
    return (await other.sign_in("ada", PASSWORD, "127.0.0.1")).secret


async def altered(client: Client, people: People) -> str:
    kept = keep(client)
    return kept[:-1] + ("A" if kept[-1] != "A" else "B")


async def the_id(client: Client, people: People) -> str:
    """What `GET /api/me/sessions` shows."""
    return str((await _person(people, keep(client))).session)


async def the_row(client: Client, people: People) -> str:
    """What is kept on the topic."""
    return digest(keep(client))


async def a_token(client: Client, people: People) -> str:
    """A token is good in its header, and not as a cookie."""
    return (await bearer(people, "admin"))["Authorization"].partition(" ")[2]


async def a_name(client: Client, people: People) -> str:
    return '{"name":"ada","role":"admin"}'


STOLEN: dict[str, Stolen] = {
    each.__name__: each
    for each in (
        ended_elsewhere, logged_out, removed, removed_and_added, new_password, signed_in_again,
        another_installation, altered, the_id, the_row, a_token, a_name,
    )
}  # fmt: skip
EVERYWHERE = ("ended_elsewhere", "another_installation")


async def _person(people: People, secret: str) -> Any:
    found = await people.by_session(secret)
    assert found is not None
    return found


@pytest.mark.parametrize("how", STOLEN)
def test_a_cookie_that_is_not_a_live_sessions_opens_no_route(how: str) -> None:
    """Nothing is asked of the system and nothing changes; the token of its time goes along. One
    place looks who asks (test_roles.py tries it on every route), so most hows are tried on some."""

    async def steps(client: Client, people: People) -> list[str]:
        await sign_in(client, "ada")
        token = await csrf(client, "/")
        cookie = await STOLEN[how](client, people)
        client.session.cookie_jar.clear()
        headers = {"Cookie": f"{SESSION}={cookie}", "X-CSRF-Token": token,
                   "Accept": "application/json"}  # fmt: skip
        book, backend.called = repr(people.book), []
        before = len(trail_of(client))
        wrong = []
        for method, path in GUARDED if how in EVERYWHERE else GUARDED[::15]:
            body: Any = b"{}"
            if path in WITH_FILE:
                body = FormData({"csrf": token, "reason": "x"})
                body.add_field("file", b"number\n+919876543210\n", filename="a.csv")
            answered = await client.request(
                method, filled(path, "pause"), headers=headers, data=body, allow_redirects=False
            )
            if answered.status not in (401, 303) or (
                answered.status == 303 and not answered.headers["Location"].startswith("/login?")
            ):
                wrong.append(f"{method} {path}: {answered.status}")
        assert (repr(people.book), backend.called) == (book, [])
        assert len(trail_of(client)) == before
        return wrong

    backend = watched(CampaignsShown("little"))
    assert among_people(steps, backend) == []


def trail_of(client: Client) -> Any:
    assert client.app is not None
    return client.app[TRAIL].entries  # type: ignore[attr-defined]


@pytest.mark.parametrize("role", ["viewer", "operator"])
def test_a_cookie_of_before_opens_no_more_than_the_role_of_now(role: str) -> None:
    """On every changing route, with the token that the page had when its reader was admin."""

    async def steps(client: Client, people: People) -> list[str]:
        await people.add_user("eve", "admin", ("numbers",), PASSWORD, "test")
        await sign_in(client, "eve")
        headers = {"X-CSRF-Token": await csrf(client, "/"), "Accept": "application/json"}
        await people.change_user("eve", role=role, rights=())
        book, wrong = repr(people.book), []
        for method, path in CHANGES:
            wanted = roles.needed(method, path)
            if wanted == "open" or roles.is_enough(role, wanted):  # type: ignore[arg-type]
                continue
            backend.called.clear()
            answered = await client.request(
                method, filled(path, "pause"), headers=headers, data=b"{}", allow_redirects=False
            )
            if answered.status != 403 or backend.called:
                wrong.append(f"{method} {path}: {answered.status} {backend.called}")
        assert repr(people.book) == book
        return wrong

    backend = watched(CampaignsShown("little"))
    assert among_people(steps, backend) == []


def test_a_page_of_before_shows_no_number_after_the_right_is_gone() -> None:
    async def steps(client: Client, people: People) -> None:
        await sign_in(client, "nora")
        path = f"/api/campaigns/{ONE}/fdds"
        shown = await (await client.get(path)).text()
        await people.change_user("nora", rights=())
        hidden = await (await client.get(path)).text()
        assert NUMBER.search(shown) and not NUMBER.search(hidden)

    among_people(steps)


def test_a_session_replayed_after_its_day_is_nobodys_even_for_a_moment() -> None:
    now = Now()

    async def steps(client: Client, people: People) -> None:
        await sign_in(client, "ada")
        kept = keep(client)
        now.s += 86_401
        client.session.cookie_jar.clear()
        headers = {"Cookie": f"{SESSION}={kept}"}
        assert (await client.get("/api/topics", headers=headers)).status == 401
        page = await client.get("/", headers={**headers, **PERSON}, allow_redirects=False)
        assert page.status == 303

    among_people(steps, now=now)


ODD = (
    b"\xff\xfe", b"a\x00b", b"%0d%0aSet-Cookie:x=y", b'"', b"=" * 50, b"a;b=c", "é".encode(),
    b"A" * 7_000,
)  # fmt: skip


@pytest.mark.parametrize("name", [SESSION, VISITOR, "sluice-oidc"])
def test_an_odd_cookie_is_nobodys_and_no_fault(name: str) -> None:
    async def steps(client: Client, people: People) -> list[str]:
        wrong = []
        for value in ODD:
            text = value.decode("utf-8", "surrogateescape")
            for method, path in (
                ("GET", "/login"), ("POST", "/login"), ("POST", "/logout"), ("GET", "/api/topics"),
                ("GET", "/login/oidc/callback"), ("DELETE", "/api/users/ada"), ("GET", "/"),
            ):  # fmt: skip
                got = await raw(client, method, path, f"{name}={text}")
                if not 200 <= got < 500 or (path == "/api/topics" and got < 400):
                    wrong.append(f"{method} {path} {value[:20]!r}: {got}")
        assert "ada" in people.book.users
        return wrong

    assert among_people(steps) == []


async def raw(client: Client, method: str, path: str, cookie: str) -> int:
    """The status of a request whose cookie no client would send; 400 when the server hangs up."""
    reader, writer = await asyncio.open_connection(client.host, client.port)
    head = f"{method} {path} HTTP/1.1\r\nHost: {client.host}:{client.port}\r\nCookie: {cookie}\r\n"
    writer.write(
        head.encode("utf-8", "surrogateescape") + b"Content-Length: 0\r\nConnection: close\r\n\r\n"
    )
    status = (await reader.readline()).split()
    writer.close()
    return int(status[1]) if len(status) > 1 else 400


def test_of_two_cookies_of_one_name_none_is_put_together() -> None:
    """A sister site may plant one beside the real one: whichever counts, it is one of the two."""

    async def steps(client: Client, people: People) -> None:
        await sign_in(client, "vera")
        kept = keep(client)
        client.session.cookie_jar.clear()
        for cookie in (f"{SESSION}=planted; {SESSION}={kept}", f"{SESSION}={kept}; {SESSION}=x"):
            answered = await client.get("/api/users", headers={"Cookie": cookie})
            assert answered.status in (401, 403)

    among_people(steps)
