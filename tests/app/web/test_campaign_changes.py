"""Changes of campaigns over HTTP."""

from collections.abc import Mapping
from typing import Any

import pytest

from app.backend import IdempotencyConflict
from app.campaign_shapes import Difference, RefusedAction
from app.shapes import DeadLetter, Page
from tests.app.web import campaign_made as made
from tests.app.web.fake import FakeBackend
from tests.app.web.site import Client, problem, visit

ONE, CANCELLED = made.request_id(0), made.request_id(3)


def send(
    path: str, backend: FakeBackend, *, method: str = "POST", **how: Any
) -> tuple[int, Any, Mapping[str, str]]:
    async def steps(client: Client) -> tuple[int, Any, Mapping[str, str]]:
        response = await client.request(method, path, **how)
        return response.status, await response.json(content_type=None), response.headers

    return visit(steps, backend)


@pytest.mark.parametrize(
    ("action", "body"),
    [
        ("retrigger", {"day": "2025-11-03", "statuses": [], "failed": ["OUT_OF_SLOT", "BUSY"],
                       "slot": None}),
        ("retrigger", {"slot": "18:00-24:00"}),
        ("reschedule", {"slots": ["10:00-11:00"], "days": 3}),
        ("reschedule", {"days": 3}),
        ("revoke", {}),
        ("pause", {}),
        ("resume", {}),
    ],
)  # fmt: skip
def test_a_change_goes_on_with_its_reason(action: str, body: dict[str, Any]) -> None:
    backend = FakeBackend()
    status, done, _ = send(
        f"/api/campaigns/{ONE}/{action}", backend, json={**body, "reason": "asked"},
        headers={"Idempotency-Key": "k"},
    )  # fmt: skip
    assert status == 200
    assert done == {
        "command_id": "c1", "dry_run": False, "touched": 7, "by": {"CREATED": 5, "QUEUED": 2}
    }  # fmt: skip
    ((asked, (request_id, taken, change, dry_run)),) = backend.asked
    assert (asked, request_id, taken, dry_run) == (action, ONE, body, False)
    assert (change.reason, change.idempotency_key) == ("asked", "k")


@pytest.mark.parametrize("where", ["body", "address"])
def test_a_dry_run_is_asked_for_in_the_body_or_the_address(where: str) -> None:
    backend = FakeBackend()
    path = f"/api/campaigns/{ONE}/revoke"
    if where == "body":
        _, done, _ = send(path, backend, json={"dry_run": True})
    else:
        _, done, _ = send(path + "?dry_run=true&reason=r", backend)
    assert done["dry_run"] is True
    assert backend.asked[0][1][3] is True


def test_what_takes_long_says_where_its_outcome_will_be() -> None:
    backend = FakeBackend()
    path = f"/api/campaigns/{ONE}/revoke?wait=0"
    status, running, headers = send(path, backend)
    assert (status, running["state"]) == (202, "running")
    assert headers["Location"] == f"/api/campaigns/commands/{running['command_id']}?at=1-7"
    status, done, _ = send(headers["Location"], backend, method="GET")
    assert (status, done["state"], done["result"]["touched"]) == (200, "done", 7)


def test_a_command_that_became_a_dead_letter_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    backend = FakeBackend()
    asked: list[Any] = []

    async def letters(where: Mapping[str, str], *_: Any) -> Page[DeadLetter]:
        asked.append(where)
        why = ("bad_event", "rows: no list", b"{}", None, 0)
        return Page([DeadLetter("d", "campaign-events", 1, 7, None, *why)])

    monkeypatch.setattr(backend, "dead_letters", letters)
    path = "/api/campaigns/commands/gone"
    status, told, _ = send(f"{path}?at=1-7", backend, method="GET")
    assert (status, told["state"], told["result"]["because"]) == (200, "refused", "rows: no list")
    assert asked == [{"topic": "campaign-events"}]
    for query, expected in (("?at=1-8", 404), ("", 404), ("?at=x", 400)):
        assert send(f"{path}{query}", backend, method="GET")[0] == expected


@pytest.mark.parametrize(
    ("action", "body", "path"),
    [
        ("retrigger", {"day": "today"}, "day"),
        ("retrigger", {"statuses": ["COMPLETED"]}, "statuses[0]"),
        ("retrigger", {"failed": "BUSY"}, "failed"),
        ("retrigger", {"slot": "12:00-10:00"}, "slot"),
        ("retrigger", {"slots": []}, "slots"),
        ("reschedule", {}, "slots"),
        ("reschedule", {"slots": ["10:00-12:00", "9-10"]}, "slots[1]"),
        ("reschedule", {"slots": ["10:00-25:00"]}, "slots[0]"),
        ("reschedule", {"days": 0}, "days"),
        ("reschedule", {"days": True}, "days"),
        ("pause", {"for": "ever"}, "for"),
        ("revoke", {"dry_run": "yes"}, "dry_run"),
        ("revoke", {"reason": 1}, "reason"),
        ("revoke", [], "body"),
    ],
)
def test_a_body_that_can_not_be_changes_nothing(action: str, body: Any, path: str) -> None:
    backend = FakeBackend()
    status, told, _ = send(f"/api/campaigns/{ONE}/{action}", backend, json=body)
    assert (status, told["errors"][0]["path"]) == (422, path)
    assert backend.asked == []


