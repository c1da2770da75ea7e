"""Alerts: told once, on the topic and in a row, and ended."""

import json

from domain.campaigns.alerts import alerts_json
from domain.campaigns.document import CampaignAlert
from domain.campaigns.keys import TOLD
from domain.notices import waiting
from tests.domain.campaigns.kit import Shard, flow

FAILURES = CampaignAlert(name="bad-slot", over_percent=20)
MISSED = CampaignAlert(name="no-day", creation_missed=True)
SILENT = CampaignAlert(name="silence", silent_ms=600_000)


def test_a_slot_that_ends_with_too_many_failures_is_told_once_and_for_a_day() -> None:
    shard = Shard(flow(channels=2), FAILURES)
    shard.upload(5, days=2)
    shard.until("2025-11-03 10:00")
    for order in shard.orders():
        shard.started(order)
        shard.finished(order)
    shard.jump("2025-11-03 12:01")  # nobody worked meanwhile: the others are out of their slot
    (told,) = shard.sent("alerts")
    assert told["alert"] == "bad-slot" and told["state"] == "started"
    assert (told["value"], told["mark"]) == (60, 20)
    assert (told["day"], told["slot"]) == ("2025-11-03", "10:00-12:00")
    assert alerts_json(shard.book) == [told]
    shard.until("2025-11-04 10:00")
    assert len(shard.sent("alerts")) == 1
    shard.until("2025-11-04 12:02")
    states = [(each["day"], each["state"]) for each in shard.sent("alerts")]
    assert ("2025-11-03", "ended") in states


def test_a_slot_at_the_mark_is_no_alert() -> None:
    shard = Shard(flow(), CampaignAlert(name="bad-slot", over_percent=50))
    shard.upload(2)
    shard.until("2025-11-03 10:00")
    first, second = shard.orders()
    shard.started(first)
    shard.finished(first)
    shard.until("2025-11-03 12:10")
    assert shard.states()[1] == "FAILED:NO_ACK" and second
    assert shard.sent("alerts") == []


def test_a_day_that_nobody_made_is_told() -> None:
    shard = Shard(flow(), MISSED)
    shard.upload(2, days=3)
    shard.jump("2025-11-05 08:00")
    (told,) = shard.sent("alerts")
    assert (told["alert"], told["day"]) == ("no-day", "2025-11-04")
    assert told["since"] == "2025-11-03T18:30:00.000Z"  # midnight in the flow's zone


def test_a_silent_executor_is_told_until_it_speaks() -> None:
    shard = Shard(flow(), SILENT)
    shard.upload(2)
    shard.until("2025-11-03 10:09")
    assert shard.sent("alerts") == []
    shard.until("2025-11-03 10:11")
    (told,) = shard.sent("alerts")
    assert told["state"] == "started" and told["value"] == told["mark"] == 600
    order, _ = shard.orders()
    shard.until("2025-11-03 11:00")
    shard.started(order)
    assert [each["state"] for each in shard.sent("alerts")] == ["started", "ended"]
    assert alerts_json(shard.book) == []


def test_an_executor_that_answers_is_not_silent_however_long_it_works() -> None:
    shard = Shard(flow(), SILENT)
    shard.upload(2)
    shard.until("2025-11-03 10:01")
    for order in shard.orders():
        shard.started(order)
    shard.until("2025-11-03 10:50")
    assert shard.sent("alerts") == []
    assert len([at for at, key in shard.book.wakes if key.startswith(b"i/")]) <= 1


def test_a_document_that_comes_later_finds_the_silence() -> None:
    shard = Shard(flow())
    shard.upload(2)
    shard.until("2025-11-03 10:30")
    shard.change(*shard.documents, SILENT)
    shard.until("2025-11-03 11:30")
    assert [each["state"] for each in shard.sent("alerts")] == ["started"]


def test_people_are_told_once_when_it_starts_and_once_when_it_ends() -> None:
    told = {"to": ("ann@example.com",), "sms": ("+46700000001",), "webhook": "https://x.example/"}
    alert = CampaignAlert(name="silence", silent_ms=600_000, **told)  # type: ignore[arg-type]
    shard = Shard(flow(), alert)
    shard.upload(2)
    shard.until("2025-11-03 10:30")
    started = list(waiting(shard.book, TOLD))
    assert sorted((one.kind, one.target) for one in started) == [
        ("mail", "ann@example.com"), ("sms", "+46700000001"), ("webhook", "https://x.example/"),
    ]  # fmt: skip
    (topic,) = shard.sent("alerts")
    assert json.loads(started[0].body) == topic
    assert started[0].subject == f"silence started: {topic['text']}"
    order = shard.orders()[0]
    shard.started(order)
    shard.until("2025-11-03 10:31")
    ids = [one.id for one in waiting(shard.book, TOLD)]
    assert len(ids) == 6 and len(set(ids)) == 2
    assert {id.rpartition("/")[2] for id in ids} == {"started", "ended"}


def test_an_alert_whose_document_is_gone_ends_for_the_topic_alone() -> None:
    shard = Shard(flow(), CampaignAlert(name="silence", silent_ms=600_000, to=("a@x.example",)))
    shard.upload(2)
    shard.until("2025-11-03 10:30")
    shard.flows.campaign_alerts = ()
    shard.started(shard.orders()[0])
    assert [each["state"] for each in shard.sent("alerts")] == ["started", "ended"]
    assert [one.id[-7:] for one in waiting(shard.book, TOLD)] == ["started"]
