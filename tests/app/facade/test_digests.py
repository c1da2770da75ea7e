"""Digests as people get them: once a period, whatever is killed, with the figures as they were."""

import asyncio
from datetime import UTC, datetime
from email.message import Message
from pathlib import Path
from typing import Any

import pytest

from agents.digest import known
from app.alert_shapes import DigestRefused
from app.backend import IdempotencyConflict
from app.facade.alerts import Alerts
from app.facade.facade import Facade
from connectors.notices import Notices, NoticeSettings
from connectors.outbound import Outbound
from connectors.streams.memory import Killed
from domain.metrics.records import Record, Value
from domain.notices import waiting
from tests.app.facade.house import House, Living
from tests.app.facade.rolled import rolled
from tests.app.web.test_dashboard_pdf import words
from tests.smtp import MailServer

DAY_MS = 86_400_000
ZONE = "Europe/Stockholm"


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


DIGEST: dict[str, Any] = {
    "kind": "digest", "name": "daily", "every": "day", "at": "07:00", "timezone": ZONE,
    "to": ["ann@example.com", "bo@example.com"],
    "metrics": [{"metric": "shop.visits"}, {"metric": "nobody.knows"}],
}  # fmt: skip
BOARD = {
    "kind": "dashboard", "name": "growth", "title": "Growth <b>& more",
    "widgets": [
        {"type": "line", "title": "Stars <script>", "metric": "github.stars", "group": ["repo"]},
        {"type": "pie", "title": "Shares", "metric": "github.stars", "group": ["repo"]},
        {"type": "number", "title": "Visits", "metric": "shop.visits"},
    ],
}  # fmt: skip


def some() -> list[Record]:
    """Stars and visits of the days around 31 March 2024, when clocks go forward in Stockholm."""
    first = at("2024-03-20 11:00")
    return [
        Record(
            "s", f"{day}{repo}", first + day * DAY_MS, 1, {},
            [
                Value("github.stars", "gauge", {"repo": f"<{repo}>"}, 10 * day + n),
                Value("shop.visits", "counter", {}, day),
            ],
            ZONE,
        )
        for day in range(14)
        for n, repo in enumerate("ab")
    ]  # fmt: skip


def mailed_by(facade: Facade, mails: MailServer) -> Alerts:
    alerts = facade._alerts
    alerts.delivery.sender = Notices(NoticeSettings(mails.url, "s@x.example"), Outbound())
    return alerts


def in_house(folder: Path, at_ms: int) -> House:
    house = House(folder)
    house.clock.advance(at_ms - house.clock.now_ms())
    return house


def part(mail: Message, kind: str) -> str:
    found = next(one for one in mail.walk() if one.get_content_type() == kind)
    payload = found.get_payload(decode=True)
    assert isinstance(payload, bytes)
    return payload.decode("utf-8" if kind.startswith("text") else "latin-1")


async def put(living: Living, *documents: dict[str, Any]) -> None:
    for document in documents:
        await living.put(document)


def test_each_day_is_told_once_to_each_at_its_time_in_the_zone(tmp_path: Path) -> None:
    async def run() -> None:
        house = in_house(tmp_path, at("2024-03-30 05:30"))
        async with house.open() as living, MailServer() as mails:
            await put(living, DIGEST)
            alerts = mailed_by(await rolled(living, some()), mails)
            for _ in range(73):  # hours: 30 March 05:30 to 2 April 05:30 UTC
                await alerts.digests.look()
                await alerts.digests.look()
                await alerts.delivery.deliver()
                sent = {mail["Subject"]: mail["Date"][:22] for mail in mails.got}
                house.clock.advance(3_600_000)
        assert sent == {  # 07:00 is 06:00 UTC before, and 05:00 after the clocks went forward
            "daily: Friday 29 March 2024": "Sat, 30 Mar 2024 06:30",
            "daily: Saturday 30 March 2024": "Sun, 31 Mar 2024 05:30",
            "daily: Sunday 31 March 2024": "Mon, 01 Apr 2024 05:30",
            "daily: Monday 1 April 2024": "Tue, 02 Apr 2024 05:30",
        }
        assert len(mails.got) == 8
        texts = {mail["Subject"]: part(mail, "text/plain") for mail in mails.got}
        told = texts["daily: Sunday 31 March 2024"]
        assert "shop.visits: 22, +10 % to the day before" in told
        assert "Nothing was heard of nobody.knows in this time." in told

    asyncio.run(run())


