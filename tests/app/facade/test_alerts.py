"""Alerts about metrics as people get them: by mail, gateway and webhook, and on the topic."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from agents.alert import NOTICE
from app.backend import IdempotencyConflict
from app.campaign_parts import CampaignMeans, CampaignParts
from app.facade.delivery import notices_of
from app.recoveries import Recoveries
from connectors.notices import Notices, NoticeSettings
from connectors.outbound import Outbound
from connectors.streams.base import Item
from connectors.streams.memory import Killed
from domain.campaigns.keys import TOLD
from domain.metrics.records import Record, Value, encode
from domain.notices import tell, waiting
from tests.app.facade.house import ME, NAMES, START_MS, House, Living
from tests.app.facade.rolled import rolled
from tests.app.facade.test_rollups import some, told_by
from tests.smtp import MailServer

ALERT = {
    "kind": "alert", "name": "too-high", "metric": "tank.level", "where": {"tank": "a"},
    "high": 100, "clear": 90, "for": "3s", "to": ["ann@example.com"], "sms": ["+46700000001"],
}  # fmt: skip


class Gateway:
    """A server that notes what is posted to it; the first `failing` posts are answered 503."""

    def __init__(self, failing: int = 0) -> None:
        self.got: list[tuple[dict[str, str], Any]] = []
        self.failing, self.url = failing, ""

    async def __aenter__(self) -> "Gateway":
        application = web.Application()
        application.router.add_post("/", self._take)
        self._runner = web.AppRunner(application)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def _take(self, request: web.Request) -> web.Response:
        if self.failing:
            self.failing -= 1
            return web.Response(status=503)
        self.got.append((dict(request.headers), await request.json()))
        return web.Response()


async def level(living: Living, offset: int, value: float) -> None:
    """One more figure of the tank, as of now, on the first partition."""
    values = [Value("tank.level", "gauge", {"tank": "a"}, value)]
    record = Record("tanks", "a", living.clock.now_ms(), offset, {}, values)
    items: list[Item] = [(offset, START_MS, None, encode(record), ())]
    assert living.parts.rollups is not None
    await living.parts.rollups.work.take(0, items, lambda: True)


def on_topic(living: Living) -> list[dict[str, Any]]:
    rows = [row for tp, part in living.log.rows.items() if tp[0] == "alerts" for row in part]
    return [json.loads(row[3] or b"") for row in rows]


def test_an_alert_is_told_once_when_it_starts_and_once_when_it_ends(tmp_path: Path) -> None:
    async def steps(living: Living) -> None:
        async with Gateway(failing=1) as gateway, MailServer() as mails:
            await living.put({**ALERT, "webhook": gateway.url})
            facade = await rolled(living, some())
            alerts = facade._alerts
            alerts.delivery.sender = Notices(
                NoticeSettings(mails.url, "sluice@example.com", gateway.url, "whsec_c2VjcmV0"),
                Outbound(loopback=True),
            )
            for second in range(60):
                await level(living, 100 + second, 101 if second % 5 < 4 else 95)
                await alerts.look()
                await alerts.look()
                living.clock.advance(1_000)
            assert [one["state"] for one in on_topic(living)] == ["started"]
            found = await facade.metric_alerts()
            assert [(one.name, one.started, one.value) for one in found] == [
                ("too-high", True, 101)
            ]
            await level(living, 200, 80)
            await alerts.look()
            told = on_topic(living)
            assert [(one["state"], one["value"], one["mark"]) for one in told] == [
                ("started", 101, 100), ("ended", 80, 100),
            ]  # fmt: skip
            await alerts.delivery.deliver()
            alerts.delivery.tried.clear()  # as if its time had come
            await alerts.delivery.deliver()
            ids = [mail["Message-ID"] for mail in mails.got]
            assert len(ids) == len(set(ids)) == 2
            assert {mail["To"] for mail in mails.got} == {"ann@example.com"}
            texts = [body for _, body in gateway.got if "to" in body]
            assert [one["to"] for one in texts] == ["+46700000001"] * 2
            hooks = [(head, body) for head, body in gateway.got if "alert" in body]
            assert sorted(body["state"] for _, body in hooks) == ["ended", "started"]
            assert all(head["webhook-signature"].startswith("v1,") for head, _ in hooks)
            books = living.parts.rollups.books().values() if living.parts.rollups else ()
            assert [notice for _, book in books for notice in waiting(book, NOTICE)] == []

    told_by(tmp_path, steps)


def test_a_message_that_goes_out_twice_has_one_id() -> None:
    async def run() -> list[str]:
        async with MailServer() as mails:
            sender = Notices(NoticeSettings(mails.url), Outbound(loopback=True))
            for _ in range(2):
                await sender.mail("ann@example.com", "a/m/1/started", "S\n: x", "text", START_MS)
            return [mail["Message-ID"] for mail in mails.got]

    first, second = asyncio.run(run())
    assert first == second


def test_silence_tells_nobody_but_the_topic_and_a_removed_alert_ends(tmp_path: Path) -> None:
    async def steps(living: Living) -> None:
        await living.put({**ALERT, "for": "0s"})
        facade = await rolled(living, some())
        alerts = facade._alerts
        assert await facade.change_alert("too-high", {"silent_until_ms": START_MS + 60_000})
        assert not await facade.change_alert("nobody", {"acknowledged_by": "ann"})
        await level(living, 100, 120)
        await alerts.look()
        books = living.parts.rollups.books().values() if living.parts.rollups else ()
        assert [one["state"] for one in on_topic(living)] == ["started"]
        assert [notice for _, book in books for notice in waiting(book, NOTICE)] == []
        assert await facade.change_alert("too-high", {"acknowledged_by": "ann"})
        assert (await facade.metric_alerts())[0].acknowledged_by == "ann"
        assert await facade.change_alert("too-high", {"acknowledged_by": "bo"}, "k")
        assert await facade.change_alert("too-high", {"acknowledged_by": "ann"}, "l")
        assert await facade.change_alert("too-high", {"acknowledged_by": "bo"}, "k")  # was done
        assert (await facade.metric_alerts())[0].acknowledged_by == "ann"
        with pytest.raises(IdempotencyConflict):
            await facade.change_alert("too-high", {"acknowledged_by": "eve"}, "k")
        await facade.delete_document("alert", "too-high", ME, 5.0)
        await alerts.look()
        assert [one["state"] for one in on_topic(living)] == ["started", "ended"]
        assert await facade.metric_alerts() == []

    told_by(tmp_path, steps)


def test_the_settings_say_what_can_be_sent(tmp_path: Path) -> None:
    async def steps(living: Living) -> None:
        sender = notices_of(living.parts.settings)
        assert (sender.can("mail"), sender.can("sms"), sender.can("webhook")) == (
            False, False, True,
        )  # fmt: skip

    told_by(tmp_path, steps)


@pytest.mark.parametrize("step", [None, 0, 1, 2, 3])
def test_an_alert_about_a_campaign_is_mailed_once_also_across_a_kill(
    tmp_path: Path, step: int | None
) -> None:
    """The kill comes at a step of the commit that notes that the first of two was taken."""

    async def run() -> list[str]:
        house, armed = House(tmp_path), list[int]()

        def kills(at: int) -> None:
            if at in armed:
                armed.clear()
                raise Killed

        async with MailServer() as mails:
            for worker in ("w-1", "w-2"):
                async with house.open(worker) as living:
                    campaigns = await calling(living, kills)
                    delivery = living.facade._alerts.delivery
                    delivery.sender = Notices(NoticeSettings(mails.url), Outbound())
                    if worker == "w-1":
                        async with campaigns.work.shards.use(1) as shard:
                            book = shard.ledger.book()
                            record = {"alert": "bad-slot", "state": "started", "text": "It is bad"}
                            people = ("ann@example.com", "bo@example.com")
                            tell(book, TOLD, "bad-slot/x/1/started", record, (people, (), None), 1)
                            await shard.ledger.commit(book)
                        armed += [] if step is None else [step]
                    try:
                        await delivery.deliver()
                        await delivery.deliver()
                    except Killed:
                        continue
                    left = [book for _, (_, _, book) in campaigns.books().items()]
                    assert [one for book in left for one in waiting(book, TOLD)] == []
                await campaigns.stop()
            return [f"{mail['To']} {mail['Message-ID']}" for mail in mails.got]

    got = asyncio.run(run())
    assert len(set(got)) == 2
    assert len(got) <= (2 if step is None else 3)


async def calling(living: Living, on_step: Callable[[int], None]) -> CampaignParts:
    """The campaigns of a worker, on shards of its own."""
    parts = living.parts
    made = CampaignParts(
        CampaignMeans(
            parts.settings, NAMES, living.clock, living.log, living.worker, living.engine.send,
            on_step, Recoveries(living.clock.now_ms), living.documents, Outbound(),
        )
    )  # fmt: skip
    object.__setattr__(parts, "campaigns", made)
    await made.work.assign({(NAMES.campaigns_in, number) for number in (0, 1)})
    for number in (0, 1):
        async with made.work.shards.use(number):
            pass  # it is open
    return made
