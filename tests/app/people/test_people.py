"""Users and tokens on the log: what every worker knows of them, and what outlives it."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

from app.people.attempts import KEPT, MOST, SPAN_S, Attempts
from app.people.errors import BadPerson, NotNow, TooManyTries, WrongPassword
from app.people.journal import TopicJournal
from app.people.passwords import Passwords
from app.people.people import People
from app.people.rows import Password
from app.trail.entry import Entry, Wanted
from app.trail.trail import MemoryTrail, TopicTrail, Trail
from connectors.streams.base import TopicSpec
from connectors.streams.memory import MemoryLog
from domain.clock import FixedClock
from tests.app.web.signing import CHEAP, PASSWORD
from tests.waiting import auntil

TOPIC = "sluice-people"


async def make_log(*topics: str) -> MemoryLog:
    log = MemoryLog(FixedClock(1))
    for topic in topics:
        await log.ensure_topic(TopicSpec(topic, 1))
    return log


async def worker(log: MemoryLog, first_password: str = "") -> People:
    """The people as one worker of several has them."""
    people = People(lambda take: TopicJournal(log, TOPIC, take), Passwords(CHEAP))
    await people.start(first_password)
    return people


def test_what_one_worker_is_told_all_know_and_keep() -> None:
    async def work() -> None:
        log = await make_log(TOPIC)
        one, two = await worker(log), await worker(log)
        following = asyncio.create_task(two.follow())
        await one.add_user("ada", "admin", (), PASSWORD, "local")
        entered = await one.sign_in("ada", PASSWORD, "a")
        person = await two.by_session(entered.secret)  # asked of the other worker at once
        assert person is not None and person.name == "ada"
        _, secret = await two.create_token("bot", "viewer", ("numbers",), "ada")
        bot = await one.by_token(secret)
        assert bot is not None and bot.rights == {"numbers"}
        three = await worker(log)  # after a restart
        assert await three.by_session(entered.secret) == person
        assert three.cursor_key == one.cursor_key
        await one.end_session(person, person.session)
        await one.revoke_token("bot")
        await auntil(lambda: not two.still(person) and not two.still(bot), 10, "it is heard")
        following.cancel()

    asyncio.run(work())


def test_the_topic_holds_no_secret() -> None:
    async def work() -> None:
        log = await make_log(TOPIC)
        people = await worker(log, PASSWORD)
        entered = await people.sign_in("admin", PASSWORD, "a")
        _, secret = await people.create_token("bot", "admin", (), "admin")
        content = repr(log.rows)
        assert PASSWORD not in content
        assert entered.secret not in content and secret not in content
        assert "$argon2id$" in content

    asyncio.run(work())


def test_a_password_of_the_settings_makes_the_first_admin_only() -> None:
    async def work() -> None:
        log = await make_log(TOPIC)
        await worker(log, PASSWORD)
        again = await worker(log, "another")
        await again.check("admin", PASSWORD, "a")
        with pytest.raises(WrongPassword):
            await again.check("admin", "another", "a")

    asyncio.run(work())


def test_the_first_user_is_admin_and_the_last_admin_stays() -> None:
    async def work() -> None:
        people = await worker(await make_log(TOPIC))
        await people.create_token("bot", "admin", (), "local")
        assert not people.any_users  # a token alone doesn't count
        with pytest.raises(NotNow, match="the first user must be admin"):
            await people.add_user("vera", "viewer", (), PASSWORD, "local")
        await people.add_user("ada", "admin", (), PASSWORD, "local")
        for change in (people.remove_user("ada"), people.change_user("ada", "viewer")):
            with pytest.raises(NotNow, match="the last admin"):
                await change
        await people.add_user("eve", "admin", (), PASSWORD, "ada")
        await people.remove_user("ada")
        with pytest.raises(NotNow, match="a token 'bot' already"):
            await people.add_user("bot", "viewer", (), PASSWORD, "eve")

    asyncio.run(work())


@pytest.mark.parametrize("name", ["", "a b", "-a", "a" * 65, "a/b", "é", "a\n"])
def test_a_name_is_one_word_of_plain_letters(name: str) -> None:
    async def work() -> None:
        people = await worker(await make_log(TOPIC))
        with pytest.raises(BadPerson):
            await people.add_user(name, "admin", (), PASSWORD, "local")

    asyncio.run(work())


def test_an_old_password_row_is_nothing_to_a_new_user_of_the_name() -> None:
    async def work() -> None:
        people = await worker(await make_log(TOPIC))
        await people.add_user("ada", "admin", (), PASSWORD, "local")
        await people.add_user("eve", "admin", (), PASSWORD, "local")
        old = people.book.passwords["eve"]
        await people.remove_user("eve")
        # another worker changed the password at the same moment: its row comes last
        await people._write([Password(old.user, "eve", old.hash, 1)], [])
        with pytest.raises(WrongPassword):
            await people.check("eve", PASSWORD, "a")
        await people.add_user("eve", "viewer", (), "another", "ada")
        with pytest.raises(WrongPassword):
            await people.check("eve", PASSWORD, "a")

    asyncio.run(work())


def test_attempts_are_counted_by_person_and_address_and_forgotten() -> None:
    now = [0.0]
    attempts = Attempts(lambda: now[0])
    for _ in range(MOST):
        assert attempts.begin("ada", "a") == 0
    assert attempts.begin("ada", "a") == SPAN_S
    assert attempts.begin("ada", "b") == attempts.begin("eve", "a") == 0
    now[0] = SPAN_S
    assert attempts.begin("ada", "a") == 0
    for n in range(KEPT + 5):
        attempts.begin(str(n), "c")
    assert len(attempts._wrong) == KEPT


def test_wrong_passwords_at_other_workers_count_and_a_right_one_forgets_all() -> None:
    async def work() -> None:
        now = [0.0]
        workers = [
            People(passwords=Passwords(CHEAP), attempts=Attempts(lambda: now[0])) for _ in range(3)
        ]
        for here in workers:
            others = [each for each in workers if each is not here]

            async def ask(
                question: str, asked: dict[str, Any], others: list[People] = others
            ) -> list[Any]:
                return [await each.questions[question](asked) for each in others]

            here.ask_others = ask
            await here.add_user("ada", "admin", (), PASSWORD, "test")

        async def wrong(times: int) -> None:
            for n in range(times):
                with pytest.raises(WrongPassword):
                    await workers[n % 3].check("ada", "wrong", "a")
                now[0] += 1

        await wrong(MOST - 1)
        await workers[1].check("ada", PASSWORD, "a")
        await wrong(MOST)
        for each in workers:
            with pytest.raises(TooManyTries) as refused:
                await each.check("ada", PASSWORD, "a")
            assert refused.value.retry_after_s == SPAN_S - MOST
            await each.check("ada", PASSWORD, "b")
        now[0] += SPAN_S - MOST
        await workers[2].check("ada", PASSWORD, "a")

    asyncio.run(work())


@pytest.mark.parametrize("kept", ["memory", "topic"])
def test_the_trail_tells_the_last_word_of_each_change(kept: str, tmp_path: Path) -> None:
    async def work() -> None:
        log = await make_log("audit")
        trail: Trail = MemoryTrail() if kept == "memory" else TopicTrail(log, "audit", tmp_path)
        for n in range(6):
            entry = Entry(f"id-{n}", n, "ada", "users.add", f"user-{n}", "why", "asked")
            await trail.write(entry)
            if n != 3:  # cut short
                outcome = "refused" if n == 4 else "done"
                await trail.write(msgspec.structs.replace(entry, outcome=outcome, after={"n": n}))
        found = await trail.find(Wanted(), 10, None)
        assert [(e.object, e.outcome) for e in found.items] == [
            ("user-5", "done"), ("user-3", "asked"), ("user-2", "done"), ("user-1", "done"),
            ("user-0", "done"),
        ]  # fmt: skip
        first = await trail.find(Wanted(from_ms=1, to_ms=5), 2, None)
        rest = await trail.find(Wanted(from_ms=1, to_ms=5), 2, first.next)
        assert [e.object for e in (*first.items, *rest.items)] == ["user-3", "user-2", "user-1"]
        assert rest.next is None
        (one,) = (await trail.find(Wanted(object="user-2"), 2, None)).items
        assert one.after == {"n": 2}
        await trail.stop()

    asyncio.run(work())
