"""Workers that keep standby copies for each other are killed, in commits, while they follow, and
while they take over from a copy."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.cluster import Cluster, running
from tests.faults.test_random_kills import campaign

pytestmark = [pytest.mark.kafka, pytest.mark.faults, pytest.mark.timeout(3600)]


@pytest.fixture
def pair(kafka: str, tmp_path: Path, unique: Callable[[str], str]) -> Cluster:
    """A cluster without workers yet, on Kafka, whose shards have a copy each."""
    return Cluster(kafka, tmp_path, unique("app"), settings={"standby": "1"})


@pytest.mark.parametrize("seed", range(3))
def test_kills_at_random_with_standby_copies_lose_and_repeat_nothing(
    pair: Cluster, seed: int
) -> None:
    pair.reseed(seed)
    campaign(pair, 10)


@pytest.mark.parametrize("step", range(5))
def test_who_takes_over_is_killed_at_its_first_commits_and_the_next_goes_on(
    pair: Cluster, step: int
) -> None:
    with running(pair, 2):
        pair.feed(4)
        pair.start(2, kill=f"{step}:{2 + step}")  # dies as soon as it has taken something over
        pair.feed(4)
        pair.kill(0)
        pair.feed(4)
        pair.start(0)
        pair.feed(2)
        pair.workers.pop(2).kill()  # if it has not killed itself
        pair.feed(2)
        assert pair.check() > 0
