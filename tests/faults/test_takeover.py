"""Workers come, go, die and sleep: others go on with their partitions."""

import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.cluster import START_S, Cluster, running
from tests.faults.usage import BY_PRODUCT, PARTITIONS
from tests.waiting import until

pytestmark = pytest.mark.kafka
TAKE_OVER_S = 15.0  # what is promised, with the settings as they are by default


@pytest.fixture
def pair(kafka: str, tmp_path: Path, unique: Callable[[str], str]) -> Cluster:
    """A cluster without workers yet, on Kafka, with 3 s of patience for the silent."""
    return Cluster(kafka, tmp_path, unique("app"))


def test_killed_workers_sessions_are_applied_and_flushed_by_another_within_15_s(
    pair: Cluster,
) -> None:
    pair.settings |= {"session_timeout_s": "", "commit_interval_s": "", "tick_interval_s": ""}
    with running(pair, 2):
        until(lambda: pair.workers[0].ask("shards") and pair.workers[1].ask("shards"), START_S)
        pair.feed(5)
        pair.kill(0)
        killed = time.monotonic()
        pair.feed(1)
        pair.settle()
        took = time.monotonic() - killed
        print(f"taken over, applied and flushed after {took:.1f} s")
        assert took < TAKE_OVER_S
        pair.check()


@pytest.mark.parametrize(
    "step", [0, *(pytest.param(n, marks=pytest.mark.faults) for n in (1, 2, 3))]
)
def test_worker_stopped_in_a_commit_past_its_session_writes_nothing_that_survives(
    pair: Cluster, step: int
) -> None:
    with running(pair):
        sleeper = pair.start(1, stop=f"{step}:4")

        def stopped() -> bool:
            pair.feed_through(0)
            return sleeper.stopped

        until(stopped, START_S)
        asleep = pair.workers.pop(1)
        until(lambda: len(pair.shards()) == PARTITIONS, START_S, "the other one owns all")
        pair.feed(3)
        pair.settle()
        sleeper.signal(signal.SIGCONT)
        pair.workers[1] = asleep
        if step == 0:
            until(lambda: sleeper.ask("failures"), START_S, "fenced, for its claim is not the last")

        def works_again() -> bool:
            pair.feed_through(0)
            owned = [set(process.ask("shards")) for process in pair.workers.values()]
            return all(owned) and sum(map(len, owned)) == PARTITIONS

        until(works_again, START_S, "it began afresh by itself, and has its share")
        failures = sleeper.ask("failures")
        assert all(failure.startswith("Fenced") for failure in failures), failures
        pair.check()


def test_static_member_that_comes_back_with_other_roles_is_given_what_they_need(
    pair: Cluster,
) -> None:
    pair.documents = [BY_PRODUCT]
    pair.settings["session_timeout_s"] = "8"  # it is back before it is given up
    pair.start(0, member="m", roles="aggregate")
    with running(pair, 0):
        pair.kill(0)
        pair.start(0, member="m")
        pair.feed(2)
        pair.check()


def test_rebalances_every_few_seconds_lose_and_repeat_nothing(pair: Cluster) -> None:
    with running(pair, 2):
        for n in range(3):
            third = pair.start(2)
            until(lambda third=third: _fed(pair) and third.ask("shards"), START_S)  # type: ignore[misc]  # bound now
            if n % 2:
                pair.kill(2)
            else:
                del pair.workers[2]
                assert third.stop() == 0
            pair.feed(2)
        failures = [process.ask("failures") for process in pair.workers.values()]
        assert failures == [[], []]
        pair.check()


def _fed(pair: Cluster) -> bool:
    pair.feed_through(0)
    return True
