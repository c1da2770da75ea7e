"""A topic about campaigns is not emptied into dead letters: the worker stops, and stops again."""

import pytest

from agents.limits import TooManyLetters
from domain.aggregation.limit import NONE, Limit
from domain.campaigns import machine
from domain.campaigns.document import FlowsOf
from tests.agents.campaign_world import CampaignWorld
from tests.agents.test_campaign_rules import Story
from tests.domain.campaigns.kit import flow

UNKNOWN = {"event": "started", "execution_id": "morning-00.20251103.-.1.1.1"}


def world() -> CampaignWorld:
    return CampaignWorld(machine=machine, flows=FlowsOf(flow(name="morning")), limit=Limit(3, 0))


def settled(one: CampaignWorld) -> None:
    while one.run(one.work(1_000, commit=True)):
        pass


def test_results_that_no_order_knows_stop_the_worker_at_the_limit_and_again() -> None:
    one = world()
    one.run(one.produce("execution-results", 0, *[UNKNOWN] * 3))
    settled(one)
    one.run(one.produce("execution-results", 0, *[UNKNOWN] * 5))
    for _ in range(2):
        with pytest.raises(TooManyLetters, match="4 records in a row were refused for campaigns"):
            settled(one)
        assert len(one.outputs("dead-letters")) == 3
    one.limit = NONE
    settled(one)
    assert len(one.outputs("dead-letters")) == 8


def test_records_that_can_not_be_read_stop_it_too() -> None:
    one = world()
    one.run(one.produce("campaign-events", 0, *[b"{"] * 4))
    with pytest.raises(TooManyLetters):
        settled(one)
    assert one.outputs("dead-letters") == []


def test_what_is_taken_ends_the_run() -> None:
    story = Story()
    story.world.limit = Limit(3, 0)
    request = "topical-0011223344556677"
    for _ in range(4):
        for _ in range(3):
            story.command("pause", "topical-0000000000000000", {})
        story.command("resume", request, {})
    settled(story.world)
    assert len(story.world.outputs("dead-letters")) == 12