def test_after_an_outage_the_latest_week_alone_is_told(tmp_path: Path) -> None:
    async def run() -> list[str]:
        house = in_house(tmp_path, at("2024-03-18 12:00"))
        weekly = {**DIGEST, "every": "week", "to": ["ann@example.com"]}
        async with MailServer() as mails:
            async with house.open("w-1") as living:
                await put(living, weekly)
                alerts = mailed_by(await rolled(living, some()), mails)
                await alerts.digests.look()  # nothing was due since it is in force
                await alerts.delivery.deliver()
                assert mails.got == []
            house.clock.advance(15 * DAY_MS)  # 2 April: two weeks were due meanwhile
            async with house.open("w-2") as living:
                alerts = mailed_by(await rolled(living, []), mails)
                for _ in range(3):
                    await alerts.digests.look()
                    await alerts.delivery.deliver()
            return [mail["Subject"] for mail in mails.got]

    assert asyncio.run(run()) == ["daily: Week 13 of 2024, 25 to 31 March"]


@pytest.mark.parametrize("step", [0, 1, 2, 4, 5, 6, 8, 11])
def test_a_kill_at_any_step_makes_no_second_digest(tmp_path: Path, step: int) -> None:
    """Steps of the commits that decide and deliver; the mail server's answer lies between."""

    async def run() -> list[Message]:
        house, passed = in_house(tmp_path, at("2024-03-30 05:30")), [-1 << 60]

        def kills(_step: int) -> None:
            passed[0] += 1
            if passed[0] == step:
                raise Killed

        async with MailServer() as mails:
            for worker in ("w-1", "w-2", "w-3"):
                async with house.open(worker) as living:
                    if worker == "w-1":
                        await put(living, DIGEST)
                    records = some() if worker == "w-1" else []
                    alerts = mailed_by(await rolled(living, records, kills), mails)
                    try:
                        if worker == "w-1":
                            await alerts.digests.look()
                            house.clock.advance(DAY_MS)
                            passed[0] = -1
                        for _ in range(2):
                            await alerts.digests.look()
                            await alerts.delivery.deliver()
                    except Killed:
                        house.clock.advance(60_000)
            facade = living.facade
            books = living.parts.rollups.books() if living.parts.rollups else {}
            assert [one for _, book in books.values() for one in waiting(book, b"d")] == []
            assert [key for _, book in books.values() for key in book.scan(b"b")] == []
            assert [name for _, book in books.values() for name, _ in known(book)] == ["daily"]
            assert facade is not None
            return mails.got

    got = asyncio.run(run())
    by_person: dict[str, set[str]] = {}
    for mail in got:
        by_person.setdefault(mail["To"], set()).add(mail["Message-ID"])
    assert {to: len(ids) for to, ids in by_person.items()} == {
        "ann@example.com": 1, "bo@example.com": 1,
    }  # fmt: skip
    assert len(got) <= 3  # one may go out twice: taken, and the kill came before that was kept
    assert len({part(mail, "text/html") for mail in got}) == 1
    assert len({part(mail, "application/pdf") for mail in got}) == 1


