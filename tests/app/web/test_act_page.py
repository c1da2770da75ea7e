"""Acting on sessions in the console: counted first, with a reason, once."""

import re
from typing import Any

import pytest

from tests.app.web import made
from tests.app.web.fake import FakeBackend
from tests.app.web.site import PERSON, Client, page, token, visit

ONE = {"aggregator": "data-per-account", "key": made.key_of(1)}


def sent(fields: dict[str, str], backend: FakeBackend) -> tuple[int, str, str]:
    """(status, Location, text) of the form."""

    async def steps(client: Client) -> tuple[int, str, str]:
        csrf = await token(client)
        response = await client.post(
            "/sessions/act", data={"csrf": csrf, **fields}, headers=PERSON, allow_redirects=False
        )
        return response.status, response.headers.get("Location", ""), await response.text()

    return visit(steps, backend)


def test_the_page_says_how_many_are_meant_before_anything_is_done() -> None:
    backend = FakeBackend()
    text = page("/sessions/act?aggregator=data-per-account&group.account=acc-0000001", backend)
    assert "3 sessions with 120 records are meant." in text
    for verb in ("Flush 3 sessions", "Delete 3 sessions", "Set the timeout of 3 sessions"):
        assert verb in text
    assert backend.commands == []


@pytest.mark.parametrize("action", ["flush", "delete", "set-timeout"])
def test_a_session_is_acted_on_by_its_typed_values_and_once(action: str) -> None:
    backend = FakeBackend()
    due = {"due": "2030-01-01T00:00:00Z"} if action == "set-timeout" else {}
    fields = {**ONE, "do": action, "reason": "asked for", "once": "k1", **due}
    status, where, _ = sent(fields, backend)
    assert status == 303
    assert f"done={action}" in where
    ((name, given, asked, change),) = backend.commands
    assert (name, given, change.reason) == ("data-per-account", action, "asked for")
    assert change.idempotency_key == "k1"
    group = {"account": "acc-0000001", "product.code": made.PRODUCTS[1], "timestamp": "2025-11"}
    assert asked == {"group": group, **due}
    told = {"flush": "Flushed 1 session", "delete": "Deleted 1 session"}
    assert told.get(action, "The timeout of 1 session is set") in page(where, backend)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"do": "flush", "reason": " "}, "Say why"),
        ({"do": "burn", "reason": "x"}, "flush, delete, set-timeout"),
        ({"do": "set-timeout", "reason": "x", "due": "soon"}, "an instant like"),
    ],
)
def test_what_is_missing_is_told_and_nothing_done(fields: dict[str, Any], said: str) -> None:
    backend = FakeBackend()
    status, _, text = sent({**ONE, **fields}, backend)
    assert (status, backend.commands) == (422, [])
    assert said in text


def test_a_search_acts_on_what_it_finds_text_or_number() -> None:
    backend = FakeBackend()
    fields = {"aggregator": "data-per-account", "group.account": "5", "do": "flush"}
    sent({**fields, "reason": "x"}, backend)
    tests = [{"field": "account", "op": "in", "value": ["5", 5]}]
    assert backend.commands[0][2] == {"filter": {"all": tests}}


def test_the_sessions_pages_lead_there() -> None:
    listed = page("/sessions?aggregator=data-per-account&group.account=acc-0000001")
    assert re.search(r'href="/sessions/act\?aggregator=data-per-account&amp;group', listed)
    one = page("/sessions/one?aggregator=data-per-account&key=" + made.key_of(1))
    assert "Flush, delete or set the timeout" in one
