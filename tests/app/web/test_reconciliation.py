"""The daily reconciliation and the resending of flushes over HTTP."""

import json

from tests.app.web.fake import FakeBackend
from tests.app.web.site import Client, get, visit


def test_a_day_is_shown_by_aggregator() -> None:
    status, text = get("/api/totals/2024-09-03?aggregator=data-per-account")
    assert status == 200
    found = json.loads(text)
    assert found["day"] == "2024-09-03"
    assert found["from"].endswith("Z")
    (item,) = found["items"]
    assert item["aggregator"] == "data-per-account"
    assert item["count"]["opening"] == 0
    (flushes,) = item["flushes"]
    assert flushes == {
        "flushType": "TIMEOUT", "flushes": 2, "records": 5, "sums": {"sum_bytes": 2.5},
    }  # fmt: skip
    assert found["balanced"] is True


def test_what_is_no_day_or_not_yet_one_is_refused() -> None:
    for day in ("yesterday", "2024-13-01", "9999-01-01"):
        status, text = get(f"/api/totals/{day}")
        assert status == 400
        assert "day" in json.loads(text)["detail"]
    assert get("/api/totals/2024-09-03?aggregator=nobody")[0] == 404


def test_a_flush_is_sent_again_with_a_reason_only() -> None:
    backend = FakeBackend()

    async def steps(client: Client) -> None:
        for body in (b"", b"{}", b'{"reason": " "}', b'{"reason": 5}', b"[", b"[]"):
            response = await client.post("/api/flushes/5c0c/resend", data=body)
            assert response.status == 422, body
            assert (await response.json())["errors"][0]["path"] == "reason"
        assert backend.resent == []
        response = await client.post(
            "/api/flushes/5c0c/resend",
            json={"reason": "billing lost it"},
            headers={"Idempotency-Key": "k-1"},
        )
        assert response.status == 200
        assert await response.json() == {
            "id": "5c0c", "topic": "aggregates", "partition": 1, "offset": 7, "repeated": False,
        }  # fmt: skip
        response = await client.post("/api/flushes/gone/resend", json={"reason": "r"})
        assert response.status == 404

    visit(steps, backend)
    flush_id, change = backend.resent[0]
    assert (flush_id, change.reason, change.idempotency_key) == ("5c0c", "billing lost it", "k-1")


def test_an_event_is_taken_back_by_id_with_a_reason() -> None:
    backend = FakeBackend()
    path = "/api/aggregators/acc/events/retract"

    async def steps(client: Client) -> None:
        for body, wrong in (
            ({"reason": "r"}, "event_id"),
            ({"event_id": [1], "reason": "r"}, "event_id"),
            ({"event_id": 1, "group": 5, "reason": "r"}, "group"),
            ({"event_id": 1}, "reason"),
        ):
            response = await client.post(path, json=body)
            assert response.status == 422
            assert (await response.json())["errors"][0]["path"] == wrong
        assert backend.retracted == []
        body = {"event_id": 1, "group": {"account": "a"}, "reason": "charged twice"}
        response = await client.post(path, json=body)
        assert response.status == 200
        assert await response.json() == {
            "id": "f1", "aggregator": "acc", "key": ["a", 1.5], "state": "done", "repeated": False,
        }  # fmt: skip
        response = await client.post(path, json={"event_id": "max", "reason": "r"})
        assert response.status == 422
        assert "max_bytes" in (await response.json())["detail"]
        gone = "/api/aggregators/gone/events/retract"
        assert (await client.post(gone, json={"event_id": "1", "reason": "r"})).status == 404
        await client.post(path, json={"event_id": "1", "event_source": "/s", "reason": "r"})

    visit(steps, backend)
    assert backend.retracted[0] == ("acc", 1, {"account": "a"}, "charged twice")
    assert backend.retracted[-1][1] == "/s\x001"


def test_a_dry_run_of_a_retraction_tells_what_it_touches_and_needs_no_reason() -> None:
    backend = FakeBackend()
    path = "/api/aggregators/acc/events/retract"

    async def steps(client: Client) -> None:
        told = await client.post(path, json={"event_id": 1, "dry_run": True})
        assert told.status == 200
        found = await told.json()
        assert (found["dry_run"], found["repeated"], found["touched"]) == (True, False, 1)
        assert found["counts"] == {"sessions": 1, "flushes": 2, "records": 1}
        assert [(each["id"], each["what"]) for each in found["flushes"]] == [
            ("s1", "flush"), ("f1", "correction"),
        ]  # fmt: skip
        assert found["source"] == {"topic": "usage", "partition": 1, "offset": 4711}
        wrong = await client.post(path, json={"event_id": 1, "dry_run": "yes"})
        assert wrong.status == 422
        for slip in ({"dryrun": True}, {"dry-run": True}):
            answered = await client.post(path, json={"event_id": 1, "reason": "r", **slip})
            assert answered.status == 422
            (problem,) = (await answered.json())["errors"]
            assert problem["path"] in slip and "`dry_run`" in problem["expected"]
        answered = await client.post(
            "/api/flushes/f1/resend", json={"reason": "r", "dry_run": True}
        )
        assert answered.status == 422

    visit(steps, backend)
    assert backend.retracted == [] == backend.resent
