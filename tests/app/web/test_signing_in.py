"""Signing in, out, sessions, and what is tried on them."""

import re
import time

import pytest

from app.people.passwords import Passwords
from app.people.people import People
from app.web.own_paths import own_path
from tests.app.web.signing import PASSWORD, Now, among_people, csrf, sign_in, some_people
from tests.app.web.site import PERSON, Client, problem, visit

SESSION = "sluice-session"


def test_who_has_not_signed_in_is_led_to_the_form_and_back() -> None:
    async def steps(client: Client, _: People) -> None:
        led = await client.get("/sessions?q=a&b=1", headers=PERSON, allow_redirects=False)
        assert (led.status, led.headers["Location"]) == (
            303,
            "/login?next=/sessions?q%3Da%26b%3D1",
        )
        form = await client.get(led.headers["Location"], headers=PERSON)
        assert 'value="/sessions?q=a&amp;b=1"' in await form.text()
        entered = await sign_in(client, "vera", next="/sessions?q=a&b=1")
        assert (entered.status, entered.headers["Location"]) == (303, "/sessions?q=a&b=1")
        home = await client.get("/", headers=PERSON)
        assert home.status == 200 and "vera" in await home.text()

    among_people(steps)


def test_a_program_without_a_token_is_refused() -> None:
    async def steps(client: Client, people: People) -> None:
        await problem(await client.get("/api/topics"), 401, "unauthorized")
        wrong = {"Authorization": "Bearer nonsense"}
        await problem(await client.get("/api/topics", headers=wrong), 401, "unauthorized")
        made, secret = await people.create_token("feeder", "viewer", (), "ada")
        right = {"Authorization": f"Bearer {secret}"}
        assert (await client.get("/api/topics", headers=right)).status == 200
        await people.revoke_token(made.name)
        await problem(await client.get("/api/topics", headers=right), 401, "unauthorized")

    among_people(steps)


def test_the_session_cookie_is_new_hidden_and_for_this_site() -> None:
    async def steps(client: Client, _: People) -> None:
        cookies = []
        for _round in range(2):
            entered = await sign_in(client, "ada")
            cookies.append(entered.cookies[SESSION])
            assert cookies[-1]["httponly"] and cookies[-1]["samesite"] == "Lax"
            assert not cookies[-1]["secure"]
        assert cookies[0].value != cookies[1].value
        form = {"username": "ada", "password": PASSWORD, "csrf": await csrf(client)}
        behind = {"X-Forwarded-Proto": "https"}
        entered = await client.post("/login", data=form, headers=behind, allow_redirects=False)
        assert entered.cookies[SESSION]["secure"]

    among_people(steps)


def test_a_session_that_was_planted_is_not_taken_over() -> None:
    async def steps(client: Client, people: People) -> None:
        client.session.cookie_jar.update_cookies({SESSION: "planted"}, client.make_url("/"))
        entered = await sign_in(client, "ada")
        assert entered.cookies[SESSION].value != "planted"
        assert await people.by_session("planted") is None

    among_people(steps)


def test_signing_in_again_ends_the_session_before() -> None:
    async def steps(client: Client, people: People) -> None:
        first = (await sign_in(client, "ada")).cookies[SESSION].value
        second = (await sign_in(client, "ada")).cookies[SESSION].value
        assert await people.by_session(first) is None
        assert await people.by_session(second) is not None

    among_people(steps)


def test_signing_out_ends_it_on_the_server() -> None:
    async def steps(client: Client, _: People) -> None:
        kept = (await sign_in(client, "ada")).cookies[SESSION].value
        token = await csrf(client, "/")
        without = await client.post("/logout", data={}, allow_redirects=False)
        assert without.status == 403
        out = await client.post("/logout", data={"csrf": token}, allow_redirects=False)
        assert (out.status, out.headers["Location"]) == (303, "/login")
        client.session.cookie_jar.update_cookies({SESSION: kept}, client.make_url("/"))
        await problem(await client.get("/api/topics"), 401, "unauthorized")

    among_people(steps)


def test_a_session_ends_after_a_day() -> None:
    now = Now()

    async def steps(client: Client, _: People) -> None:
        await sign_in(client, "ada")
        now.s += 86_399
        assert (await client.get("/api/topics")).status == 200
        now.s += 2
        assert (await client.get("/api/topics")).status == 401

    among_people(steps, now=now)


