"""What is kept beside sessions grows with them: known events, dead letters, and retractions under
way.
"""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agents.chunks import Parcel, encode_parcel
from agents.replay_messages import Forget, encode, home_of
from tests.agents import test_replay_histories as replays
from tests.agents import test_retractions as retractions
from tests.agents.replaying import ask, letters, replay
from tests.agents.test_engine_histories import flush_all
from tests.agents.test_growing import _small_pieces  # fixture
from tests.agents.world import NAMES, World

__all__ = ["_small_pieces"]

ACCOUNTS = [f"k{i}" for i in range(8)]
lost_or_kept = pytest.mark.parametrize("lost", [False, True], ids=["disk kept", "disk lost"])
steps = pytest.mark.parametrize("step", range(1, 31, 4))


def grow_with_a_kill(world: World, step: int, *, lost: bool) -> None:
    """Grows from 2 shards to 5, and is killed at that step of it."""
    world.run(world.grow(5, "usage"))
    world.kill_at = world.passed + step
    world.run(world.work(10, commit=True))
    if lost:
        world.disks.clear()


@lost_or_kept
@steps
@pytest.mark.parametrize("flushed", [False, True], ids=["open", "flushed"])
def test_events_that_are_known_stay_known(step: int, lost: bool, flushed: bool) -> None:
    events = [retractions.usage(account, n, 1) for n, account in enumerate(ACCOUNTS)]
    world = retractions.lived(events, flushed=flushed)
    again = [retractions.usage(account, n + 100, 2) for n, account in enumerate(ACCOUNTS)]
    world.run(world.produce("usage", 1, [*events, *again]))
    grow_with_a_kill(world, step, lost=lost)
    world.settle()
    world.run(world.produce("usage", 4, [*again, *events]))
    world.settle()
    retractions.flush_all(world)
    totals = world.totals()["acc"]
    assert totals["balanced"]
    assert (totals["count"]["in"], totals["count"]["flushed"]) == (40, 16)
    assert totals["count"]["duplicates"] == 24
    found = retractions.flushes(world)
    assert sum(record["values"]["sum_bytes"] for record in found) == 24


@lost_or_kept
@steps
def test_letters_are_replayed_once(step: int, lost: bool) -> None:
    world = World()
    world.run(world.apply(replays.STRICT, replays.KEYED))
    refused = [{"account": a, "product": "x", "bytes": "many"} for a in ACCOUNTS]
    produced = replays.play(world, [("produce", 0, refused)])
    world.run(world.apply(replays.MENDED, replays.KEYED_MENDED))
    first = [told.letter for told in letters(world).values()]
    world.run(ask(world, first[::2], "one"))  # some are on their way when their home moves
    grow_with_a_kill(world, step, lost=lost)
    world.run(ask(world, first, "two"))  # by who has not heard of it
    world.settle()
    assert all(told.replayed for told in letters(world).values())
    flush_all(world)
    replays.check(world, produced, "acc")
    replays.check(world, produced, "keyed")


@lost_or_kept
@steps
@pytest.mark.parametrize("flushed", [False, True], ids=["open", "flushed"])
def test_events_are_taken_back_once(step: int, lost: bool, flushed: bool) -> None:
    events = [retractions.usage(account, n, 1 << n) for n, account in enumerate(ACCOUNTS)]
    world = retractions.lived(events, flushed=flushed)
    for offset in (0, 3, 5):
        world.run(retractions.ask(world, events[offset], offset))
    grow_with_a_kill(world, step, lost=lost)
    for offset in (3, 6):
        world.run(retractions.ask(world, events[offset], offset))
    world.settle()
    retractions.flush_all(world)
    totals = world.totals()["acc"]
    assert totals["balanced"]
    assert totals["count"]["flushed"] == 4
    found = retractions.flushes(world)
    assert sum(record["values"]["sum_bytes"] for record in found) == 2 + 4 + 16 + 128
    assert sum("retracts" in record for record in found) == 4


grow_step = st.one_of(
    replays.step,
    st.tuples(st.just("grow"), st.integers(3, 5)),
    st.tuples(st.just("cross")),
    st.tuples(st.just("control")),
)


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    before=st.lists(replays.step, max_size=8),
    shards=st.integers(3, 5),
    after=st.lists(grow_step, max_size=14),
)
def test_any_history_with_a_growth_applies_a_letter_once_or_keeps_it(
    before: list[Any], shards: int, after: list[Any]
) -> None:
    world = World()
    world.run(world.apply(replays.STRICT, replays.KEYED))
    produced: replays.Produced = {}
    for event in [*before, ("grow", shards), *after]:
        match event:
            case ("grow", number):
                world.run(world.grow(number, "usage"))
            case ("cross",):
                world.run(world.cross())
            case ("control",):
                world.run(world.control())
            case _:
                replays.happen(world, event, produced)
    world.log.survives = lambda _topic, n: n
    world.settle()
    flush_all(world)
    replays.check(world, produced, "acc")
    replays.check(world, produced, "keyed")


def asked_for(world: World, message: Any, letter_id: str) -> None:
    """A message to the home by who knows of two shards only."""
    parcel = encode_parcel(Parcel(0, [], [], replays=[encode(message)]))
    row = (None, parcel, None, ())
    world.run(world.log.append(NAMES.sessions_in, home_of(letter_id, 2), [row]))


def test_a_replay_that_was_erased_and_comes_again_after_a_growth_is_known() -> None:
    world = World()
    world.run(world.apply(replays.STRICT))
    refused = [{"account": a, "product": "x", "bytes": "many"} for a in ACCOUNTS]
    replays.play(world, [("produce", 0, refused)])
    world.run(world.apply(replays.MENDED))
    replay(world)
    for account in ACCOUNTS:
        world.run(world.command("erase", "acc", group={"account": account}))
    world.settle()
    world.run(world.grow(5, "usage"))
    world.settle()
    for number in range(2):
        world.log.positions["sluice", (NAMES.sessions_in, number)] = 0
    world.engine = None
    world.settle()
    flush_all(world)
    totals = world.totals()["acc"]["count"]
    assert (totals["deleted"], totals["flushed"]) == (len(ACCOUNTS), 0)


def test_a_letter_is_erased_by_who_has_not_heard_of_a_growth() -> None:
    world = World()
    world.run(world.apply(replays.STRICT))
    refused = [{"account": a, "product": "x", "bytes": "many"} for a in ACCOUNTS]
    replays.play(world, [("produce", 0, refused)])
    world.run(world.apply(replays.MENDED))
    first = [told.letter for told in letters(world).values()]
    world.run(world.grow(5, "usage"))
    world.settle()
    now = world.clock.now_ms()
    for letter in first:
        asked_for(world, Forget(letter.id, letter.aggregator, letter.topic, now), letter.id)
    world.settle()
    world.run(ask(world, first, "late"))
    world.settle()
    told = world.outputs("dead-letters")
    assert {record["id"] for record in told if "erased_at" in record} == {one.id for one in first}
    assert not any("replayed_at" in record for record in told)
    assert "acc" not in world.totals() or world.totals()["acc"]["count"]["open"] == 0
