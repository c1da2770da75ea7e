"""Replaying dead letters over HTTP and from the console."""

import json
from html import unescape
from typing import Any

import pytest

from tests.app.web.fake import FakeBackend
from tests.app.web.site import PERSON, Client, get, page, problem, token, visit

REPLAY = "/api/dead-letters/replay"


def post(body: Any, backend: FakeBackend, path: str = REPLAY, **headers: str) -> tuple[int, Any]:
    async def steps(client: Client) -> tuple[int, Any]:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        response = await client.post(path, data=data, headers=named)
        return response.status, await response.json(content_type=None)

    return visit(steps, backend)


@pytest.mark.parametrize(
    ("body", "path", "where"),
    [
        (b"", REPLAY, {}),
        ({}, REPLAY, {}),
        ({"filter": {"reason": "not_a_number"}}, REPLAY, {"reason": "not_a_number"}),
        ({"reason": "not_a_number"}, REPLAY, {"reason": "not_a_number"}),
        ({"reason": "mended"}, REPLAY, {}),
        ({"id": "dl-000001"}, REPLAY, {"id": "dl-000001"}),
        ({"aggregator": "data-per-account"}, REPLAY, {"aggregator": "data-per-account"}),
        ({}, REPLAY + "?reason=not_a_number&topic=usage",
         {"reason": "not_a_number", "topic": "usage"}),
    ],
)  # fmt: skip
def test_filters_stand_in_the_body_or_in_the_address(body: Any, path: str, where: Any) -> None:
    backend = FakeBackend()
    status, done = post(body, backend, path, Idempotency_Key="k")
    assert status == 200
    assert done["letters"] == done["replayed"] + done["refused"]
    ((asked, change),) = backend.replays
    assert asked == where
    assert change.idempotency_key == "k"


def test_a_dry_run_changes_nothing() -> None:
    backend = FakeBackend()
    status, done = post({"dry_run": True}, backend)
    assert status == 200
    assert (done["dry_run"], done["letters"], done["refused"]) == (True, 5, 1)
    assert backend.replays == []


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (b"[]", "body"),
        (b"{", "body"),
        ({"filter": []}, "filter"),
        ({"filter": {"reason": "because"}}, "filter.reason"),
        ({"filter": {"who": "me"}}, "filter.who"),
        ({"filter": {"id": 1}}, "filter.id"),
        ({"dry_run": "yes"}, "dry_run"),
        ({"reason": 1}, "reason"),
        ({"dryrun": True}, "dryrun"),
    ],
)
def test_a_body_that_is_none_replays_nothing(body: Any, path: str) -> None:
    backend = FakeBackend()
    status, told = post(body, backend)
    assert status == 422
    assert told["errors"][0]["path"] == path
    assert backend.replays == []


def test_a_letter_that_is_not_there_is_not_found() -> None:
    async def steps(client: Client) -> None:
        await problem(await client.post(REPLAY, json={"id": "nobody"}), 404, "not-found")

    visit(steps)


def form(backend: FakeBackend, **fields: str) -> tuple[int, str]:
    async def steps(client: Client) -> tuple[int, str]:
        sent = {"csrf": await token(client), **fields}
        response = await client.post(
            "/dead-letters/replay", data=sent, headers=PERSON, allow_redirects=False
        )
        return response.status, response.headers.get("Location") or unescape(await response.text())

    return visit(steps, backend)


def test_the_page_says_what_would_happen_and_asks_why() -> None:
    backend = FakeBackend()
    html = page("/dead-letters/replay", backend)
    assert "4 letters will be applied, 1 is refused again and stays." in html
    status, html = form(backend, once="x")
    assert status == 422
    assert "Say why" in html
    assert backend.replays == []


def test_the_form_replays_and_tells_the_outcome() -> None:
    backend = FakeBackend()
    status, where = form(backend, once="x", why="mended", reason="not_a_number")
    assert (status, where) == (303, "/dead-letters?done=1.0.0.command1")
    assert "1 letter replayed." in page(where, backend)
    ((asked, change),) = backend.replays
    assert (asked, change.idempotency_key) == ({"reason": "not_a_number"}, "form-x")


@pytest.mark.parametrize("text", ["", "x", "1.2.3", "1.-2.3.x", "1.2.3.<b>"])
def test_an_outcome_in_the_address_is_shown_as_figures_only(text: str) -> None:
    status, html = get(f"/dead-letters?done={text}", Accept="text/html")
    assert status == 200
    assert "<b>" not in html
