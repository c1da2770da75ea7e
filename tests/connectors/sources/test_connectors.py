"""What is particular to a connector; the weeks of all of them are in tests/agents/sources."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import web
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.auth import jwt

from connectors.sources.base import Page
from connectors.sources.errors import CallFailed
from connectors.sources.s3_access_logs import record_of_line
from connectors.sources.s3_signing import signed
from connectors.sources.salesforce import moving
from domain.metrics.moments import day_of
from tests.connectors.sources.accounts import Analytics, Github, Twitter, YouTube
from tests.connectors.sources.drained import NOW_MS, drained
from tests.connectors.sources.listings import Csv, Salesforce
from tests.connectors.sources.service import Service

HOUR_MS = 3_600_000


def served(service: Service, work: Callable[[str], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        async with service.serve() as url:
            return await work(url)

    return asyncio.run(run())


class Numbers(Service):
    """The numbers below 7, three an answer, paged in every way."""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        query = request.query
        at = int(query.get("offset", 0))
        if "page" in query:
            at = (int(query["page"]) - 1) * 3
        rows = [{"id": n} for n in range(7)][at : at + 3]
        headers = {}
        if query.get("way") == "link" and at + 3 < 7:
            target = f"{self.url}/n?way=link&offset={at + 3}"
            headers["Link"] = f'<{self.url}/n>; rel="first", <{target}>; rel="next"'
        return web.json_response(rows, headers=headers)


@pytest.mark.parametrize(("paging", "calls"), [("link", 3), ("page", 3), ("offset", 3), (None, 1)])
def test_json_is_paged_as_the_document_says(paging: str | None, calls: int) -> None:
    service = Numbers()
    fetch: dict[str, Any] = {"path": "/n", "params": {"way": paging or "none", "limit": 3}}
    if paging is not None:
        fetch["paging"] = paging

    async def work(url: str) -> list[int]:
        pages, _ = await drained({"connector": "http_json", "base_url": url, "fetch": fetch})
        return [int(str(r.attributes["id"])) for page in pages for r in page.records]

    assert served(service, work) == list(range(7 if paging else 3))
    assert service.requests == calls


def test_credentials_go_where_the_document_puts_them() -> None:
    class Closed(Service):
        async def answer(self, request: web.Request) -> web.StreamResponse:
            assert request.headers["Authorization"] == "Bearer tok"
            assert request.headers["X-Team"] == "red" and request.query["key"] == "k-1"
            return web.json_response({"data": {"value": 4}})

    async def work(url: str) -> Any:
        fetch = {"path": "x", "params": {"key": "{apikey}"}, "headers": {"X-Team": "red"}}
        credentials = {"token": "TOK", "apikey": "KEY"}
        document = {"connector": "http_json", "base_url": url, "fetch": fetch}
        environ = {"TOK": "tok", "KEY": "k-1"}
        pages, _ = await drained({**document, "credentials": credentials}, environ=environ)
        with pytest.raises(CallFailed, match="environment variable KEY is not set"):
            await drained({**document, "credentials": credentials}, environ={"TOK": "tok"})
        return pages[0].records[0].attributes

    assert served(Closed(), work) == {"data": '{"value":4}'}


def test_a_next_page_on_another_host_is_not_asked() -> None:
    class Astray(Service):
        async def answer(self, request: web.Request) -> web.StreamResponse:
            return web.json_response({"items": [], "next": "https://evil.example/x"})

    fetch = {"path": "x", "records": "items", "paging": {"next": "next"}}

    async def work(url: str) -> None:
        await drained({"connector": "http_json", "base_url": url, "fetch": fetch})

    with pytest.raises(CallFailed, match=r"evil\.example; another host is not asked"):
        served(Astray(), work)


def test_what_has_not_changed_costs_nothing_and_is_there_every_hour() -> None:
    service = Github()
    service.refused_traffic = {"acme/beta"}
    service.views["acme/alpha"] = {day_of(NOW_MS): [5, 2]}
    document = {
        "connector": "github", "credentials": {"token": "GH"},
        "fetch": {"repositories": ["acme/alpha", "acme/beta"]},
    }  # fmt: skip
    environ = {"GH": "gh-token"}

    async def work(url: str) -> list[list[Any]]:
        cursor, found = None, []
        for now in (NOW_MS, NOW_MS + 60_000, NOW_MS + HOUR_MS):
            pages, left = await drained(
                {**document, "base_url": url}, cursor, environ=environ, now_ms=now
            )
            assert left == 4987
            cursor = pages[-1].cursor
            found.append([r.attributes.get("stargazers_count") for p in pages for r in p.records])
        return found

    first, second, third = served(service, work)
    assert (first, second, third) == ([1, None, 10], [], [1, 10])
    assert service.unchanged == 2 * 6  # repository and pulls of both, views and clones of one


@pytest.mark.parametrize(("later_ms", "asked"), [(60_000, ["beta"]), (HOUR_MS, ["beta", "alpha"])])
def test_a_fetch_that_was_cut_short_goes_on_and_no_hour_is_without_a_figure(
    later_ms: int, asked: list[str]
) -> None:
    service = Github()
    document = {
        "connector": "github", "credentials": {"token": "GH"},
        "fetch": {"repositories": ["acme/alpha", "acme/beta"], "traffic": False},
    }  # fmt: skip
    environ = {"GH": "gh-token"}

    async def work(url: str) -> list[list[str]]:
        made = {**document, "base_url": url}
        whole, _ = await drained(made, environ=environ)
        cursor = whole[0].cursor
        assert cursor is not None
        before = {"next": 1, "repositories": cursor["repositories"]}  # as it was written once
        names = []
        for known in (cursor, before):
            pages, _ = await drained(made, known, environ=environ, now_ms=NOW_MS + later_ms)
            assert [page.last for page in pages] == [*[False] * (len(asked) - 1), True]
            names.append([str(r.attributes["full_name"]) for page in pages for r in page.records])
        return names

    found = served(service, work)
    assert found == [[f"acme/{name}" for name in asked]] * 2


def test_a_repository_that_is_gone_fails_the_fetch_when_the_others_were_asked() -> None:
    class Gone(Github):
        async def answer(self, request: web.Request) -> web.StreamResponse:
            if request.path.startswith("/repos/acme/alpha"):
                return web.json_response({"message": "Not Found"}, status=404)
            return await super().answer(request)

    document = {
        "connector": "github", "credentials": {"token": "GH"},
        "fetch": {"repositories": ["acme/alpha", "acme/beta"], "traffic": False},
    }  # fmt: skip
    found: list[Page] = []

    async def work(url: str) -> None:
        with pytest.raises(CallFailed, match="acme/alpha answered 404"):
            await drained({**document, "base_url": url}, environ={"GH": "gh-token"}, found=found)

    served(Gone(), work)
    assert [(r.attributes["full_name"], p.last) for p in found for r in p.records] == [
        ("acme/beta", False)
    ]


def test_an_org_whose_calls_are_nearly_used_up_is_left_alone() -> None:
    service = Salesforce()
    service.token = "tok"
    service.usage = "api-usage=4800/5000"
    service.leads = {f"L{n}": (NOW_MS, NOW_MS + n, 1) for n in range(5)}
    soql = "SELECT Amount FROM Lead WHERE Amount > 0"
    document = {
        "connector": "salesforce", "credentials": {"token": "T"},
        "fetch": {"queries": [{"name": "leads", "soql": soql}]},
    }  # fmt: skip

    async def work(url: str) -> None:
        await drained({**document, "base_url": url}, environ={"T": "tok"})

    with pytest.raises(CallFailed, match="200 of 5000 calls of the org are left"):
        served(service, work)
    assert service.requests == 1


@pytest.mark.parametrize(
    ("soql", "moved"),
    [
        ("select Id from Lead",
         "SELECT Id, CreatedDate, SystemModstamp FROM Lead "
         "WHERE SystemModstamp >= T ORDER BY SystemModstamp, Id"),
        ("SELECT Id, Name FROM Lead WHERE A = 1 OR B = 2 ORDER BY Name LIMIT 9",
         "SELECT Id, Name, CreatedDate, SystemModstamp FROM Lead "
         "WHERE (A = 1 OR B = 2) AND SystemModstamp >= T ORDER BY SystemModstamp, Id"),
    ],
)  # fmt: skip
def test_a_query_is_moved_on(soql: str, moved: str) -> None:
    assert moving(soql, "T") == moved


def test_a_query_that_groups_is_refused() -> None:
    with pytest.raises(CallFailed, match="without GROUP BY"):
        moving("SELECT Status, COUNT(Id) FROM Lead GROUP BY Status", None)


def test_a_service_account_signs_for_its_token() -> None:
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()  # fmt: skip
    public = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )

    class Google(Analytics):
        async def renew(self, request: web.Request) -> web.StreamResponse:
            form = await request.post()
            claims = jwt.decode(str(form["assertion"]), certs=public)  # type: ignore[no-untyped-call]  # google-auth's
            assert claims["iss"] == "me@acme.example" and claims["aud"] == f"{self.url}/token"
            assert claims["scope"].endswith("analytics.readonly")
            self.token = "granted"
            return web.json_response({"access_token": "granted"})

    service = Google()
    service.days = {day_of(NOW_MS): 5}

    async def work(url: str) -> tuple[int, int | None]:
        key = {"client_email": "me@acme.example", "private_key": pem, "private_key_id": "k",
               "token_uri": f"{url}/token"}  # fmt: skip
        document = {
            "connector": "google_analytics", "base_url": url, "credentials": {
                "service_account": "SA"},
            "fetch": {"property": "123", "dimensions": ["country"],
                      "metrics": ["sessions", "engagementRate"]},
        }  # fmt: skip
        pages, left = await drained(document, environ={"SA": json.dumps(key)})
        with pytest.raises(CallFailed, match="service account can't be read") as error:
            await drained(document, environ={"SA": json.dumps({**key, "private_key": "x"})})
        assert "private_key" not in str(error.value)
        return sum(len(page.records) for page in pages), left

    assert served(service, work) == (2, 39_000)


def test_a_channel_by_key_has_a_snapshot_and_no_reports() -> None:
    class Keyed(YouTube):
        def signed_in(self, request: web.Request) -> bool:
            return request.query.get("key") == "yt-key"

    service = Keyed()

    async def work(url: str) -> Any:
        document = {"connector": "youtube", "base_url": url, "credentials": {"key": "K"},
                    "fetch": {"channel": "UC1", "metrics": ["views"]}}  # fmt: skip
        pages, _ = await drained(document, environ={"K": "yt-key"})
        return pages[0].records[0].attributes

    assert served(service, work)["subscriberCount"] == 5
    assert service.requests == 1


def test_an_account_that_is_not_there_is_told() -> None:
    async def work(url: str) -> None:
        document = {"connector": "twitter", "base_url": url, "credentials": {"token": "T"},
                    "fetch": {"username": "@nobody"}}  # fmt: skip
        await drained(document, environ={"T": "tw-token"})

    with pytest.raises(CallFailed, match="account nobody: Could not find user"):
        served(Twitter(), work)


def test_a_file_of_ranks_gives_what_is_new_and_a_changed_one_all() -> None:
    service = Csv()
    service.text += '2026-01-01,"a\nb",1\n'

    async def work(url: str) -> list[int]:
        document = {"connector": "pro_rankings",
                    "fetch": {"csv": f"{url}/r.csv", "ts": "date"}}  # fmt: skip
        cursor, counts = None, []
        for more in ("", "2026-01-02,c,2\n", "again"):
            if more == "again":
                service.text = service.text.replace(",1\n", ",3\n")
            else:
                service.text += more
            pages, _ = await drained(document, cursor)
            counts.append(sum(len(page.records) for page in pages))
            cursor = pages[-1].cursor
        assert (await drained(document, cursor))[0] == []
        return counts

    assert served(service, work) == [1, 1, 2]


def test_requests_to_s3_are_signed_as_in_the_example_of_aws() -> None:
    url, headers = signed(
        "https://examplebucket.s3.amazonaws.com/", {"prefix": "J", "max-keys": "2"},
        "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "us-east-1",
        datetime(2013, 5, 24, tzinfo=UTC),
    )  # fmt: skip
    assert url.endswith("/?max-keys=2&prefix=J")
    assert headers["Authorization"].endswith(
        "Signature=34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"
    )


def test_log_lines_are_read_and_a_broken_one_is_kept() -> None:
    line = (
        "79a5 logs [06/Feb/2019:00:00:38 +0000] 192.0.2.3 79a5 3E57427F3EXAMPLE REST.GET.OBJECT "
        '- "GET /logs?versioning HTTP/1.1" 404 NoSuchKey - - 7 - "-" "S3Console/0.4, \\"x\\"" -'
    )
    record = record_of_line(line, "o line 1", 5)
    wanted = {"request_id": "3E57427F3EXAMPLE", "key": None, "status": 404, "bytes": 0}
    assert {name: record.attributes[name] for name in wanted} == wanted
    assert (record.ts_ms, record.attributes["total_ms"]) == (1_549_411_238_000, 7)
    broken = record_of_line("what is this", "o line 2", 5)
    assert (broken.ts_ms, broken.attributes["request_id"]) == (5, "o line 2")
