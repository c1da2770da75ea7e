"""What is tried on every route: changes from foreign pages, addresses that end a header or leave a
folder, bodies that are small on the wire and large inside.
"""

import gzip
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import pytest
from aiohttp import FormData

from app.people.people import People
from app.web import roles
from app.web.audited import TRAIL
from tests.app.web.attacks import filled, mounted, watched
from tests.app.web.campaigns_shown import CampaignsShown
from tests.app.web.signing import among_people, bearer, csrf, sign_in
from tests.app.web.site import Client, visit

CHANGES = [(m, p) for m, p in mounted() if m not in roles.READING]
SIGNED = {"POST /hooks/{source}"}  # by who sends, whatever browser or none
WITH_FILE = ("/campaigns/upload", "/campaigns/{id}/negatives", "/do-not-call")
CSRF = {
    "no token": {},
    "an empty one": {"X-CSRF-Token": ""},
    "one of the right form": {"X-CSRF-Token": "0" * 64},
    "another visitor's": {"X-CSRF-Token": "other"},
    "a foreign page that has it": {"X-CSRF-Token": "own", "Origin": "https://elsewhere.example"},
    "a page without an origin": {"X-CSRF-Token": "own", "Origin": "null"},
    "a sister site": {"X-CSRF-Token": "own", "Sec-Fetch-Site": "same-site"},
}


@pytest.mark.parametrize("how", CSRF)
def test_no_change_is_made_by_a_foreign_page_on_any_route(how: str) -> None:
    """An admin is signed in, and the browser sends the cookie along."""

    async def steps(client: Client, people: People) -> list[str]:
        await sign_in(client, "otto")
        others = await csrf(client, "/")
        await sign_in(client, "ada")
        known = {"other": others, "own": await csrf(client, "/")}
        headers = {name: known.get(value, value) for name, value in CSRF[how].items()}
        before, book = backend.state(), repr(people.book)
        wrong = []
        for method, path in CHANGES:
            if f"{method} {path}" in SIGNED:
                continue
            body: Any = {"reason": "x", "csrf": headers.get("X-CSRF-Token", "")}
            if path in WITH_FILE:
                body = FormData(body)
                body.add_field("file", b"number\n+919876543210\n", filename="a.csv")
            answered = await client.request(
                method,
                filled(path, "pause"),
                headers=headers,
                allow_redirects=False,
                data=b"{}" if path.startswith("/api/") else body,
            )
            if answered.status != 403:
                wrong.append(f"{method} {path}: {answered.status}")
        assert (backend.state(), repr(people.book)) == (before, book)
        assert client.app is not None
        done = [e for e in client.app[TRAIL].entries.values() if e.outcome == "done"]  # type: ignore[attr-defined]
        assert {e.action for e in done} == {"sign-ins.begin"}
        return wrong

    backend = watched(CampaignsShown("little"))
    assert among_people(steps, backend) == []


ENDS = "a\r\nX-Evil: 1\r\n\r\n<script>"


@pytest.mark.parametrize("told", [ENDS, 'a\x00b\u2028\ud83d\ude00;c="d"'])
def test_no_part_of_an_address_ends_a_header(told: str) -> None:
    async def steps(client: Client) -> list[str]:
        wrong = []
        piece = quote(told.encode("utf-16", "surrogatepass").decode("utf-16"), safe="")
        for method, path in mounted():
            if method != "GET" or path.startswith("/login/oidc"):
                continue
            query = "&".join(f"{n}={piece}" for n in ("next", "format", "name", "key", "filename"))
            for address in {filled(path, piece), f"{filled(path, 'reminder')}?{query}"}:
                answered = await client.get(address, allow_redirects=False)
                if answered.status >= 500 or "X-Evil" in answered.headers:
                    wrong.append(f"{path}: {answered.status}")
                answered.close()
        return wrong

    assert visit(steps, CampaignsShown("little")) == []


OUTSIDE = ("../../../../../../../../etc/passwd", "/etc/passwd")


@pytest.mark.parametrize("told", OUTSIDE)
def test_no_part_of_an_address_leaves_a_folder(told: str) -> None:
    async def steps(client: Client) -> list[str]:
        wrong = []
        for method, path in mounted():
            if method != "GET":
                continue
            if path == "/static":
                path = "/static/{file}"
            raw = quote(told, safe="")
            for address in {filled(path, raw), f"{filled(path, 'x')}?file={raw}&table={raw}"}:
                answered = await client.get(address, allow_redirects=False)
                content = await answered.content.read(100_000)
                if answered.status >= 500 or b"root:" in content:
                    wrong.append(f"{address}: {answered.status}")
        for raw in ("/static/../server.py", "/static/%2e%2e/server.py", "/static/..%2fserver.py",
                    "/static//etc/passwd"):  # fmt: skip
            if (await client.get(raw)).status not in (403, 404):
                wrong.append(raw)
        return wrong

    assert visit(steps, CampaignsShown("little")) == []


