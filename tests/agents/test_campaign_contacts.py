"""The cap on contacts holds over flows of different shards, whatever is killed."""

import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agents.campaign_flows import FlowsOfShard
from agents.campaign_route import home_of, shard_of
from domain.campaigns import machine
from domain.campaigns.document import ContactPolicy, FlowsOf, flow_json
from domain.campaigns.rows import Channels, decode
from tests.agents.campaign_world import CampaignWorld
from tests.agents.world import Disk
from tests.domain.campaigns.kit import at, flow, number

START = at("2025-11-03 09:58")
NAMES = ("morning", "noon", "evening")
REQUESTS = tuple(f"{name}-001122334455667{i}" for i, name in enumerate(NAMES))
FLOWS = FlowsOf(
    *(flow(name=name, channels=3) for name in NAMES),
    ContactPolicy(name="calm", per_day=2),
)
NUMBERS = [number(i) for i in range(5)]
ROWS = [*NUMBERS, NUMBERS[0]]

step = st.one_of(
    st.tuples(st.just("work"), st.integers(1, 4), st.booleans(), st.integers(0, 8)),
    st.tuples(st.just("work"), st.integers(1, 4), st.booleans(), st.integers(0, 8)),
    st.tuples(st.just("tick")),
    st.tuples(st.just("tick")),
    st.tuples(st.just("answer")),
    st.tuples(st.just("advance"), st.sampled_from([1, 120, 3600])),
    st.tuples(st.just("change"), st.integers(0, 2), st.sampled_from(["pause", "resume", "revoke"])),
    st.tuples(st.just("kill"), st.integers(0, 4), st.integers(0, 4)),
    st.tuples(st.just("cut"), st.integers(0, 30), st.sampled_from(["changelog", "-in", "events"])),
    st.tuples(st.just("lose disk"), st.integers(0, 1)),
)


class Story:
    """Three campaigns with the same people, of flows that are kept by two shards."""

    def __init__(self) -> None:
        self.world = CampaignWorld(machine=machine, flows=FLOWS, apart=True)
        self.world.clock.advance(START - self.world.clock.now_ms())
        self.commands = 0
        for name, request in zip(NAMES, REQUESTS, strict=True):
            found = FLOWS(name)
            assert found is not None
            description = {"flow": name, "slots": ["10:00-12:00", "16:00-18:00"]}
            body = {"description": description, "flow": flow_json(found), "now_ms": START}
            self.command("upload", request, body)
            self.command("rows", request, {"first": 1, "rows": [[n, {}, None] for n in ROWS]})
            self.command("rows_end", request, {"accepted": len(ROWS)})

    def command(self, name: str, request: str, body: dict[str, Any]) -> None:
        self.commands += 1
        event: dict[str, Any] = {"kind": "command", "id": f"c{self.commands}", "command": name}
        event |= {"request_id": request, "body": body}
        self.world.run(self.world.produce("campaign-events", 0, event))

    def play(self, history: list[Any]) -> None:
        world = self.world
        for event in history:
            match event:
                case ("work", batch, commit, only):
                    world.run(world.work(batch, commit, None if only == 8 else only))
                case ("tick",):
                    world.run(world.tick())
                case ("advance", seconds):
                    world.clock.advance(seconds * 1000)
                case ("answer",):
                    self.answer()
                case ("change", which, name):
                    self.command(name, REQUESTS[which], {})
                case ("kill", on, passes):
                    world.kill_on, world.passes = on, passes
                case ("cut", left, where):
                    world.cut(left, [where])
                case ("lose disk", n):
                    world.disks.pop(n, None)

    def orders(self) -> dict[str, dict[str, Any]]:
        found = self.world.outputs("executions")
        return {each["execution_id"]: each for each in found if each["event"] == "execute"}

    def answer(self) -> None:
        told = [
            {"event": "finished", "execution_id": ident, "outcome": "COMPLETED"}
            for ident in self.orders()
        ]
        self.world.run(self.world.produce("execution-results", 0, *told))

    def end(self) -> None:
        """The day goes by."""
        self.world.settle()
        for minutes in (5, 5, 5, 350, 5, 5, 5, 300):
            self.world.clock.advance(minutes * 60_000)
            self.world.settle()
            self.answer()
            self.world.settle()

    def check(self) -> Counter[str]:
        contacts = Counter(order["number"] for order in self.orders().values())
        assert max(contacts.values(), default=0) <= 2, contacts
        rows = self.world.rows()
        kept = {k.decode().split("/")[1]: v for k, v in rows.items() if k.startswith(b"p/")}
        count = {n: len(decode(list, v)) for n, v in kept.items()}
        assert {n: c for n, c in count.items() if c} == contacts
        for row, value in rows.items():
            if row.startswith(b"h/"):
                channels = decode(Channels, value)
                assert (channels.busy, channels.asking) == (0, 0)
        letters = self.world.outputs("dead-letters")
        assert not letters, letters
        return contacts


def test_the_flows_and_the_numbers_are_on_both_shards() -> None:
    assert {shard_of(name, 2) for name in NAMES} == {home_of(n, 2) for n in NUMBERS} == {0, 1}
    assert not FlowsOfShard(FLOWS, 1 - home_of(NUMBERS[0], 2), 2).keeps(NUMBERS[0])


def test_each_person_is_contacted_as_often_as_the_policy_allows_over_all_shards() -> None:
    story = Story()
    story.end()
    assert story.check() == dict.fromkeys(NUMBERS, 2)
    failed = [
        json.loads(value or b"")["reason"]
        for (what, _), (_, value) in story.world.stored.items()
        if what == "fdds"
    ]
    assert failed.count("CONTACT_POLICY") == len(failed) - 2 * len(NUMBERS)


def test_a_yes_that_comes_too_late_is_given_back() -> None:
    story = Story()
    story.play([("work", 9, True, 8), ("tick",), ("advance", 180), ("tick",)])
    for request in REQUESTS[:2]:  # while the homes are asked
        story.command("revoke", request, {})
    story.end()
    assert story.check() == dict.fromkeys(NUMBERS, 2)


PLAIN = [("work", 9, True, 8), ("tick",), ("advance", 180), *[("tick",), ("work", 9, True, 8)] * 4]


@pytest.mark.parametrize("step", range(5))
@pytest.mark.parametrize("nth", range(0, 15, 2))
def test_a_kill_at_any_step_neither_loses_nor_doubles_a_contact(step: int, nth: int) -> None:
    story = Story()
    story.play([*PLAIN[:3], ("kill", step, nth), *PLAIN[3:]])
    story.end()
    assert story.check() == dict.fromkeys(NUMBERS, 2)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=40)
@given(st.lists(step, max_size=25))
def test_no_history_contacts_anybody_too_often(history: list[Any]) -> None:
    story = Story()
    story.play(history)
    story.world.disks = {n: Disk() for n in story.world.disks}
    story.end()
    story.check()
