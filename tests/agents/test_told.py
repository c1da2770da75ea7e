"""Commands given by way of topics are told for the trail; those over HTTP are there already."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

from agents.told import HEADERS, Asked, campaign_changes
from app.trail.by_topic import entry_asked
from tables.stream import Item
from tests.agents.campaign_world import CampaignWorld
from tests.agents.world import NAMES, START_MS, World, aggregator

REQUEST = "f-0000000000000000"


def item(offset: int, headers: Any = (), **event: Any) -> Item:
    return offset, START_MS, REQUEST.encode(), json.dumps(event).encode(), headers


def command(name: str, **more: Any) -> dict[str, Any]:
    return {"kind": "command", "id": "c", "command": name, "request_id": REQUEST, **more}


def test_what_changes_a_campaign_is_told_once_and_nothing_else_is() -> None:
    items = [
        item(0, **command("revoke", actor="jobs", reason="over", body={})),
        item(1, HEADERS, **command("revoke", actor="kim", body={})),
        item(2, **command("pause", body={"dry_run": True})),
        item(3, **command("pause", body={"reason": "a test"})),
        item(4, **command("rows", body={})),
        item(5, kind="funnel", command="revoke"),
        item(6, **command("resume", body={})),
        (7, START_MS, None, b'no "command"', ()),
        (8, START_MS, None, b'["command"]', ()),
        (9, START_MS, None, None, ()),
        item(10, **command("revoke", body={"dry_run": "yes"})),
    ]
    told = list(campaign_changes("campaign-events", 3, items, {6}))
    assert [(one.offset, one.actor, one.action, one.about, one.reason) for one in told] == [
        (0, "jobs", "campaigns.revoke", REQUEST, "over"),
        (3, "", "campaigns.pause", REQUEST, "a test"),
    ]
    entry = entry_asked(told[1])
    assert (entry.id, entry.actor, entry.outcome, entry.address) == (
        "campaign-events-3-3", "topic campaign-events", "asked", "topic campaign-events",
    )  # fmt: skip


def test_a_batch_of_campaign_events_is_told_of_before_it_is_done_with() -> None:
    world, told = CampaignWorld(), list[Asked]()

    async def tell(asked: Sequence[Asked]) -> None:
        assert not any(topic == NAMES.campaigns_in for topic, _ in world.log.rows)
        told.extend(asked)

    async def story() -> None:
        campaigns = await world.worker()
        campaigns._tell = tell
        batch = [item(0, **command("pause", body={})), item(1, **command("pause"), x=1)]
        await campaigns.take("campaign-events", 0, batch, lambda: True)

    asyncio.run(story())
    assert [one.offset for one in told] == [0, 1]
    assert any(topic == NAMES.campaigns_in for topic, _ in world.log.rows)


def test_an_operators_command_is_told_when_it_is_handed_on() -> None:
    world, told = World(), list[Asked]()

    async def tell(asked: Sequence[Asked]) -> None:
        told.extend(asked)

    async def story() -> None:
        engine = await world._alive()
        desk = engine.command_desk(tell)
        body = {"kind": "command", "id": "c1", "action": "flush", "aggregator": "acc",
                "group": {"account": "a"}, "actor": "jobs", "reason": "month end"}  # fmt: skip
        given = (7, START_MS, b"command/c1", json.dumps(body).encode())
        await desk.take(engine.documents, 0, (*given, ()))
        await desk.take(engine.documents, 0, (*given, HEADERS))

    world.run(world.apply(aggregator()))
    asyncio.run(story())
    (one,) = told
    assert one == Asked("config", 0, 7, START_MS, "jobs", "sessions.flush", "acc", "month end")
    assert entry_asked(one).outcome == "done"
