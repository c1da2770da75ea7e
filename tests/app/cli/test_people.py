"""`sluice users` and `sluice tokens`, against a console that serves."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

from aiohttp.test_utils import TestServer

from app.people.passwords import Passwords
from app.people.people import People
from app.web.server import make_web
from tests.app.cli.running import Ran, sluice
from tests.app.web.fake import FakeBackend
from tests.app.web.signing import CHEAP
from tests.browser.dev import DevSettings

SECRET = b"correct horse battery\n"
ADMIN = ("--role", "admin", "--password-stdin")


@contextmanager
def console() -> Iterator[str]:
    """The address of one with nobody in it, in a thread of its own."""
    listens, over = Event(), Event()
    url: list[str] = []

    async def serve() -> None:
        backend = FakeBackend()
        people = People(passwords=Passwords(CHEAP))
        app = make_web(backend, DevSettings(), backend.clock, people)
        async with TestServer(app) as server:
            url.append(f"http://127.0.0.1:{server.port}")
            listens.set()
            await asyncio.to_thread(over.wait)

    thread = Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    try:
        assert listens.wait(60)
        yield url[0]
    finally:
        over.set()
        thread.join()


def test_from_the_first_user_on_commands_need_a_token() -> None:
    with console() as server:

        def run(*words: str, token: str = "", stdin: bytes = b"") -> Ran:
            return sluice(*words, server=server, stdin=stdin, environ={"SLUICE_TOKEN": token})

        early = run("tokens", "create", "early", "--role", "viewer", "--right", "numbers", "--json")
        assert (early.code, set(early.json)) == (0, {"name", "token"})
        viewer = run("users", "add", "vera", "--role", "viewer", "--password-stdin", stdin=SECRET)
        assert viewer.code == 1 and "must be admin" in viewer.err
        first = run("users", "add", "ada", *ADMIN, "--reason", "the first", stdin=SECRET)
        assert first.code == 0 and "sluice tokens create" in first.err
        refused = run("users", "list")
        assert refused.code == 2 and "SLUICE_TOKEN" in refused.err

        wrong = run("tokens", "create", "boss", *ADMIN, "--user", "ada", stdin=b"wrong\n")
        assert wrong.code == 2 and "password is wrong" in wrong.err
        made = run("tokens", "create", "boss", *ADMIN, "--user", "ada", "--json", stdin=SECRET)
        assert made.code == 0, made.err
        boss = made.json["token"]

        added = run("users", "add", "otto", *ADMIN, token=boss, stdin=b"short\n")
        assert added.code == 0 and "harder to guess" in added.err
        changed = run("users", "change", "otto", "--role", "operator", "--right", "numbers",
                      token=boss, )  # fmt: skip
        assert changed.code == 0
        users = run("users", "list", "--json", token=boss).json["items"]
        assert [(u["name"], u["role"], u["rights"]) for u in users] == [
            ("ada", "admin", []), ("otto", "operator", ["numbers"])
        ]  # fmt: skip
        assert run("users", "list", token=early.json["token"]).code == 2
        assert run("users", "remove", "otto", token=boss).code == 0
        assert run("users", "remove", "ada", token=boss).code == 1
        assert run("users", "change", "ada", token=boss).code == 2
        assert run("tokens", "revoke", "early", token=boss).code == 0
        assert "early" not in run("tokens", "list", token=boss).out
        assert boss not in run("tokens", "list", "--json", token=boss).out
        assert run("tokens", "revoke", "early", token=boss).code == 1
