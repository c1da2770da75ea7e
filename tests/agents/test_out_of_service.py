"""A stored document that this release refuses stops nobody, and what it would take waits for it."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from agents.campaign_flows import FlowsInForce
from agents.letters import Letter
from agents.replay_decisions import Decider
from agents.shards import NotOwned
from config.documents import registry
from config.documents.base import Document, DocumentError, Problem
from config.documents.flow import load_flow
from tables import in_force
from tables.in_force import out_of_service
from tables.out_of_service import OutOfService
from tests.agents.world import LIMIT, NAMES, START_MS, World, aggregator

HOUR_MS = 3_600_000
OLD = aggregator("old", ttl_days=7)
MENDED = aggregator("old", ttl_days=9)
OTHER = aggregator("other", input="calls")
A_FLOW: dict[str, Any] = {
    "kind": "flow",
    "name": "reminder",
    "timezone": "Asia/Kolkata",
    "country": "IN",
    "working_time": {"start": "09:00", "end": "21:00", "days": ["mon", "tue"]},
    "channels": 2,
    "lease": {"seconds": 120},
    "executor": "topic",
    "max_slots_per_day": 2,
    "max_days": 30,
}


@pytest.fixture
def stricter(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From the call on, a release that refuses aggregators with these days and any flow."""
    load = registry.KINDS["aggregator"]

    def refusing(data: Mapping[str, Any]) -> Document:
        if data.get("ttl_days") == 7:
            raise DocumentError([Problem("ttl_days", data["ttl_days"], "another number")])
        return load(data)

    def few(data: Mapping[str, Any]) -> Document:
        if data["channels"] == 9:
            raise DocumentError([Problem("channels", 9, "fewer")])
        return load_flow(data)

    def none(data: Mapping[str, Any]) -> Document:
        raise DocumentError([Problem("per_number", data["per_number"], "none")])

    def begin() -> None:
        in_force._loaded.cache_clear()
        monkeypatch.setitem(registry.KINDS, "aggregator", refusing)
        monkeypatch.setitem(registry.KINDS, "flow", few)
        monkeypatch.setitem(registry.KINDS, "contact_policy", none)

    return begin


def for_a_while(times: int = 3) -> Callable[[], bool]:
    """An assignment that ends when it was asked for so often."""
    left = iter(range(times))
    return lambda: next(left, None) is not None


def filled() -> World:
    """A world with two documents, each with an open session of 5 bytes."""
    world = World(inputs=("usage", "calls"))
    world.run(world.apply(OLD, OTHER))
    for topic in world.inputs:
        world.run(world.produce(topic, 0, [{"account": "a", "bytes": 5}]))
    world.settle()
    return world


async def feed(world: World) -> set[str]:
    """Everything that waits on every partition; the topics that are left with something."""
    held = set()
    engine = await world._alive()
    for topic, partition in sorted(world.log.rows):
        at = world.log.positions.get(("sluice", (topic, partition)), 0)
        items = world.log.rows[topic, partition][at:]
        if topic not in (*world.inputs, NAMES.sessions_in) or not items:
            continue
        try:
            await engine.take(topic, partition, items, for_a_while())
            world.log.positions["sluice", (topic, partition)] = items[-1][0] + 1
        except NotOwned:
            held.add(topic)
    return held


def opened(world: World) -> dict[str, int]:
    """Records in open sessions by aggregator."""
    return {name: one["count"]["open"] for name, one in world.totals().items()}


def test_a_document_that_is_refused_now_stops_no_worker_and_its_input_waits(
    stricter: Callable[[], None],
) -> None:
    world = filled()
    stricter()
    for topic in world.inputs:
        world.run(world.produce(topic, 0, [{"account": "a", "bytes": 2}]))
    assert world.run(feed(world)) == {"usage"}
    world.run(feed(world))
    assert opened(world) == {"old": 1, "other": 2}
    world.clock.advance(2 * HOUR_MS)
    world.run(world.tick())
    assert [one["aggregator"] for one in world.outputs()] == ["other"]
    assert opened(world) == {"old": 1, "other": 0}
    assert world.outputs("dead-letters") == []
    (lost,) = out_of_service(world.documents())
    assert (lost.kind, lost.name, lost.version) == ("aggregator", "old", 1)
    assert "ttl_days" in lost.reason


