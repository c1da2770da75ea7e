"""Sending a flush again in the console: shown first, with a reason, once."""

import re

from tests.app.web.fake import FakeBackend
from tests.app.web.site import PERSON, Client, get, page, token, visit

FLUSH = "0000000100000001c0ffee"
FIELDS = {"aggregator": "data-per-account", "id": FLUSH}
ADDRESS = f"/sessions/resend?aggregator=data-per-account&id={FLUSH}"


def sent(fields: dict[str, str], backend: FakeBackend) -> tuple[int, str, str]:
    """(status, Location, text) of the form."""

    async def steps(client: Client) -> tuple[int, str, str]:
        csrf = await token(client)
        response = await client.post(
            "/sessions/resend", data={"csrf": csrf, **fields}, headers=PERSON, allow_redirects=False
        )
        return response.status, response.headers.get("Location", ""), await response.text()

    return visit(steps, backend)


def test_the_page_says_what_will_be_sent_before_it_is() -> None:
    backend = FakeBackend()
    text = page(ADDRESS, backend)
    assert "1 flush of 9 records will be sent again, byte for byte." in text
    assert "Send 1 flush again" in text
    assert backend.resent == []


def test_it_is_sent_with_a_reason_only_and_once() -> None:
    backend = FakeBackend()
    status, _, text = sent({**FIELDS, "reason": " ", "once": "k1"}, backend)
    assert (status, backend.resent) == (422, [])
    assert "Say why" in text and 'value="k1"' in text
    status, where, _ = sent({**FIELDS, "reason": "billing lost it", "once": "k1"}, backend)
    assert status == 303
    ((flush_id, change),) = backend.resent
    assert (flush_id, change.reason, change.idempotency_key) == (FLUSH, "billing lost it", "k1")
    assert "Sent again; its newest copy is aggregates 1/7." in page(where, backend)
    assert len(backend.resent) == 1


def test_what_is_not_there_is_told() -> None:
    backend = FakeBackend()
    unknown = "/sessions/resend?aggregator=data-per-account&id=nothing"
    assert get(unknown, backend, Accept="text/html")[0] == 404
    assert sent({**FIELDS, "id": "nothing", "reason": "r"}, backend)[0] == 404
    assert get(f"/sessions/resend?aggregator=x&id={FLUSH}", Accept="text/html")[0] == 404
    assert backend.resent == []


def test_a_flush_leads_there() -> None:
    text = page(f"/sessions/explain?aggregator=data-per-account&id={FLUSH}")
    assert re.search(rf'href="/sessions/resend\?aggregator=data-per-account&amp;.*id={FLUSH}', text)
