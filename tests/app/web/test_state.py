"""Sessions, totals, dead letters, tables and the Overview over HTTP."""

import json
from base64 import b64decode
from decimal import Decimal
from typing import Any

import pytest

from app import shapes
from app.backend import Unavailable
from tests.app.web.fake import FakeBackend
from tests.app.web.site import get

SESSIONS = "/api/aggregators/data-per-account/sessions"


def found(path: str, backend: FakeBackend | None = None) -> Any:
    status, text = get(path, backend)
    assert status == 200, text
    return json.loads(text)


def test_open_sessions_have_the_shape_of_what_they_flush() -> None:
    items = found(SESSIONS)["items"]
    assert len(items) == 3
    assert items[1]["group"] == {"account": "acc-0000001", "product.code": "voice"}
    assert items[1]["meta"]["flushType"] == ""


def test_sessions_are_found_by_group_value() -> None:
    items = found(SESSIONS + "?group.account=acc-0000002")["items"]
    assert [item["group"]["account"] for item in items] == ["acc-0000002"]


def test_sessions_are_paged_by_cursor() -> None:
    backend = FakeBackend("big")
    first = found(SESSIONS + "?limit=2", backend)
    second = found(SESSIONS + f"?limit=2&cursor={first['next']}", backend)
    assert [item["group"]["account"] for item in second["items"]] == ["acc-0000002", "acc-0000003"]


@pytest.mark.parametrize("what", ["sessions", "totals"])
def test_an_aggregator_nobody_heard_of_is_404(what: str) -> None:
    assert get(f"/api/aggregators/none/{what}")[0] == 404


def test_totals_keep_every_digit() -> None:
    backend = FakeBackend()

    async def totals(aggregator: str | None) -> list[shapes.Totals]:
        parts: dict[str, shapes.Number] = {"in": Decimal("12345678901234567890.10"), "open": 10**30}
        return [shapes.Totals("data-per-account", {"in": 2}, {"sum_price": parts}, True)]

    backend.totals = totals  # type: ignore[method-assign]  # one answer for one test
    _, text = get("/api/aggregators/data-per-account/totals", backend)
    assert '"in":12345678901234567890.1,' in text
    assert f'"open":{10**30}' in text


def test_all_totals_are_listed() -> None:
    names = [item["aggregator"] for item in found("/api/totals")["items"]]
    assert names == ["data-per-account", "example-nightly"]


def test_letters_carry_their_bytes_and_position() -> None:
    letter = found("/api/dead-letters?reason=undecodable")["items"][0]
    assert b64decode(letter["original"]).startswith(b"\x80\x81PK")
    assert (letter["topic"], letter["partition"], letter["aggregator"]) == ("usage", 2, None)
    assert letter["at"].endswith("Z")
    assert "replayed_at" not in letter


def test_letters_are_filtered_by_whether_they_were_replayed() -> None:
    items = found("/api/dead-letters?replayed=yes")["items"]
    assert [item["id"] for item in items] == ["dl-000005"]
    assert "replayed_at" in items[0]
    assert get("/api/dead-letters?replayed=perhaps")[0] == 400


def test_a_letter_is_found_by_its_id() -> None:
    assert found("/api/dead-letters/dl-000001")["reason"] == "not_a_number"
    assert get("/api/dead-letters/none")[0] == 404


def test_tables_are_listed_and_looked_into() -> None:
    assert [table["name"] for table in found("/api/tables")["items"]] == ["sessions"]
    rows = found("/api/tables/sessions?prefix=%5B%22acc-0000001")["items"]
    assert [row["value"] for row in rows] == [{"n": 1}]
    key = "%5B%22acc-0000001%22,%22voice%22,%222025-11%22%5D"
    assert found(f"/api/tables/sessions/{key}")["partition"] == 1


@pytest.mark.parametrize("path", ["none", "none/key", "sessions/none"])
def test_a_table_or_row_that_is_none_is_404(path: str) -> None:
    assert get(f"/api/tables/{path}")[0] == 404


def test_topics_are_listed() -> None:
    assert [topic["name"] for topic in found("/api/topics")["items"]] == ["usage", "config"]


def test_the_overview_answers_in_a_sentence_and_in_figures() -> None:
    overview = found("/api/overview", FakeBackend("big"))
    assert overview["answer"].startswith("One thing needs you. 2 of 4 partitions behind")
    assert overview["open_sessions"] == 10_204_551
    assert overview["troubles"][0]["todo"].startswith("Start w-2 again")
    assert overview["workers"][1]["state"] == "gone"


def test_what_can_not_be_asked_now_says_when_to_ask_again() -> None:
    backend = FakeBackend()
    backend.failing = Unavailable("partition 3", "its owner starts", retry_after_s=7)
    status, text = get(SESSIONS, backend)
    assert (status, json.loads(text)["type"]) == (503, "urn:sluice:problem:unavailable")
