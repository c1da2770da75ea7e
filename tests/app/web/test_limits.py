"""How much a body may bring: said, sent in pieces, or packed; on every route that takes one."""

import asyncio
import gzip
import time
from collections.abc import AsyncIterator

import pytest
from aiohttp import MultipartWriter

from app.people.people import People
from app.web import limits, roles
from tests.app.web.attacks import filled, mounted, watched
from tests.app.web.campaigns_shown import CampaignsShown
from tests.app.web.signing import among_people, bearer, csrf
from tests.app.web.site import Client, problem, visit
from tests.app.web.test_masking import ONE
from tests.browser.dev import DevSettings

CHANGES = [(m, p) for m, p in mounted() if m not in roles.READING]
SMALL = DevSettings(max_record_bytes=4_096, max_upload_bytes=200_000)
GOOD = {"X-Hub-Signature-256": "sha256=good"}


def test_the_limits_are_of_routes_that_are_there() -> None:
    known = {f"{method} {path}" for method, path in mounted()}
    named = {limits.HOOK, limits.BATCH, *limits.FORMS, *limits.FILES}
    assert named - known == set()
    opened = {f"{m} {p}" for m, p in CHANGES if roles.needed(m, p) == "open"}
    assert {route for route in opened if limits.limit_of(route, DevSettings()) > 1 << 20} == set()


@pytest.mark.parametrize("packed", [False, True])
def test_a_body_that_says_it_is_too_large_is_refused_unread(packed: bool) -> None:
    """Nothing of it is sent: an answer that waited for it would never come."""

    async def steps(client: Client) -> list[str]:
        wrong = []
        for method, path in CHANGES:
            most = limits.limit_of(f"{method} {path}", DevSettings())
            head = f"{method} {filled(path, 'pause')} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            head += f"Content-Length: {most + 1}\r\n"
            if packed:
                head += "Content-Encoding: gzip\r\n"
            reader, writer = await asyncio.open_connection(client.host, client.port)
            writer.write(f"{head}\r\n".encode())
            answered = await asyncio.wait_for(reader.readline(), 10)
            if b" 413 " not in answered:
                wrong.append(f"{method} {path}: {answered!r}")
            writer.close()
        return wrong

    backend = watched(CampaignsShown("little"))
    assert visit(steps, backend) == []
    assert set(backend.called) <= {"clock_info"}  # the page that says so shows it


async def endless(told: list[int]) -> AsyncIterator[bytes]:
    """A body without a length; `told`: how much of it was taken."""
    piece = b"username=" + b"x" * 65_527
    for _ in range(2_000):
        told.append(len(piece))
        yield piece


@pytest.mark.parametrize("path", ["/login", "/logout", "/hooks/stars"])
@pytest.mark.parametrize("how", ["in pieces", "packed"])
def test_a_strangers_body_is_read_no_further_than_its_small_limit(path: str, how: str) -> None:
    async def steps(client: Client, people: People) -> None:
        headers = {"Content-Type": "application/x-www-form-urlencoded", **GOOD}
        body: object = endless(taken)
        if how == "packed":
            headers["Content-Encoding"] = "gzip"
            body = gzip.compress(b"0" * (32 << 20))
        answered = await client.post(path, data=body, headers=headers, allow_redirects=False)
        await problem(answered, 413, "too-large")

    taken: list[int] = []
    backend = watched()
    among_people(steps, backend)
    assert backend.called == []
    assert sum(taken) < 64 << 20  # what the buffers on the way hold, not what was to come


def test_what_is_right_for_a_stranger_to_send_goes_through() -> None:
    async def steps(client: Client, people: People) -> None:
        hook = b'{"a":"' + b"x" * 1_000_000 + b'"}'
        assert (await client.post("/hooks/stars", data=hook, headers=GOOD)).status == 202
        form = {"username": "x" * 1_024, "password": "é" * 1_024, "csrf": await csrf(client)}
        assert (await client.post("/login", data=form, allow_redirects=False)).status == 401

    among_people(steps)


UPLOADS = ("/api/campaigns", "/api/campaigns/{request_id}/negatives", "/api/do-not-call")
PAGES = ("/campaigns/upload", "/campaigns/{id}/negatives", "/do-not-call")


@pytest.mark.parametrize("path", (*UPLOADS, *PAGES))
def test_a_file_that_is_too_large_is_refused_as_it_comes(path: str) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"number\n"
        for _ in range(30):
            yield b"+919876543210\n" * 1_000

    async def steps(client: Client, people: People) -> None:
        headers, token = dict(await bearer(people, "operator")), await csrf(client)
        body: object = pieces()
        if path in PAGES or path == "/api/campaigns":
            writer = MultipartWriter("form-data")
            for name, value in (("csrf", token), ("description", '{"flow":"reminder"}')):
                if name != "csrf" or path in PAGES:
                    writer.append(value).set_content_disposition("form-data", name=name)
            part = writer.append(pieces())
            part.set_content_disposition("form-data", name="file", filename="a.csv")
            body = writer
        else:
            headers["Content-Type"] = "text/csv"
        before = backend.state()
        answered = await client.post(filled(path, ONE), data=body, headers=headers)
        await problem(answered, 413, "too-large")
        assert backend.state() == before

    backend = watched(CampaignsShown("little"))
    among_people(steps, backend, SMALL)


def test_a_document_larger_than_any_record_is_refused_at_once() -> None:
    """YAML takes a second for each MiB: what can't be a record isn't looked through."""
    body = b"kind: aggregator\nname: x\nttl_days: 7\n" + b"# nothing\n" * 2_000_000

    async def steps(client: Client) -> None:
        for method, path in (("PUT", "/api/documents/aggregator/x"),
                             ("POST", "/api/documents/validate"),
                             ("POST", "/api/documents/preview")):  # fmt: skip
            began = time.monotonic()
            answered = await client.request(method, path, data=body)
            await problem(answered, 413, "too-large")
            assert time.monotonic() - began < 5

    visit(steps)
