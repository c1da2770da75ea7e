"""What befalls campaigns at work: workers that are killed, stores that are restarted."""

import random
from collections.abc import Callable, Sequence

from tests.faults.campaign_cluster import CampaignCluster
from tests.faults.cluster import START_S
from tests.faults.process import NoAnswer
from tests.waiting import until


class Killing:
    """A `meddle` of a cluster: kills a worker at random while it is at work, and now and then does
    one of `servers`, which restarts a server."""

    def __init__(
        self, kills: int, chance: float, seed: int, servers: Sequence[Callable[[], None]] = ()
    ) -> None:
        self.left = kills
        self.restarted = 0
        self._chance = chance
        self._rng = random.Random(seed)
        self._servers = servers

    def __call__(self, cluster: CampaignCluster) -> None:
        rng = self._rng
        while self.left and rng.random() < self._chance:
            self.left -= 1
            if self._servers and rng.random() < 0.4:
                rng.choice(self._servers)()
                self.restarted += 1
            number = rng.choice(sorted(cluster.workers))
            self._reach(cluster, number, rng.randrange(8))
            cluster.again(number)

    def _reach(self, cluster: CampaignCluster, number: int, commits: int) -> None:
        """Returns when the worker has made so many commits more, or has nothing left to do."""
        process = cluster.workers[number]
        made: list[int] = []

        def look() -> bool:
            try:
                made.append(process.ask("commits"))
                idle = not process.ask("quiet", at_ms=cluster.at_ms)["busy"]
            except NoAnswer:
                return True  # while it starts: it is hit there
            return made[-1] >= made[0] + commits or idle

        until(look, START_S)
