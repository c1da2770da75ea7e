"""The broker goes down, in good order or not, and comes back."""

from collections.abc import Callable
from pathlib import Path

import pytest

from scripts.house.kafka import Kafka
from tests.faults.cluster import Cluster, running

pytestmark = pytest.mark.kafka


def test_broker_restarted_clean_and_hard_loses_and_repeats_nothing(
    own_kafka: Kafka, tmp_path: Path, unique: Callable[[str], str]
) -> None:
    cluster = Cluster(own_kafka.url, tmp_path, unique("app"))
    with running(cluster, 2):
        for hard in (False, True):
            cluster.ready()
            cluster.feed(5)
            for number in (0, 1):
                cluster.say(number)
            own_kafka.stop(hard=hard)
            cluster.say(0)
            own_kafka.start()
            cluster.feed(3)
        assert cluster.check() > 1_000
