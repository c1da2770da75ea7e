"""kill -9 at random, operators' commands among the records: 20 in a normal run, 200 in a long
campaign.
"""

import pytest

from tests.faults.cluster import Cluster, running


def campaign(cluster: Cluster, kills: int) -> None:
    """Kills one worker after the other, whatever it is doing, and checks what is there at last."""
    rng = cluster.rng
    workers = 1 if cluster.embedded else 2
    with running(cluster, workers):
        for _ in range(kills):
            number = rng.randrange(workers)
            if rng.random() < 0.5:
                cluster.ready()  # otherwise it is hit while it starts, recovers or rebalances
            cluster.feed(rng.randrange(1, 5))
            for _ in range(rng.randrange(4)):
                cluster.command()
            if cluster.workers[number].dead:
                raise AssertionError(f"a worker ended by itself: {cluster.workers[number].log}")
            for _ in range(rng.randrange(3)):
                cluster.say(number)
            cluster.kill(number)
            cluster.start(number)
        cluster.feed(3)
        records = cluster.check()
        assert records > 60 * kills
        assert cluster.kills == kills
        assert sum(cluster.touched.values()) > kills, cluster.touched


def test_10_kills_at_random_lose_and_repeat_nothing(cluster: Cluster) -> None:
    campaign(cluster, 10)


@pytest.mark.faults
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(4))
def test_50_kills_at_random_lose_and_repeat_nothing(cluster: Cluster, seed: int) -> None:
    cluster.reseed(seed)
    campaign(cluster, 50)
