"""Workers ask each other over HTTP, signed when there is a secret."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from app.cluster import peers
from app.cluster.beat import Beat
from app.cluster.peers import Peers, route
from app.cluster.signing import GOOD_FOR_S, HEADER, Once, is_signed, sign


class Some:
    """A list of workers, this one first."""

    def __init__(self, *urls: str) -> None:
        self._beats = [
            Beat(f"w-{n}", url, (), (), (), 0, "ready", "", 0) for n, url in enumerate(urls)
        ]

    def own(self) -> Beat:
        return self._beats[0]

    def live(self) -> list[Beat]:
        return self._beats

    def silent_s(self, worker: str) -> float:
        return 0.0

    def gone(self) -> list[tuple[Beat, float]]:
        return []


async def double(arguments: dict[str, Any]) -> dict[int, Any]:
    """Tells bytes and numbers by shard."""
    return {0: {"twice": arguments["n"] * 2, "bytes": b"\xff"}}


QUESTIONS = {"double": double}


@asynccontextmanager
async def worker(secret: str = "") -> AsyncIterator[str]:
    """A worker that answers; its address."""
    app = web.Application()
    app.router.add_routes([route(QUESTIONS, secret)])
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server: Any = site._server
    yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    await runner.cleanup()


@pytest.mark.parametrize("secret", ["", "s3cret"])
def test_all_answer_and_the_own_answer_takes_no_detour(secret: str) -> None:
    async def work() -> None:
        async with worker(secret) as url:
            asking = Peers(Some("http://nowhere.invalid", url), QUESTIONS, secret)
            expected = {0: {"twice": 42, "bytes": b"\xff"}}
            assert await asking.ask("double", {"n": 21}) == {"w-0": expected, "w-1": expected}
            await asking.stop()

    asyncio.run(work())


def test_who_does_not_answer_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "ANSWER_S", 0.2)

    async def work() -> None:
        async def hang(_: web.Request) -> web.Response:
            await asyncio.get_running_loop().create_future()
            raise AssertionError("not reached")

        app = web.Application()
        app.router.add_post("/internal/double", hang)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        server: Any = site._server
        hanging = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        asking = Peers(Some("", "http://127.0.0.1:9", hanging), QUESTIONS)
        assert list(await asking.ask("double", {"n": 1})) == ["w-0"]
        await asking.stop()
        await runner.cleanup()

    asyncio.run(work())


def test_an_unsigned_call_and_one_with_another_secret_are_refused() -> None:
    async def work() -> None:
        async with worker("s3cret") as url:
            for secret in ("", "another"):
                asking = Peers(Some("", url), QUESTIONS, secret)
                assert list(await asking.ask("double", {"n": 1})) == ["w-0"]
                await asking.stop()
            async with (
                aiohttp.ClientSession() as session,
                session.post(url + "/internal/double", data=b"\x80") as response,
            ):
                assert response.status == 403

    asyncio.run(work())


def test_without_a_secret_a_server_in_front_can_not_ask_for_somebody_else() -> None:
    async def work() -> None:
        headers = {"X-Forwarded-For": "203.0.113.9"}
        async with (
            worker() as url,
            aiohttp.ClientSession() as session,
            session.post(url + "/internal/double", data=b"\x80", headers=headers) as response,
        ):
            assert response.status == 403

    asyncio.run(work())


def test_an_unknown_question_is_not_found() -> None:
    async def work() -> None:
        async with (
            worker() as url,
            aiohttp.ClientSession() as session,
            session.post(url + "/internal/nothing", data=b"\x80") as response,
        ):
            assert response.status == 404

    asyncio.run(work())


@pytest.mark.parametrize(
    ("path", "body", "later_s", "good"),
    [
        ("/internal/totals", b"x", 0.0, True),
        ("/internal/totals", b"x", GOOD_FOR_S - 1, True),
        ("/internal/totals", b"x", GOOD_FOR_S + 1, False),
        ("/internal/totals", b"x", -GOOD_FOR_S - 1, False),
        ("/internal/other", b"x", 0.0, False),
        ("/internal/totals", b"y", 0.0, False),
    ],
)
def test_a_signature_is_for_one_call_and_a_minute(
    path: str, body: bytes, later_s: float, good: bool
) -> None:
    given = sign("s", "/internal/totals", b"x", 1_000.0)
    assert is_signed("s", path, body, given, 1_000.0 + later_s) is good
    assert not is_signed("other", path, body, given, 1_000.0 + later_s)


@pytest.mark.parametrize("given", ["", "t=,v1=", "t=1000.000", "v1=00", "nonsense", "t=nan,v1=x"])
def test_what_is_no_signature_is_none(given: str) -> None:
    assert not is_signed("s", "/internal/totals", b"x", given, 1_000.0)
    assert HEADER == "X-Sluice-Signature"


def test_a_call_that_was_heard_can_not_be_made_again() -> None:
    async def work() -> None:
        async with worker("s3cret") as url, aiohttp.ClientSession() as session:
            body = b"\x81\xa1n\x01"
            statuses = []
            signed = sign("s3cret", "/internal/double", body)
            for header in (signed, signed, f"{signed},x=1", f"x=1,{signed}"):
                async with session.post(
                    url + "/internal/double", data=body, headers={HEADER: header}
                ) as response:
                    statuses.append(response.status)
            assert statuses == [200, 403, 403, 403]

    asyncio.run(work())


def test_what_was_sent_is_remembered_for_as_long_as_it_is_good() -> None:
    once = Once()
    first = sign("s", "/p", b"")
    assert once.take(first, 0.0)
    assert not once.take(first, 2 * GOOD_FOR_S)
    assert once.take(sign("s", "/p", b""), 2 * GOOD_FOR_S)
    assert once.take(first, 2 * GOOD_FOR_S + 1)
