"""Who may ask what while no user is set up."""

import pytest

from app.web.security import host_name
from tests.app.web.site import PERSON, Client, get, problem, token, visit
from tests.browser.dev import DevSettings

USAGE = "/api/topics/usage/records"


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://elsewhere.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_a_change_from_a_foreign_page_is_403(headers: dict[str, str]) -> None:
    async def steps(client: Client) -> object:
        response = await client.post(USAGE, json={"a": 1}, headers=headers)
        return await problem(response, 403, "foreign-origin")

    assert visit(steps)


def test_a_change_from_an_own_page_is_taken() -> None:
    async def steps(client: Client) -> int:
        own = f"http://{client.host}:{client.port}"
        headers = {"Origin": own, "Sec-Fetch-Site": "same-origin"}
        return (await client.post(USAGE, json={"a": 1}, headers=headers)).status

    assert visit(steps) == 202


def test_reading_from_a_foreign_page_is_the_browsers_to_refuse() -> None:
    assert get("/api/topics", Origin="https://elsewhere.example")[0] == 200


@pytest.mark.parametrize("host", ["elsewhere.example", "127.0.0.1.elsewhere.example", "10.0.0.1"])
def test_a_foreign_host_is_421(host: str) -> None:
    assert get("/api/topics", Host=host)[0] == 421
    assert get("/health/live", Host=host)[0] == 200


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:6066", "127.0.0.1:1", "[::1]:6066"])
def test_this_machine_is_known_by_its_names(host: str) -> None:
    assert get("/api/topics", Host=host)[0] == 200


def test_the_address_listened_on_is_known_too() -> None:
    async def steps(client: Client) -> int:
        return (await client.get("/api/topics", headers={"Host": "box.lan:6066"})).status

    assert visit(steps, settings=DevSettings(web_host="box.lan")) == 200


@pytest.mark.parametrize(
    ("header", "name"),
    [("[::1]:80", "::1"), ("A.B:1", "a.b"), ("a.b.", "a.b"), ("", "")],
)
def test_the_name_of_a_host_is_read_without_its_port(header: str, name: str) -> None:
    assert host_name(header) == name


def test_a_form_without_its_token_is_403() -> None:
    async def steps(client: Client) -> list[int]:
        await token(client)
        posts = [
            await client.post("/configuration/apply", data={"csrf": value, "document": "a: 1"})
            for value in ("", "0" * 64)
        ]
        return [post.status for post in posts]

    assert visit(steps) == [403, 403]


def test_a_token_is_good_for_the_visitor_it_was_made_for_only() -> None:
    async def steps(client: Client) -> list[int]:
        good = await token(client)
        form = {"csrf": good, "document": "kind: aggregator"}
        first = await client.post("/configuration/apply", data=form, headers=PERSON)
        client.session.cookie_jar.clear()
        second = await client.post("/configuration/apply", data=form, headers=PERSON)
        return [first.status, second.status]

    assert visit(steps) == [422, 403]


def test_the_visitors_cookie_is_not_for_scripts_or_other_sites() -> None:
    async def steps(client: Client) -> str:
        return (await client.get("/", headers=PERSON)).headers["Set-Cookie"]

    cookie = visit(steps)
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie


@pytest.mark.parametrize("path", ["/", "/api/topics", "/nope", "/static/console.js"])
def test_every_answer_has_the_security_headers(path: str) -> None:
    async def steps(client: Client) -> dict[str, str]:
        return dict((await client.get(path, headers=PERSON)).headers)

    headers = visit(steps)
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_what_is_not_there_is_a_problem_for_programs_and_a_page_for_people() -> None:
    async def steps(client: Client) -> None:
        await problem(await client.get("/api/nope", headers=PERSON), 404, "not-found")
        await problem(await client.delete("/api/topics"), 405, "method-not-allowed")
        response = await client.get("/nope", headers=PERSON)
        assert (response.status, response.content_type) == (404, "text/html")
        assert "Nothing lives at this address" in await response.text()

    visit(steps)


def test_static_files_are_kept_for_ever_only_under_the_name_of_their_content() -> None:
    async def steps(client: Client) -> list[str]:
        paths = ["/static/console.js?v=1", "/static/console.js", "/api/topics"]
        return [(await client.get(path)).headers["Cache-Control"] for path in paths]

    kept, checked, never = visit(steps)
    assert "immutable" in kept
    assert (checked, never) == ("no-cache", "no-store")
