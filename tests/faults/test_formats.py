"""State of the format before under the version after, and the way back, on both streams: by a disk
that was there, and from the changelog alone.
"""

import shutil

import pytest

from tests.faults.cluster import START_S, Cluster, running
from tests.waiting import until


def lose_disk(cluster: Cluster) -> None:
    """The stores of the worker's shards are gone; the log (embedded) stays."""
    shutil.rmtree(cluster.folder / "worker-0" / "data" / "tables")


def go(cluster: Cluster, formats: str = "", *, disk: bool = True) -> None:
    """Kills the worker and starts one of that version, on its disk or without."""
    cluster.kill(0)
    if not disk:
        lose_disk(cluster)
    cluster.start(0, **({"formats": formats} if formats else {}))


@pytest.mark.faults
@pytest.mark.timeout(1200)
def test_up_to_the_next_format_and_back_loses_and_repeats_nothing(cluster: Cluster) -> None:
    cluster.module = "tests.faults.formats_process"
    with running(cluster):
        cluster.feed(4)
        cluster.command()
        cluster.say(0)
        go(cluster, "next")
        cluster.feed(3)
        cluster.command()
        cluster.say(0)
        go(cluster, "next", disk=False)  # records of both formats lie there
        cluster.ready()
        cluster.feed(2)
        cluster.say(0)
        go(cluster, disk=False)
        before = cluster.workers[0]
        until(lambda: before.dead, START_S, "the version before refuses what a later one wrote")
        assert b"is of format 3, and this version reads up to format 2" in before.log.read_bytes()
        go(cluster, "back", disk=False)
        cluster.ready()
        cluster.feed(2)
        go(cluster, "back")  # killed on the way: it is done once more
        cluster.ready()
        cluster.workers.pop(0).stop()
        lose_disk(cluster)
        cluster.start(0)
        cluster.feed(4)
        cluster.command()
        cluster.say(0)
        go(cluster)
        assert cluster.check() > 800