MANY = 65 << 20  # of zeros, some KiB as gzip; a body may have 64 MiB
OPEN = [(m, p) for m, p in CHANGES if roles.needed(m, p) == "open"]
READ = (
    ("PUT", "/api/users/{name}"),
    ("POST", "/api/topics/{topic}/records"),
    ("PUT", "/api/documents/{kind}/{name}"),
    ("POST", "/api/sql"),
)
"""One of each way to read a body."""


@pytest.mark.parametrize("media", ["application/json", "application/x-www-form-urlencoded"])
def test_a_body_that_grows_when_it_is_unpacked_is_refused(media: str) -> None:
    """By each way to read one, and where everybody may send one. Elsewhere it isn't read before it
    is known who asks."""
    bomb = gzip.compress(b"0" * MANY, 1)

    async def steps(client: Client, people: People) -> list[str]:
        wrong = []
        headers = {"Content-Type": media, "Content-Encoding": "gzip"}
        admin = await bearer(people, "admin")
        asked: list[tuple[Mapping[str, str], str, str]] = [({}, *each) for each in OPEN] + [
            (admin, *each) for each in READ
        ]
        for who, method, path in asked:
            answered = await client.request(
                method, filled(path, "pause"), headers={**headers, **who}, data=bomb
            )
            if not 400 <= answered.status < 500:
                wrong.append(f"{method} {path}: {answered.status} {await answered.text()}")
        return wrong

    assert among_people(steps) == []


DEEP = {
    "lists": "[" * 100_000,
    "closed lists": "[" * 100_000 + "]" * 100_000,
    "objects": '{"a":' * 100_000,
    "closed objects": '{"a":' * 50_000 + "1" + "}" * 50_000,
    "in a member": '{"reason":' + "[" * 100_000 + "]" * 100_000 + "}",
    "a long number": '{"reason":' + "9" * 100_000 + "}",
    "a large exponent": '{"reason":1e999999999,"dry_run":-1E-999999999}',
    "half a letter": '{"reason":"\\ud800"}',
    "no UTF-8": '{"reason":"\udcff"}',
    "aliases of aliases": "a0: &a0 [x,x]\n"
    + "".join(f"a{n}: &a{n} [*a{n - 1},*a{n - 1},*a{n - 1}]\n" for n in range(1, 40)),
    "a tag": "!!python/object/apply:os.system ['true']",
}


@pytest.mark.parametrize("what", DEEP)
def test_a_body_that_is_deep_or_odd_is_the_senders_mistake(what: str) -> None:
    body = DEEP[what].encode("utf-8", "surrogateescape")

    async def steps(client: Client) -> list[str]:
        wrong = []
        media = "json" if body[:1] in (b"{", b"[") else "yaml"
        headers = {"Content-Type": f"application/{media}"}
        for method, path in CHANGES:
            if path == "/api/topics/{topic}/records":
                continue  # takes what it can't read record by record
            answered = await client.request(
                method, filled(path, "pause"), headers=headers, data=body
            )
            if answered.status >= 500:
                wrong.append(f"{method} {path}: {answered.status}")
        return wrong

    assert visit(steps, CampaignsShown("little")) == []


PARTS = {
    "a header without a name": b"--x\r\n: y\r\n\r\n",
    "a header with control characters": b'--x\r\nContent-Disposition: form-data; name="\x03"\r\n'
    b"\r\n",
    "a header without end": b"--x\r\n" + b"A" * 100_000,
    "too many headers": b"--x\r\n" + b"a: b\r\n" * 50_000 + b"\r\n",
    "no part": b"what?",
    "parts in parts": b"--x\r\nContent-Type: multipart/mixed; boundary=y\r\n\r\n--y\r\n"
    b"\r\na\r\n--y--\r\n",
    "no such encoding": b'--x\r\nContent-Disposition: form-data; name="a"\r\n'
    b"Content-Transfer-Encoding: rot13\r\n\r\na\r\n--x--\r\n",
}


@pytest.mark.parametrize("what", PARTS)
def test_a_body_in_broken_parts_is_the_senders_mistake(what: str) -> None:
    async def steps(client: Client) -> list[str]:
        headers = {"Content-Type": "multipart/form-data; boundary=x"}
        wrong = []
        for path in ("/api/campaigns", "/login", "/erase", *WITH_FILE):
            answered = await client.post(filled(path, "pause"), headers=headers, data=PARTS[what])
            if not 400 <= answered.status < 500:
                wrong.append(f"{path}: {answered.status}")
        return wrong

    assert visit(steps, CampaignsShown("little")) == []