def test_what_the_state_does_not_allow_is_a_conflict() -> None:
    backend = FakeBackend("big")

    async def steps(client: Client) -> None:
        told = await problem(
            await client.post(f"/api/campaigns/{CANCELLED}/pause"), 409, "refused-action"
        )
        assert told["because"] == "the campaign is Cancelled"
        backend.refusing = RefusedAction("retrigger", open_at="2025-11-03T12:30:00.000Z")
        told = await problem(
            await client.post(f"/api/campaigns/{ONE}/retrigger"), 409, "refused-action"
        )
        assert told["open_at"] == "2025-11-03T12:30:00.000Z"
        assert "because" not in told
        backend.refusing = IdempotencyConflict("k")
        await problem(
            await client.post(f"/api/campaigns/{ONE}/revoke"), 422, "idempotency-conflict"
        )
        await problem(await client.post("/api/campaigns/nobody/revoke"), 404, "not-found")

    visit(steps, backend)


# Numbers


def test_negatives_are_taken_listed_and_withdrawn() -> None:
    backend = FakeBackend()
    path = f"/api/campaigns/{ONE}/negatives"
    status, done, _ = send(
        path + "?reason=asked&filename=n.csv", backend, data=b"number\n+919876500000\n+1\n",
        headers={"Content-Type": "text/csv"},
    )  # fmt: skip
    assert (status, done["rows"], done["fdds"]["negative"]) == (200, 2, 2)
    ((_, (filename, rows, change, dry_run)),) = backend.asked
    assert (filename, rows, dry_run) == ("n.csv", ["+919876500000", "+1"], False)
    assert change.reason == "asked"
    _, listed, _ = send(path, backend, method="GET")
    assert [one["filename"] for one in listed["items"]] == [
        "n.csv", "negatives-0.csv", "negatives-1.csv"
    ]  # fmt: skip
    for trial in ("true", "false"):
        where = f"{path}/+919876500000?reason=wrong&dry_run={trial}"
        status, done, _ = send(where, backend, method="DELETE")
        assert (status, done["dry_run"]) == (200, trial == "true")
        assert backend.asked[-1][1][3] is (trial == "true")
    for gone in (path + "/+1", "/api/campaigns/nobody/negatives/+1"):
        assert send(gone, backend, method="DELETE")[0] == 404


def test_numbers_not_to_be_called_are_taken_listed_and_withdrawn() -> None:
    backend = FakeBackend()
    path = "/api/do-not-call?reason=asked&filename=d.csv&expires=2026-01-01T00:00:00Z"
    status, done, _ = send(path, backend, data=b"number\n+919876500000\n")
    assert (status, done["rows"]) == (200, 1)
    _, listed, _ = send("/api/do-not-call", backend, method="GET")
    assert [one["number"] for one in listed["items"]] == ["+919876500000"]
    for trial in ("?dry_run=true", ""):
        status, done, _ = send(f"/api/do-not-call/%2B919876500000{trial}", backend, method="DELETE")
        assert (status, done["dry_run"]) == (200, bool(trial))
    assert send("/api/do-not-call/%2B919876500000", backend, method="DELETE")[0] == 404


@pytest.mark.parametrize(
    ("path", "how", "status"),
    [
        ("/api/do-not-call?expires=soon", {"data": b"number\n"}, 400),
        ("/api/do-not-call?dry_run=maybe", {"data": b"number\n"}, 400),
        ("/api/do-not-call", {"json": {}}, 415),
        (f"/api/campaigns/{ONE}/negatives?filename={'x' * 256}", {"data": b"number\n"}, 400),
        (f"/api/campaigns/{ONE}/negatives?reason={'x' * 501}", {"data": b"number\n"}, 422),
    ],
)
def test_a_list_of_numbers_that_can_not_be_is_refused(path: str, how: Any, status: int) -> None:
    backend = FakeBackend()
    assert send(path, backend, **how)[0] == status
    assert backend.asked == []


# Counts and erasure


def test_a_recount_tells_what_differs() -> None:
    backend = FakeBackend()
    backend.differing = [Difference(ONE, "2025-11-03", "10:00-12:00", "outcome.completed", 7, 6)]
    status, told, _ = send("/api/campaigns/recount", backend, json={"repair": True})
    assert (status, told["campaigns"], told["repaired"]) == (200, 3, 1)
    assert told["differences"][0]["counted"] == 7
    assert send("/api/campaigns/recount", backend, json={"request_id": "nobody"})[0] == 404
    assert send("/api/campaigns/recount", backend, json={"all": True})[0] == 422


def test_numbers_are_erased_with_a_reason_only() -> None:
    backend = FakeBackend()
    path = "/api/campaigns/erase"
    why = {"reason": "r"}
    for body in ({"number": "+1"}, why, {"older_than": "soon", **why},
                 {"older_than": "1d"}, {"older_than": "1d", "number": "+1", **why},
                 {"number": 1, **why}, {"number": "+1", "all": True, **why}):  # fmt: skip
        assert send(path, backend, json=body)[0] == 422
    assert backend.asked == []
    status, done, _ = send(path, backend, json={"number": "+1", "reason": "r"})
    assert (status, done["touched"]) == (200, 4)
    assert backend.asked[0][1][0] == "+1"
    status, _, _ = send(path, backend, json={"older_than": "90d", "reason": "r"})
    assert (status, backend.asked[1][1][0]) == (200, 90)