def test_a_forged_or_altered_cookie_is_nobodys() -> None:
    async def steps(client: Client, _: People) -> None:
        real = (await sign_in(client, "ada")).cookies[SESSION].value
        for forged in (real[:-1] + ("A" if real[-1] != "A" else "B"), real.swapcase(), "", "ada"):
            client.session.cookie_jar.clear()
            client.session.cookie_jar.update_cookies({SESSION: forged}, client.make_url("/"))
            assert (await client.get("/api/topics")).status == 401

    among_people(steps)


def test_a_change_by_a_browser_needs_the_token_of_its_session() -> None:
    async def steps(client: Client, people: People) -> None:
        await sign_in(client, "ada")
        token = await csrf(client, "/")
        for headers in ({}, {"X-CSRF-Token": ""}, {"X-CSRF-Token": "0" * 64}):
            answered = await client.delete("/api/users/vera", headers=headers)
            assert answered.status == 403
        assert "vera" in people.book.users
        await sign_in(client, "otto")  # another session: the token is worth nothing there
        answered = await client.post("/api/dead-letters/replay", headers={"X-CSRF-Token": token})
        assert answered.status == 403
        await sign_in(client, "ada")
        fresh = await csrf(client, "/")
        gone = await client.delete("/api/users/vera", headers={"X-CSRF-Token": fresh})
        assert gone.status == 204
        foreign = {"X-CSRF-Token": fresh, "Origin": "https://elsewhere.example"}
        await problem(
            await client.delete("/api/users/otto", headers=foreign), 403, "foreign-origin"
        )

    among_people(steps)


def test_a_form_to_sign_in_needs_its_token_too() -> None:
    async def steps(client: Client, _: People) -> None:
        form = {"username": "ada", "password": PASSWORD}
        assert (await client.post("/login", data=form, allow_redirects=False)).status == 403

    among_people(steps)


def test_ten_wrong_passwords_in_a_quarter_of_an_hour_are_enough() -> None:
    now = Now()

    async def steps(client: Client, _: People) -> None:
        for _try in range(10):
            assert (await sign_in(client, "vera", "wrong")).status == 401
        limited = await sign_in(client, "vera")
        assert limited.status == 429
        assert 890 <= int(limited.headers["Retry-After"]) <= 900
        assert (await sign_in(client, "otto")).status == 303
        now.s += int(limited.headers["Retry-After"])
        assert (await sign_in(client, "vera")).status == 303

    among_people(steps, now=now)


def test_a_right_password_forgets_the_wrong_ones_before() -> None:
    async def steps(client: Client, _: People) -> None:
        for _round in range(3):
            for _try in range(9):
                assert (await sign_in(client, "vera", "wrong")).status == 401
            assert (await sign_in(client, "vera")).status == 303

    among_people(steps)


def test_an_unknown_name_is_told_as_a_wrong_password_is() -> None:
    async def steps(client: Client, _: People) -> None:
        texts = []
        for name in ("vera", "nobody"):
            answered = await sign_in(client, name, "wrong")
            text = await answered.text()
            text = text.replace(name, "NAME")
            texts.append(
                (answered.status, re.sub(r'(content|value|nonce)="[^"]*"|data-now="\d+"', "", text))
            )
        assert texts[0] == texts[1]

    among_people(steps)


def test_an_unknown_name_takes_as_long_as_a_wrong_password() -> None:
    async def steps(client: Client) -> None:
        people = some_people()
        people._passwords = Passwords()  # what is measured is the real thing
        await people.add_user("ada", "admin", (), PASSWORD, "test")
        # what the processor does, and the least of it: other tests run beside this one
        spent: dict[str, list[float]] = {"ada": [], "nobody": []}
        for round_ in range(6):
            for name, times in spent.items():
                began = time.process_time()
                assert not await people._passwords.matches(
                    None if name == "nobody" else people.book.passwords["ada"].hash, "wrong"
                )
                if round_:
                    times.append(time.process_time() - began)
        known, unknown = map(min, spent.values())
        assert 0.4 < unknown / known < 2.5, spent

    visit(steps)


