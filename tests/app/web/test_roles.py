"""Who may do what: the table against every route, and every role against every route."""

import pytest

from app.people.people import People
from app.people.rows import ROLES, Role
from app.web import roles
from tests.app.web.attacks import PIECE, mounted, watched
from tests.app.web.signing import among_people, bearer, csrf, sign_in
from tests.app.web.site import Client, problem
from tests.browser.dev import DevSettings

WORKERS = {"POST /internal/{question}"}  # mounted by the node, not by the web application


def test_the_table_has_no_route_twice_and_none_that_is_not_there() -> None:
    parts = (roles.OPEN, roles.VIEWER, roles.OPERATOR, roles.ADMIN)
    assert sum(map(len, parts)) == len(roles.TABLE)
    there = {f"{method} {path}" for method, path in mounted()}
    assert roles.TABLE.keys() - there - WORKERS == set()


def test_every_route_that_changes_something_is_in_the_table() -> None:
    changing = {f"{m} {p}" for m, p in mounted() if m not in roles.READING}
    assert changing - roles.TABLE.keys() == set(), "say in app/web/roles.py who may"


def test_what_is_in_no_table_is_read_by_viewers_and_changed_by_admins() -> None:
    assert roles.needed("GET", "/new") == "viewer"
    assert roles.needed("HEAD", "/api/users") == "admin"
    for method in ("POST", "PUT", "DELETE", "PATCH", "TRACE"):
        assert roles.needed(method, "/new") == "admin"


@pytest.mark.parametrize("role", [None, *ROLES])
def test_each_role_gets_as_far_as_the_table_says_and_no_further(role: Role | None) -> None:
    """On each route of the router: refused exactly when the table says so, and then nothing was
    asked of the system, nobody changed and nothing was written to the trail.
    """

    async def steps(client: Client, people: People) -> list[str]:
        headers = {} if role is None else dict(await bearer(people, role))
        wrong, known = [], repr(people.book)
        for method, path in mounted():
            wanted = roles.needed(method, path)
            if wanted == "open":
                continue
            refused = role is None or not roles.is_enough(role, wanted)
            if not refused and path.endswith("/records") and method == "GET":
                continue  # follows the topic
            backend.called.clear()
            answered = await client.request(
                method, PIECE.sub("pause", path), headers={**headers, "Accept": "application/json"},
                allow_redirects=False, data=b"",
            )  # fmt: skip
            said = (await answered.text())[:200]
            if role is None:
                is_right = answered.status in (401, 303) and "urn:sluice:problem:forb" not in said
            else:
                is_right = ("urn:sluice:problem:forbidden" in said) is refused
            if not is_right or (refused and (backend.called or repr(people.book) != known)):
                wrong.append(f"{method} {path}: {answered.status} {said} {backend.called}")
            known = repr(people.book)
        return wrong

    backend = watched()
    assert among_people(steps, backend) == []


@pytest.mark.parametrize("method", ["GET", "HEAD", "get", "OPTIONS"])
def test_how_a_route_is_asked_makes_no_difference(method: str) -> None:
    async def steps(client: Client, people: People) -> None:
        headers = await bearer(people, "operator")
        for path in ("/api/users", "/api//users", "/api/users/", "/API/users", "/api/users?a=b"):
            answered = await client.request(method, path, headers=headers)
            assert answered.status in (403, 404, 405), path

    among_people(steps)


def test_a_method_in_a_header_is_not_taken_for_the_method() -> None:
    async def steps(client: Client, people: People) -> None:
        headers = {**await bearer(people, "viewer"), "X-HTTP-Method-Override": "DELETE"}
        await client.get("/api/users/ada", headers=headers)
        await client.post("/api/sql?_method=DELETE", headers=headers)
        assert "ada" in people.book.users

    among_people(steps)


def test_an_operator_writes_usage_and_no_documents() -> None:
    async def steps(client: Client, people: People) -> None:
        headers = await bearer(people, "operator")
        usage = await client.post("/api/topics/usage/records", json={"a": 1}, headers=headers)
        assert usage.status == 202
        message = {"kind": "aggregator", "name": "x", "document": None}
        written = "config", "aggregates", "aggregates.audit", "dead-letters", "rollups", "invoices"
        for topic in written:
            answered = await client.post(
                f"/api/topics/{topic}/records", json=message, headers=headers
            )
            await problem(answered, 403, "forbidden")
        admin = await bearer(people, "admin")
        answered = await client.post("/api/topics/config/records", json=message, headers=admin)
        assert answered.status == 202

    among_people(steps)


def test_nobody_makes_themselves_more_than_they_are() -> None:
    async def steps(client: Client, people: People) -> None:
        await sign_in(client, "otto")
        headers = {"X-CSRF-Token": await csrf(client, "/")}
        body = {"role": "admin", "rights": ["numbers"]}
        for method, path, more in (
            ("PUT", "/api/users/otto", body),
            ("POST", "/api/users", {"name": "evil", "password": "x", **body}),
            ("POST", "/api/tokens", {"name": "evil", **body}),
        ):
            answered = await client.request(method, path, json=more, headers=headers)
            await problem(answered, 403, "forbidden")
        assert people.book.users["otto"].role == "operator"
        assert people.book.tokens == {}

    among_people(steps)


def test_a_role_that_is_taken_away_is_gone_at_once() -> None:
    async def steps(client: Client, people: People) -> None:
        await sign_in(client, "otto")
        headers = {"X-CSRF-Token": await csrf(client, "/")}
        await people.change_user("otto", role="viewer")
        answered = await client.post("/api/dead-letters/replay", json={}, headers=headers)
        await problem(answered, 403, "forbidden")

    among_people(steps)


def test_health_and_hooks_are_open_and_metrics_by_token() -> None:
    async def steps(client: Client, people: People) -> None:
        assert (await client.get("/health/live")).status == 200
        assert (await client.post("/hooks/nobody", data=b"x")).status == 404
        assert (await client.get("/metrics")).status == 200  # from this machine
        away = {"X-Forwarded-For": "10.0.0.9"}  # a server in front, for somebody else
        assert (await client.get("/metrics", headers=away)).status == 403
        by_name = {"Host": "elsewhere.example"}
        assert (await client.get("/metrics", headers=by_name)).status == 403
        token = await bearer(people, "viewer")
        assert (await client.get("/metrics", headers={**away, **token})).status == 200

    among_people(steps)


def test_a_feed_is_opened_by_a_token_in_its_address() -> None:
    path = "/api/metrics/feeds/github.stars.csv"

    async def steps(client: Client, people: People) -> None:
        _, secret = await people.create_token("sheet", "viewer", (), "ada")
        for query, status in (("", 401), ("?token=wrong", 401), (f"?token={secret}", 200),
                              ("?token=from-the-settings", 200)):  # fmt: skip
            answered = await client.get(path + query)
            assert answered.status == status, query

    among_people(steps, settings=DevSettings(feed_tokens=("from-the-settings",)))
