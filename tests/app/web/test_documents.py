"""Configuration over HTTP."""

import json
from typing import Any

import pytest

from tests.app.web import made
from tests.app.web.fake import FakeBackend
from tests.app.web.site import Client, get, problem, visit

AT = "/api/documents/aggregator/data-per-account"
BODY = {**made.DATA, "ttl_days": 30}


def test_a_document_in_force_comes_with_who_when_and_why() -> None:
    status, text = get(AT)
    found = json.loads(text)
    assert status == 200
    assert (found["version"], found["actor"], found["reason"]) == (3, "ada", "change 3")
    assert found["document"] == made.DATA
    assert found["at"].endswith("Z")


def test_documents_are_listed_and_filtered_by_kind() -> None:
    names = [item["name"] for item in json.loads(get("/api/documents")[1])["items"]]
    assert names == ["data-per-account", "example-nightly"]
    assert json.loads(get("/api/documents?kind=sink")[1])["items"] == []


def test_a_list_goes_on_by_its_cursor() -> None:
    async def steps(client: Client) -> list[str]:
        names = []
        cursor: str | None = ""
        while cursor is not None:
            query = {"limit": "1", "cursor": cursor}
            page = await (await client.get("/api/documents", params=query)).json()
            names += [item["name"] for item in page["items"]]
            cursor = page["next"]
        return names

    assert visit(steps) == ["data-per-account", "example-nightly"]


def test_versions_are_listed_the_newest_first() -> None:
    items = json.loads(get(f"{AT}/versions")[1])["items"]
    assert [item["version"] for item in items] == [3, 2, 1]


def test_the_status_names_each_worker_with_its_version() -> None:
    assert json.loads(get(f"{AT}/status")[1]) == {
        "version": 3,
        "in_force": True,
        "workers": [{"worker": "w-1", "version": 3}],
    }


@pytest.mark.parametrize("path", ["", "/versions", "/status"])
def test_a_document_that_is_none_is_404(path: str) -> None:
    status, text = get(f"/api/documents/aggregator/none{path}")
    assert (status, json.loads(text)["type"]) == (404, "urn:sluice:problem:not-found")


@pytest.mark.parametrize(("query", "status"), [("", 202), ("?wait=30", 200)])
def test_a_put_makes_the_next_version(query: str, status: int) -> None:
    async def steps(client: Client) -> Any:
        response = await client.put(AT + query, json=BODY)
        assert response.status == status
        return await response.json()

    assert visit(steps) == {
        "kind": "aggregator",
        "name": "data-per-account",
        "version": 4,
        "in_force": status == 200,
    }


def test_a_put_keeps_the_reason_and_every_digit() -> None:
    backend = FakeBackend()
    text = json.dumps(BODY).replace("30", "30.0")

    async def steps(client: Client) -> int:
        response = await client.put(AT + "?reason=shorter", data=text)
        return response.status

    assert visit(steps, backend) == 202
    latest = backend.history["aggregator", "data-per-account"][-1]
    assert latest.reason == "shorter"
    assert latest.body is not None
    assert str(latest.body["ttl_days"]) == "30.0"


def test_yaml_is_a_body_too() -> None:
    yaml = """
group: {fields: [account]}
aggregate: [{field: bytes, operation: sum}]
flush: {by: timeout, timeout: {duration: {hours: 1}}}
"""

    async def steps(client: Client) -> int:
        headers = {"Content-Type": "application/yaml"}
        return (await client.put(AT, data=yaml, headers=headers)).status

    assert visit(steps) == 202


def test_a_refused_document_names_every_path() -> None:
    async def steps(client: Client) -> dict[str, Any]:
        response = await client.put(AT, json={**BODY, "ttl_days": 0, "inptu": "x"})
        return await problem(response, 422, "refused-document")

    found = visit(steps)
    assert {error["path"] for error in found["errors"]} == {"ttl_days", "inptu"}
    assert all(error["expected"] for error in found["errors"])


@pytest.mark.parametrize("body", ["{broken", '{"a":1,"a":2}', "[]", "5", b"\xff"])
def test_a_body_that_holds_no_document_is_refused(body: str | bytes) -> None:
    async def steps(client: Client) -> object:
        return await problem(await client.put(AT, data=body), 422, "refused-document")

    assert visit(steps)


def test_a_body_that_names_another_document_is_refused() -> None:
    async def steps(client: Client) -> dict[str, Any]:
        response = await client.put(AT, json={**BODY, "name": "other"})
        return await problem(response, 422, "refused-document")

    assert [error["path"] for error in visit(steps)["errors"]] == ["name"]


def test_a_document_is_validated_without_being_applied() -> None:
    backend = FakeBackend()

    async def steps(client: Client) -> tuple[Any, dict[str, Any]]:
        good = await client.post("/api/documents/validate", json=BODY)
        bad = await client.post("/api/documents/validate", json={**BODY, "group": {}})
        return await good.json(), await problem(bad, 422, "refused-document")

    good, bad = visit(steps, backend)
    assert good == {"valid": True, "errors": []}
    assert bad["valid"] is False
    assert bad["errors"][0]["path"].startswith("group")
    assert len(backend.history["aggregator", "data-per-account"]) == 3


def test_a_deleted_document_is_gone_with_its_status() -> None:
    async def steps(client: Client) -> list[int]:
        deleted = await client.delete(AT + "?wait=5")
        again = await client.delete(AT)
        status = await client.get(f"{AT}/status")
        return [deleted.status, again.status, status.status]

    assert visit(steps) == [200, 404, 404]