@pytest.mark.parametrize(
    "text",
    [
        "https://elsewhere.example/", "//elsewhere.example", "/\\elsewhere.example", "\\\\e", "e",
        "/ok\r\nSet-Cookie: a=b", "/ok\nX: y", "javascript:alert(1)", "/a b", "", "/\t/e", "///e",
        "/login?next=/", "/logout", "/api/me", "/ok\x00",
    ],
)  # fmt: skip
def test_where_a_sign_in_leads_is_one_of_our_own_pages(text: str) -> None:
    assert own_path(text) == "/"

    async def steps(client: Client, _: People) -> None:
        entered = await sign_in(client, "vera", next=text)
        assert (entered.status, entered.headers["Location"]) == (303, "/")
        assert entered.headers.getall("Set-Cookie")[-1].startswith(SESSION)

    if "\x00" not in text:
        among_people(steps)


@pytest.mark.parametrize("text", ["/", "/sessions?aggregator=a&group.x=%22y%22", "/a/é"])
def test_own_paths_are_kept(text: str) -> None:
    assert own_path(text) == text.replace("é", "%C3%A9")


def test_a_new_password_ends_the_other_sessions() -> None:
    async def steps(client: Client, people: People) -> None:
        other = (await people.sign_in("vera", PASSWORD, "10.0.0.9")).secret
        await sign_in(client, "vera")
        headers = {"X-CSRF-Token": await csrf(client, "/")}
        listed = (await (await client.get("/api/me/sessions")).json())["items"]
        assert sorted((s["current"], s["address"]) for s in listed) == [
            (False, "10.0.0.9"), (True, "127.0.0.1")
        ]  # fmt: skip
        bad = {"old": "wrong", "new": "battery staple"}
        refused = await client.put("/api/me/password", json=bad, headers=headers)
        await problem(refused, 403, "wrong-password")
        good = {"old": PASSWORD, "new": "battery staple"}
        done = await client.put("/api/me/password", json=good, headers=headers)
        assert (done.status, await done.json()) == (200, {"ended_sessions": 1})
        assert await people.by_session(other) is None
        assert (await client.get("/api/topics")).status == 200
        assert (await sign_in(client, "vera", "battery staple")).status == 303

    among_people(steps)


def test_guessing_the_old_password_is_limited_too() -> None:
    async def steps(client: Client, _: People) -> None:
        await sign_in(client, "vera")
        headers = {"X-CSRF-Token": await csrf(client, "/")}
        statuses = []
        for _try in range(11):
            body = {"old": "wrong", "new": "x"}
            answered = await client.put("/api/me/password", json=body, headers=headers)
            statuses.append(answered.status)
        assert statuses == [403] * 10 + [429]

    among_people(steps)


def test_an_own_session_is_ended_and_nobody_elses() -> None:
    async def steps(client: Client, people: People) -> None:
        other = await people.sign_in("vera", PASSWORD, "10.0.0.9")
        adas = await people.sign_in("ada", PASSWORD, "10.0.0.9")
        await sign_in(client, "vera")
        headers = {"X-CSRF-Token": await csrf(client, "/")}
        path = "/api/me/sessions/"
        ended = await client.delete(path + other.session.id, headers=headers)
        assert ended.status == 204
        assert await people.by_session(other.secret) is None
        stranger = await client.delete(path + adas.session.id, headers=headers)
        await problem(stranger, 404, "not-found")
        assert await people.by_session(adas.secret) is not None

    among_people(steps)


def test_what_is_removed_and_added_again_is_another_person() -> None:
    async def steps(client: Client, people: People) -> None:
        await sign_in(client, "vera")
        await people.remove_user("vera")
        assert (await client.get("/api/topics")).status == 401
        await people.add_user("vera", "admin", (), "another", "test")
        assert (await client.get("/api/topics")).status == 401

    among_people(steps)


def test_a_live_page_ends_with_the_session() -> None:
    async def steps(client: Client, people: People) -> None:
        entered = await sign_in(client, "vera")
        live = await client.get("/", headers={"Accept": "text/event-stream"})
        assert live.status == 200
        await people.remove_user("vera")
        rest = await live.content.read()  # ends, as the stream does
        assert b"event" in rest and entered.status == 303

    among_people(steps)


def test_scripts_of_a_page_carry_the_nonce_of_its_policy() -> None:
    async def steps(client: Client) -> None:
        nonces = []
        for _round in range(2):
            answered = await client.get("/", headers=PERSON)
            policy = answered.headers["Content-Security-Policy"]
            (nonce,) = set(re.findall(r"'nonce-([^']+)'", policy))
            scripts = re.findall(r"<script[^>]*>", await answered.text())
            assert scripts and all(f'nonce="{nonce}"' in script for script in scripts)
            nonces.append(nonce)
        assert nonces[0] != nonces[1]

    visit(steps)
