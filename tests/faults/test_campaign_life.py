"""Campaigns through their whole life, hour by hour."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from domain.aggregation.instants import parse_instant
from tests.faults.campaign_cluster import CampaignCluster, running
from tests.faults.campaign_life import REPEATED, Life, Plan

SMALL = Plan(rows=40, days=1, every_hour=False)


def lived(cluster: CampaignCluster, plan: Plan, workers: int) -> Life:
    """The life, and the checks of what is on the topics in the end."""
    cluster.documents = plan.documents
    life = Life(cluster, plan)
    with running(cluster, workers, life.begin):
        life.live()
        cluster.stop_all()
    check_orders(life)
    return life


def check_orders(life: Life) -> None:
    """Each execution was ordered with one content and ended once, none of somebody negative, and
    none again without a reason."""
    negative = {
        (told.request_id, number): since
        for told in life.all
        for number, since in told.negative.items()
    }
    orders: dict[str, dict[str, Any]] = {}
    for each in life.cluster.values("executions"):
        if each["event"] == "execute":
            assert orders.setdefault(each["execution_id"], each) == each
    ends: dict[str, dict[str, Any]] = {}
    for each in life.cluster.values("execution-results"):
        if each["event"] == "finished":
            assert ends.setdefault(each["execution_id"], each) == each
    assert orders.keys() == ends.keys()
    for ident, order in orders.items():
        since = negative.get((order["request_id"], order["number"]))
        assert since is None or _ms(order["ordered_at"]) <= since, order
        if order["attempt"] > 1:
            before = ends[f"{order['fdd_id']}.{order['attempt'] - 1}"]
            assert order["retriggered"] or before["reason"] in REPEATED, (ident, before)
    assert not life.cluster.values("dead-letters")


def _ms(text: str) -> int:
    return parse_instant(text) or 0


def test_figures_hold_through_the_life_of_campaigns(
    tmp_path: Path, unique: Callable[[str], str]
) -> None:
    lived(CampaignCluster("embedded://", tmp_path, unique("app")), SMALL, 1)
