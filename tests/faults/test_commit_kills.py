"""A worker is killed between every two steps of a commit, several times each."""

from tests.faults.cluster import START_S, Cluster, running
from tests.waiting import until

STEPS = range(5)
TIMES = (1, 7)  # the first commit after recovery, and later ones


def test_kill_between_any_two_steps_of_a_commit_loses_and_repeats_nothing(
    cluster: Cluster,
) -> None:
    with running(cluster):
        cluster.feed(3)
        for passed in TIMES:
            for step in STEPS:
                cluster.kill(0)
                process = cluster.start(0, kill=f"{step}:{passed}")

                until(cluster.offer, START_S, f"step {step} passed {passed} times")
                assert process.popen.wait() == -9
        cluster.kill(0)
        cluster.start(0)
        cluster.feed(3)
        assert cluster.check() > 1_000