def test_a_release_that_reads_it_again_goes_on_as_if_nothing_had_been(
    stricter: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    world = filled()
    stricter()
    world.run(world.produce("usage", 0, [{"account": "a", "bytes": 2}]))
    assert world.run(feed(world)) == {"usage"}
    monkeypatch.undo()
    assert world.run(feed(world)) == set()
    world.run(feed(world))
    assert opened(world) == {"old": 2, "other": 1}


def test_a_mended_version_takes_what_has_waited(stricter: Callable[[], None]) -> None:
    world = World()
    world.run(world.apply(OLD))
    stricter()
    world.run(world.produce("usage", 0, [{"account": "a", "bytes": 2}]))
    assert world.run(feed(world)) == {"usage"}
    world.run(world.apply(MENDED))
    assert world.run(feed(world)) == set()
    world.run(feed(world))
    assert opened(world) == {"old": 1}
    assert world.outputs("dead-letters") == []


def test_a_session_of_a_version_that_is_refused_stays_as_it_is_and_what_would_meet_it_waits(
    stricter: Callable[[], None],
) -> None:
    world = filled()
    stricter()
    world.run(world.apply(MENDED))
    world.run(world.produce("usage", 0, [{"account": "a", "bytes": 2}]))
    assert world.run(feed(world)) == set()
    assert world.run(feed(world)) == {NAMES.sessions_in}
    world.clock.advance(2 * HOUR_MS)
    world.run(world.tick())
    assert opened(world)["old"] == 1
    assert all(one["aggregator"] == "other" for one in world.outputs())


def test_what_was_routed_by_a_version_that_is_refused_waits(stricter: Callable[[], None]) -> None:
    world = World()
    world.run(world.apply(OLD))
    world.run(world.produce("usage", 0, [{"account": "a", "bytes": 2}]))
    assert world.run(feed(world)) == set()
    stricter()
    assert world.run(feed(world)) == {NAMES.sessions_in}
    assert world.totals() == {}


def test_what_was_applied_under_it_holds_nothing_when_it_comes_again(
    stricter: Callable[[], None],
) -> None:
    world = filled()
    shards = [at for at in world.log.positions if at[1][0] == NAMES.sessions_in]
    for at in shards:
        world.log.positions[at] = 0
    stricter()
    world.run(world.remove("aggregator", "old"))
    assert world.run(feed(world)) == set()
    assert opened(world) == {"old": 1, "other": 1}


def test_a_letter_is_not_replayed_past_who_is_out_of_service(stricter: Callable[[], None]) -> None:
    world = World()
    world.run(world.apply(OLD, aggregator("more")))
    letter = Letter("usage", 0, 0, None, "undecodable", "", b'{"account": "a"}', None, START_MS)
    decided = Decider(world.documents(), lambda: 2, LIMIT).decide(letter, START_MS)
    assert decided.stays is None
    stricter()
    decided = Decider(world.documents(), lambda: 2, LIMIT).decide(letter, START_MS)
    assert decided.stays is not None
    assert "out of service" in decided.stays.detail


def test_where_sessions_live_is_not_guessed(stricter: Callable[[], None]) -> None:
    world = World()
    world.run(world.apply({**OLD, "keyed_by": ["account"]}))
    world.run(world.apply(MENDED))
    stricter()
    (lost,) = out_of_service(world.documents())
    assert (lost.version, "version 1" in lost.reason) == (2, True)


def test_flows_are_halted_and_go_by_what_was_read_last(stricter: Callable[[], None]) -> None:
    world = World()
    kept, lost = {**A_FLOW, "name": "kept"}, {**A_FLOW, "channels": 9, "name": "lost"}
    world.run(world.apply(kept, {**lost, "channels": 3}, lost))
    flows = FlowsInForce(world.documents())
    assert not flows.halted("lost")
    stricter()
    flows = FlowsInForce(world.documents())
    assert flows.halted("lost")
    found, before = flows("lost"), flows("kept")
    assert found is not None
    assert before is not None
    assert (found.channels, before.channels) == (3, 2)
    assert not flows.halted("kept")


def test_a_contact_policy_that_is_refused_halts_the_flows_it_names(
    stricter: Callable[[], None],
) -> None:
    world = World()
    policy = {"kind": "contact_policy", "name": "calm", "per_number": {"per_day": 2}}
    world.run(world.apply(A_FLOW, {**policy, "flows": [A_FLOW["name"]]}))
    stricter()
    flows = FlowsInForce(world.documents())
    assert flows.halted(A_FLOW["name"])
    assert not flows.halted("another")


def test_one_without_a_version_that_can_be_read_is_told_though_others_can(
    stricter: Callable[[], None],
) -> None:
    world = filled()
    stricter()
    documents = world.documents()
    world.run(feed(world))
    assert documents.newest("other").version == 1
    with pytest.raises(OutOfService, match="aggregator/old version 1 is out of service"):
        documents.newest("old")