def test_a_dashboard_is_mailed_with_pictures_and_a_pdf_and_nothing_of_it_is_markup(
    tmp_path: Path,
) -> None:
    async def run() -> Message:
        house = in_house(tmp_path, at("2024-03-28 05:30"))
        document = {**DIGEST, "dashboard": "growth", "to": ["ann@example.com"]}
        del document["metrics"]
        async with house.open() as living, MailServer() as mails:
            await put(living, BOARD, document)
            facade = await rolled(living, some())
            alerts = mailed_by(facade, mails)
            sent = await facade.send_digest("daily", datetime(2024, 3, 27).date(), None)
            assert sent is not None and (sent.first, sent.last) == ("2024-03-27", "2024-03-27")
            await alerts.delivery.deliver()
        return mails.got[0]

    mail = asyncio.run(run())
    assert mail["Subject"] == "Growth <b>& more: Wednesday 27 March 2024"
    html, text = part(mail, "text/html"), part(mail, "text/plain")
    assert "<script>" not in html and "<b>" not in html
    assert "Stars &lt;script&gt;" in html and "&lt;b&gt;" in html
    assert text.index("<b>: 71, +16.4 % to the day before") < text.index("<a>: 70")
    pictures = [one for one in mail.walk() if one.get_content_type() == "image/png"]
    assert [one["Content-ID"] for one in pictures] == ["<chart-0>", "<chart-1>"]
    assert all(f"cid:chart-{n}" in html for n in (0, 1))
    printed = words(part(mail, "application/pdf").encode("latin-1"))
    for text in ("Growth <b>& more", "Wednesday 27 March 2024", "Stars <script>", "+16.4 %"):
        assert text in printed
    file = next(one for one in mail.walk() if one.get_content_type() == "application/pdf")
    assert file.get_filename() == "growth-b-more-2024-03-27.pdf"


def test_what_is_asked_for_twice_with_a_key_is_sent_once(tmp_path: Path) -> None:
    async def run() -> None:
        house = in_house(tmp_path, at("2024-03-28 05:30"))
        async with house.open() as living, MailServer() as mails:
            await put(living, {**DIGEST, "to": ["ann@example.com"]})
            facade = await rolled(living, some())
            with pytest.raises(DigestRefused, match="SLUICE_SMTP_URL"):
                await facade.send_digest("daily", None, None)
            alerts = mailed_by(facade, mails)
            first = await facade.send_digest("daily", None, "k")
            await alerts.delivery.deliver()
            assert first == await facade.send_digest("daily", None, "k")
            with pytest.raises(IdempotencyConflict):
                await facade.send_digest("daily", datetime(2024, 3, 1).date(), "k")
            with pytest.raises(DigestRefused, match="has not begun"):
                await facade.send_digest("daily", datetime(2024, 4, 1).date(), None)
            assert await facade.send_digest("nope", None, None) is None
            await alerts.delivery.deliver()
            assert len(mails.got) == 1
            await facade.send_digest("daily", None, None)
            (state,) = await facade.digests()
            assert [one.to for one in state.waiting] == ["ann@example.com"]
            await alerts.delivery.deliver()
            assert len({mail["Message-ID"] for mail in mails.got}) == 2

    asyncio.run(run())


def test_a_mail_server_that_is_away_gets_the_latest_once_it_is_back(tmp_path: Path) -> None:
    async def run() -> list[str]:
        house = in_house(tmp_path, at("2024-03-27 05:30"))
        async with house.open() as living, MailServer() as mails:
            await put(living, {**DIGEST, "to": ["ann@example.com"]})
            facade = await rolled(living, some())
            alerts = mailed_by(facade, mails)
            back = alerts.delivery.sender
            away = NoticeSettings("smtp://127.0.0.1:9")
            alerts.delivery.sender = Notices(away, Outbound())
            for _ in range(3):
                house.clock.advance(DAY_MS)
                await alerts.digests.look()
                await alerts.delivery.deliver()
            (state,) = await facade.digests()
            assert "the mail server" in state.waiting[0].detail and len(state.waiting) == 1
            alerts.delivery.sender = back
            alerts.delivery.tried.clear()
            await alerts.delivery.deliver()
            return [mail["Subject"] for mail in mails.got]

    assert asyncio.run(run()) == ["daily: Thursday 28 March 2024"]
