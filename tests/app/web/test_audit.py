"""Every change is in the trail: who, what, why, before and after."""

from typing import Any

import pytest

from app.people.people import People
from app.web import audited, roles
from app.web.api import ROUTES
from app.web.routes import DRY_RUN
from tests.app.web import made_campaigns
from tests.app.web.attacks import mounted
from tests.app.web.made import DATA
from tests.app.web.signing import among_people, bearer, csrf, sign_in
from tests.app.web.site import Client


async def listed(client: Client, headers: Any, query: str = "") -> list[dict[str, Any]]:
    answered = await client.get(f"/api/audit{query}", headers=headers)
    assert answered.status == 200, await answered.text()
    items: list[dict[str, Any]] = (await answered.json())["items"]
    return items


def test_every_route_that_changes_something_is_audited() -> None:
    changing = {f"{m} {p}" for m, p in mounted() if m not in roles.READING}
    assert changing == (audited.ACTIONS.keys() | audited.NOTHING) - {"POST /internal/{question}"}


def test_a_document_is_there_with_reason_before_and_after() -> None:
    async def steps(client: Client, people: People) -> None:
        headers = await bearer(people, "admin")
        path = "/api/documents/aggregator/data-per-account"
        body = {**DATA, "ttl_days": 77}
        done = await client.put(f"{path}?reason=tariffs", json=body, headers=headers)
        assert done.status in (200, 202)
        bad = await client.put(path, json={**body, "ttl_days": 0}, headers=headers)
        assert bad.status == 422
        (entry,) = await listed(client, headers)
        told = {name: entry[name] for name in ("actor", "action", "object", "reason", "outcome")}
        assert told == {
            "actor": "program-admin-0", "action": "documents.apply", "reason": "tariffs",
            "object": "aggregator/data-per-account", "outcome": "done",
        }  # fmt: skip
        assert entry["before"]["version"] + 1 == entry["after"]["version"]
        assert entry["after"]["document"]["ttl_days"] == 77

    among_people(steps)


def test_changes_of_people_are_there_without_their_secrets() -> None:
    async def steps(client: Client, people: People) -> None:
        await sign_in(client, "ada")
        headers = {"X-CSRF-Token": await csrf(client, "/")}
        user = {"name": "ute", "role": "viewer", "password": "a secret of hers"}
        await client.post("/api/users?reason=new", json=user, headers=headers)
        await client.put("/api/users/ute", json={"role": "operator"}, headers=headers)
        token = await client.post(
            "/api/tokens", json={"name": "bot", "role": "viewer"}, headers=headers
        )
        secret = (await token.json())["token"]
        await client.delete("/api/users/ute", headers=headers)
        found = await listed(client, {})
        assert [(e["action"], e["object"], e["actor"]) for e in found] == [
            ("users.remove", "ute", "ada"), ("tokens.create", "bot", "ada"),
            ("users.change", "ute", "ada"), ("users.add", "ute", "ada"),
            ("sign-ins.begin", "ada", "ada"),
        ]  # fmt: skip
        assert found[2]["before"]["role"] == "viewer" and found[2]["after"]["role"] == "operator"
        assert found[0]["after"] is None
        text = await (await client.get("/api/audit")).text()
        assert secret not in text and "a secret of hers" not in text

    among_people(steps)


def test_the_trail_is_searched_and_exported() -> None:
    async def steps(client: Client, people: People) -> None:
        headers = await bearer(people, "admin")
        for name in ("one", "two", "three"):
            await client.post(
                f"/api/tokens?reason=for%20{name}", json={"name": name, "role": "viewer"},
                headers=headers,
            )  # fmt: skip
        await client.delete("/api/tokens/two", headers=headers)
        assert [e["object"] for e in await listed(client, headers, "?action=tokens.create")] == [
            "three", "two", "one"
        ]  # fmt: skip
        assert len(await listed(client, headers, "?object=two")) == 2
        assert await listed(client, headers, "?actor=nobody") == []
        assert await listed(client, headers, "?to=2001-01-01") == []
        assert len(await listed(client, headers, "?from=2001-01-01T00:00:00Z")) == 4
        page = await (await client.get("/api/audit?limit=3", headers=headers)).json()
        rest = await listed(client, headers, f"?limit=3&cursor={page['next']}")
        assert (len(page["items"]), len(rest)) == (3, 1)
        table = await (await client.get("/api/audit?format=csv", headers=headers)).text()
        assert table.count("\r\n") == 5 and "for three" in table
        wrong = await client.get("/api/audit?from=noon", headers=headers)
        assert wrong.status == 400

    among_people(steps)


