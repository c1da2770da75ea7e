"""Where the console listens while it has no users, and what it answers to whom."""

import asyncio
import socket

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from app.listening import PortTaken, bound, guard, is_loopback, place, url_of
from app.people.people import People
from app.web.people import PEOPLE
from config.settings import Settings


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.9.9.9"])
def test_a_host_of_this_machine_is_taken_as_it_is(host: str) -> None:
    found = place(Settings(web_host=host))
    assert (found.host, found.guarded, found.remark) == (host, False, "")


def test_another_host_is_not_listened_on_and_that_is_said() -> None:
    found = place(Settings(web_host="0.0.0.0"))
    assert (found.host, found.guarded) == ("127.0.0.1", False)
    assert "listens on 127.0.0.1, not 0.0.0.0" in found.remark


def test_with_a_secret_other_workers_can_reach_it_and_nobody_else() -> None:
    found = place(Settings(web_host="0.0.0.0", cluster_secret="s"))
    assert (found.host, found.guarded) == ("0.0.0.0", True)
    assert "this machine only" in found.remark


@pytest.mark.parametrize("secret", ["", "s"])
def test_with_a_user_it_listens_where_it_was_told_to(secret: str) -> None:
    found = place(Settings(web_host="0.0.0.0", cluster_secret=secret), any_users=True)
    assert (found.host, found.guarded, found.remark) == ("0.0.0.0", False, "")


@pytest.mark.parametrize(
    ("path", "remote", "answered"),
    [
        ("/internal/totals", "10.0.0.9", True),
        ("/health/ready", "10.0.0.9", True),
        ("/api/overview", "10.0.0.9", False),
        ("/metrics", "10.0.0.9", False),
        ("/", "10.0.0.9", False),
        ("/api/overview", "127.0.0.1", True),
        ("/", "::1", True),
        ("/", None, False),
    ],
)
def test_the_guard_lets_other_machines_to_the_workers_calls_only(
    path: str, remote: str | None, answered: bool
) -> None:
    async def handler(_: web.Request) -> web.StreamResponse:
        return web.Response(text="answered")

    async def work() -> bool:
        app = web.Application()
        app[PEOPLE] = People()
        request = make_mocked_request("GET", path, app=app).clone(remote=remote or "")
        try:
            await guard(request, handler)
        except web.HTTPForbidden:
            return False
        return True

    assert asyncio.run(work()) is answered


def test_a_port_that_is_taken_is_named() -> None:
    with bound("127.0.0.1", 0) as first:
        first.listen()
        port = first.getsockname()[1]
        with pytest.raises(PortTaken, match=f"127.0.0.1 port {port}"):
            bound("127.0.0.1", port)


def test_a_host_that_is_no_ones_is_named() -> None:
    with pytest.raises(PortTaken, match=r"nowhere\.invalid"):
        bound("nowhere.invalid", 0)


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:5"),
        ("::1", "http://[::1]:5"),
        ("0.0.0.0", f"http://{socket.gethostname()}:5"),
    ],
)
def test_the_address_is_one_that_others_can_use(host: str, url: str) -> None:
    assert url_of(host, 5) == url


def test_a_name_is_not_taken_for_this_machine() -> None:
    assert not is_loopback("localhost.example.com")
    assert not is_loopback("")
