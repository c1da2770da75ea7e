"""What-ifs and explanations: their HTTP interface and their pages, on made-up data."""

import json
from html import unescape

from app.web.pages.apply_document import EXAMPLE
from tests.app.web import made
from tests.app.web.fake import FakeBackend
from tests.app.web.site import PERSON, Client, get, page, problem, token, visit
from tests.app.web.test_apply_page import post

PREVIEW = "/api/documents/preview"
ID = "0000000100000001c0ffee"
EXPLAIN = f"/api/aggregators/data-per-account/flushes/{ID}/explain"


def test_a_preview_begins_goes_on_and_ends() -> None:
    async def steps(client: Client) -> None:
        began = await client.post(f"{PREVIEW}?since=24h", json=made.DATA)
        assert began.status == 202
        body = await began.json()
        assert (body["state"], body["read"], body["result"]) == ("running", 602_275, None)
        ended = await (await client.get(f"{PREVIEW}/{body['id']}?wait=1")).text()
        result = json.loads(ended)["result"]
        assert result["groups"]["differs"] == 1
        assert '"difference":9999999999998795448.75' in ended
        (differs,) = [item for item in result["items"] if item["status"] == "differs"]
        assert differs["now"][0]["values"] == differs["what_if"][0]["values"]

    visit(steps)


def test_with_a_wait_the_end_is_the_answer() -> None:
    async def steps(client: Client) -> None:
        ended = await client.post(f"{PREVIEW}?since=beginning&wait=1", json=made.DATA)
        assert ended.status == 200
        assert (await ended.json())["state"] == "done"

    visit(steps)


def test_a_preview_can_be_stopped_and_others_are_not_known() -> None:
    async def steps(client: Client) -> None:
        began = await (await client.post(f"{PREVIEW}?since=7d", json=made.DATA)).json()
        stopped = await client.delete(f"{PREVIEW}/{began['id']}")
        assert (await stopped.json())["state"] == "stopped"
        for response in (await client.get(f"{PREVIEW}/x"), await client.delete(f"{PREVIEW}/x")):
            await problem(response, 404, "not-found")

    visit(steps)


def test_what_is_no_since_or_no_document_is_refused() -> None:
    async def steps(client: Client) -> None:
        for since in ("", "?since=yesterday", "?since=24hours", "?since=2025-11-03"):
            wrong = await problem(
                await client.post(PREVIEW + since, json=made.DATA), 400, "bad-parameter"
            )
            assert "7d" in str(wrong["detail"])
        bad = await client.post(f"{PREVIEW}?since=1", json={**made.DATA, "ttl_days": 0})
        await problem(bad, 422, "refused-document")

    visit(steps)


def test_a_flush_is_explained() -> None:
    status, text = get(f"{EXPLAIN}?group.account=acc-0000001&limit=50")
    body = json.loads(text)
    assert status == 200
    assert body["rule"] == "duration 1h"
    assert body["document"]["document"]["name"] == "data-per-account"
    assert body["sources"][0]["gone"] == 2
    assert [each["duplicate"] for each in body["records"]].count(True) == 1
    assert body["records"][0]["record"]["value"]["bytes"] == 0


def test_what_is_known_of_a_flush_reaches_who_looks_for_it() -> None:
    backend = FakeBackend()
    get(f"{EXPLAIN}?key=%5B%22X%22%5D&at=2025-11-03T04:30:00Z&group.account=X", backend)
    (call,) = [call for call in backend.calls if call.startswith("explain")]
    assert """key='["X"]'""" in call
    assert "'account': 'X'" in call and "at_ms=1762144200000" in call
    assert get(f"{EXPLAIN}?at=noon")[0] == 400


def test_a_flush_that_is_not_found_says_what_helps() -> None:
    status, text = get("/api/aggregators/data-per-account/flushes/x/explain")
    assert status == 404
    assert "give all group values" in text
    assert get("/api/aggregators/nobody/flushes/x/explain")[0] == 404


def test_the_apply_page_leads_to_a_preview() -> None:
    status, where = post(document=EXAMPLE, do="history", since="7d")
    assert (status, where) == (303, "/configuration/preview/p-1")
    status, html = post(document=EXAMPLE, do="history", since="soon")
    assert status == 422
    assert "since" in html and "7d" in html


def test_the_preview_page_shows_progress_then_what_differs() -> None:
    async def steps(client: Client) -> tuple[str, str, str]:
        form = {"csrf": await token(client), "document": EXAMPLE, "do": "history", "since": "7d"}
        begun = await client.post("/configuration/apply", data=form, headers=PERSON)
        during = await begun.text()
        backend.finish_preview()
        after = await (await client.get("/configuration/preview/p-1", headers=PERSON)).text()
        stop = await client.post(
            "/configuration/preview/p-1/stop", data={"csrf": form["csrf"]}, headers=PERSON
        )
        return unescape(during), unescape(after), await stop.text()

    backend = FakeBackend()
    during, after, _ = visit(steps, backend)
    assert "602,275 of 1,204,551" in during
    assert "3 groups of 123 would have been flushed differently." in after
    assert "9,999,999,999,998,795,448.75" in after
    assert "progress" not in after


def test_a_preview_that_failed_says_why() -> None:
    from dataclasses import replace

    backend = FakeBackend()
    backend.previews["p-0"] = replace(
        backend.previews["p-0"], state="failed", result=None, detail="usage has too many records"
    )
    assert "usage has too many records" in page("/configuration/preview/p-0", backend)


def test_the_session_page_leads_to_the_records() -> None:
    html = unescape(page("/sessions/one?aggregator=data-per-account&key=%5B%22acc-0000001%22%5D"))
    assert "/sessions/explain?aggregator=data-per-account" in html
    html = unescape(page(f"/sessions/explain?aggregator=data-per-account&id={ID}"))
    assert "of which 2 are no longer retained" in html
    assert html.count("duplicate, not counted") == 1
    assert '{"account": "acc-0000001", "bytes": 7' in html
    assert "cursor=more" in html
