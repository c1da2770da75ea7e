"""Operators' commands over HTTP."""

from typing import Any

import pytest

from tests.app.web.fake import FakeBackend
from tests.app.web.site import Client, problem, visit

AT = "/api/aggregators/data-per-account"
GROUP = {"account": "acc-0000001"}
WHY = "asked for by billing"


def posted(
    body: Any, action: str = "flush", backend: FakeBackend | None = None, **headers: str
) -> tuple[int, Any, dict[str, str]]:
    async def steps(client: Client) -> tuple[int, Any, dict[str, str]]:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        response = await client.post(f"{AT}/sessions/{action}", json=body, headers=named)
        found = await response.json(content_type=None)
        return response.status, found, dict(response.headers)

    return visit(steps, backend)


@pytest.mark.parametrize("action", ["flush", "delete", "set-timeout"])
def test_a_command_is_answered_with_what_it_touched(action: str) -> None:
    backend = FakeBackend()
    due = {"due": "2025-11-04T00:00:00Z"} if action == "set-timeout" else {}
    body = {"group": GROUP, "reason": WHY, **due}
    status, found, _ = posted(body, action, backend, Idempotency_Key="k1")
    assert status == 200
    assert found == {
        "command_id": "command-0",
        "action": action,
        "aggregator": "data-per-account",
        "dry_run": False,
        "state": "done",
        "touched": 1,
        "counts": {"sessions": 1, "records": 40},
        "complete": True,
    }
    ((_, given, asked, change),) = backend.commands
    assert (given, asked) == (action, {"group": GROUP, **due})
    assert (change.reason, change.idempotency_key) == (WHY, "k1")


def test_a_dry_run_counts_and_gives_nothing() -> None:
    backend = FakeBackend()
    where = {"field": "count", "op": ">", "value": 1}
    status, found, _ = posted({"filter": where, "dry_run": True}, backend=backend)
    assert (status, found["dry_run"], found["touched"]) == (200, True, 3)
    assert found["command_id"] is None
    assert backend.commands == []


def test_a_command_at_work_says_where_to_ask() -> None:
    async def steps(client: Client) -> list[Any]:
        body = {"group": GROUP, "reason": WHY}
        response = await client.post(f"{AT}/sessions/flush", json=body)
        assert response.status == 202
        assert (await response.json())["state"] == "running"
        where = response.headers["Location"]
        running = await (await client.get(where)).json()
        backend.prompt = True
        done = await (await client.get(where)).json()
        unknown = await client.get(f"{AT}/commands/nobody")
        await problem(unknown, 404, "not-found")
        return [running, done]

    backend = FakeBackend()
    backend.prompt = False
    running, done = visit(steps, backend)
    assert (running["state"], running["result"]) == ("running", None)
    assert (done["state"], done["result"]["touched"]) == ("done", 1)


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"group": GROUP}, "reason"),
        ({"group": GROUP, "reason": ""}, "reason"),
        ({"group": GROUP, "reason": 5}, "reason"),
        ({"group": GROUP, "reason": WHY, "dry_run": "yes"}, "dry_run"),
        ({"group": GROUP, "reason": WHY, "actor": "me"}, "actor"),
        ({"group": {"bill": 1}, "reason": WHY}, "group.bill"),
        ({"reason": WHY}, ""),
        (
            {"filter": {"field": "sum_bytes", "op": ">", "value": "x"}, "reason": WHY},
            "filter.value",
        ),
    ],
)
def test_what_is_wrong_is_a_422_with_its_path(body: Any, path: str) -> None:
    backend = FakeBackend()
    status, found, _ = posted(body, backend=backend)
    assert (status, found["type"]) == (422, "urn:sluice:problem:refused-command")
    assert [error["path"] for error in found["errors"]] == [path]
    assert backend.commands == []


def test_an_aggregator_nobody_has_heard_of_is_a_404() -> None:
    async def steps(client: Client) -> None:
        body = {"group": GROUP, "reason": WHY}
        response = await client.post("/api/aggregators/nobody/sessions/flush", json=body)
        await problem(response, 404, "not-found")

    visit(steps)
