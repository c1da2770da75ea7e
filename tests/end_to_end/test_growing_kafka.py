"""Partitions grow on Kafka while records pour in and a worker is killed in the middle of it."""

from threading import Event, Thread
from typing import Any

import pytest

from tests.app.cli.running import sluice as cli
from tests.end_to_end.running import Sluice, aggregator
from tests.end_to_end.test_growing import pour
from tests.end_to_end.test_kafka import pair  # fixture
from tests.waiting import until

__all__ = ["pair"]
pytestmark = [pytest.mark.kafka, pytest.mark.faults]
PATIENCE_S = 180.0  # a machine that is busy with other tests


def test_partitions_grow_while_records_pour_in_and_a_worker_is_killed(pair: list[Sluice]) -> None:
    one, two = pair
    one.apply(aggregator())
    one.apply(aggregator("keyed", keyed_by=["account"]))
    sent: list[dict[str, Any]] = []
    enough = Event()
    pouring = Thread(target=pour, args=(one, sent, enough))
    pouring.start()
    try:
        until(lambda: len(sent) >= 500, PATIENCE_S)
        asked = cli("topics", "grow", "6", "--reason", "room", "--no-wait", server=one.url)
        assert asked.code == 0, asked.err
        two.kill()
        until(
            lambda: one.get("/api/topics/growths").body["items"][0]["state"] != "moving", PATIENCE_S
        )
        two.start()
        ran = cli("topics", "grow", "6", "--reason", "room", "--timeout", "180", server=one.url)
        more = len(sent) + 300
        until(lambda: len(sent) >= more, PATIENCE_S)
    finally:
        enough.set()
        pouring.join()
    assert ran.code == 0, ran.out + ran.err
    count = len(sent)
    for name in ("acc", "keyed"):
        until(lambda n=name: one.totals(n) == {"in": count, "open": count}, PATIENCE_S)  # type: ignore[misc]  # bound now
        rows = one.get(f"/api/aggregators/{name}/sessions?limit=200").body["items"]
        assert len(rows) == 100  # none in two places
    topics = {t["name"]: t["partitions"] for t in one.get("/api/topics").body["items"]}
    assert topics["usage"] == 6