def test_a_dry_run_and_a_read_leave_no_trace() -> None:
    async def steps(client: Client, people: People) -> None:
        headers = await bearer(people, "admin")
        path = "/api/aggregators/data-per-account/sessions/flush"
        body = {"group": {"account": "acc-0000001"}, "dry_run": True}
        assert (await client.post(path, json=body, headers=headers)).status == 200
        await client.post("/api/sql", json={"sql": "select 1"}, headers=headers)
        assert await listed(client, headers) == []
        body |= {"dry_run": False, "reason": "asked for"}
        assert (await client.post(path, json=body, headers=headers)).status in (200, 202)
        (entry,) = await listed(client, headers)
        assert (entry["action"], entry["reason"]) == ("sessions.flush", "asked for")
        assert entry["object"] == "data-per-account"

    among_people(steps)


def test_routes_that_know_a_dry_run_say_so() -> None:
    told = {f"{r.method} {r.path}" for r in ROUTES if DRY_RUN in r.params}
    assert told == audited.DRY_RUNS.keys() < audited.ACTIONS.keys()


@pytest.mark.parametrize(
    "route", sorted(name for name, in_body in audited.DRY_RUNS.items() if in_body)
)
def test_a_dry_run_asked_for_in_the_address_is_one(route: str) -> None:
    name = route.replace("{name}", "data-per-account").replace(
        "{request_id}", made_campaigns.request_id(0)
    )
    bodies: dict[str, dict[str, Any]] = {
        "retract": {"event_id": 1}, "erase": {"older_than": "90d"}, "replay": {},
    }  # fmt: skip
    body = bodies.get(name.rsplit("/", 1)[1], {})
    if "/sessions/" in name:
        body = {"group": {"account": "acc-0000001"}, "due": "2025-11-04T00:00:00Z"}
        body = body if name.endswith("set-timeout") else {"group": body["group"]}
    elif name.endswith("reschedule"):
        body = {"slots": ["10:00-11:00"]}

    async def steps(client: Client, people: People) -> None:
        headers = await bearer(people, "admin")
        body.update(reason="a trial")
        for said in ({}, {"dry_run": False}):
            asked = name.split()[1] + "?dry_run=true"
            done = await client.post(asked, json=body | said, headers=headers)
            assert (done.status, (await done.json())["dry_run"]) == (200, True), await done.text()
        assert await listed(client, headers) == []

    among_people(steps)


def test_what_knows_no_dry_run_refuses_to_be_tried() -> None:
    async def steps(client: Client, people: People) -> None:
        headers = await bearer(people, "admin")
        path, usage = "/api/documents/aggregator/data-per-account", "/api/topics/usage/records"
        for asked, where in ((client.delete, path), (client.put, path), (client.post, usage)):
            refused = await asked(f"{where}?dry_run=true", json=DATA, headers=headers)
            assert (
                refused.status == 400 and (await refused.json())["errors"][0]["path"] == "dry_run"
            )
        assert (await client.get(path, headers=headers)).status == 200

    among_people(steps)


def test_no_field_of_a_change_keeps_it_out_of_the_trail() -> None:
    async def steps(client: Client, people: People) -> None:
        headers = await bearer(people, "admin")
        message = {"kind": "aggregator", "name": "x", "document": None, "dry_run": True}
        path = "/api/topics/config/records"
        assert (await client.post(path, json=message, headers=headers)).status == 202
        (entry,) = await listed(client, headers)
        assert (entry["action"], entry["outcome"]) == ("topics.append", "done")

    among_people(steps)


def test_what_a_body_says_is_kept_under_any_content_type() -> None:
    async def steps(client: Client, people: People) -> None:
        headers = await bearer(people, "admin")
        for kind in ("application/x-www-form-urlencoded", "text/plain", "application/json"):
            form = {**headers, "Content-Type": kind}
            path = "/api/aggregators/data-per-account/sessions/flush"
            body = b'{"group": {"account": "acc-0000001"}, "reason": "asked for"}'
            assert (await client.post(path, data=body, headers=form)).status in (200, 202)
            user = f'{{"name": "u{len(kind)}", "role": "viewer", "password": "of hers"}}'
            assert (await client.post("/api/users", data=user, headers=form)).status == 201
            added, flushed = (await listed(client, headers))[:2]
            assert (added["object"], flushed["reason"]) == (f"u{len(kind)}", "asked for")

    among_people(steps)


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "text/csv"])
def test_a_list_of_numbers_is_the_handlers_to_read(kind: str) -> None:
    async def steps(client: Client, people: People) -> None:
        headers = {**await bearer(people, "admin"), "Content-Type": kind}
        campaign = made_campaigns.request_id(0)
        for path in (f"/api/campaigns/{campaign}/negatives", "/api/do-not-call"):
            body = b"number\n+919876500003\n"
            done = await client.post(f"{path}?reason=r", data=body, headers=headers)
            assert (done.status, (await done.json())["rows"]) == (200, 1), await done.text()

    among_people(steps)
