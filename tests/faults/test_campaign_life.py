"""Campaigns through their whole life, hour by hour: on embedded stores and on real ones, and while
workers are killed and stores restarted; the figures are the same.
"""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from scripts.house.kafka import Kafka
from scripts.house.mongo import Mongo
from scripts.house.mysql import MySql
from tests.faults.campaign_checks import check_orders, check_stored
from tests.faults.campaign_cluster import CampaignCluster, running
from tests.faults.campaign_kills import Killing
from tests.faults.campaign_life import Life, Plan

SMALL = Plan(rows=40, days=1, every_hour=False)
DAY = Plan(rows=10_000, days=1)
MONTH = Plan(rows=200, days=30)
FULL = Plan(rows=10_000, days=30)  # three slots: 30,000 FDDs a day


def lived(cluster: CampaignCluster, plan: Plan, workers: int) -> Life:
    """The life, and the checks of what is on the topics and in the stores in the end."""
    cluster.documents = plan.documents
    life = Life(cluster, plan)
    began_s = time.monotonic()
    with running(cluster, workers, life.begin):
        life.live()
        cluster.stop_all()
    took_s = time.monotonic() - began_s
    orders, stored = check_orders(life), check_stored(life)
    print(
        f"{stored} FDDs, {orders} orders, {life.looks} looks, {cluster.kills} kills: {took_s:.0f} s"
    )
    return life


def test_kills_change_no_figure_through_the_life_of_campaigns(
    tmp_path: Path, unique: Callable[[str], str]
) -> None:
    quiet = lived(CampaignCluster("embedded://", tmp_path / "quiet", unique("app")), SMALL, 1)
    killing = Killing(2, 0.3, 1)
    killed = CampaignCluster("embedded://", tmp_path / "killed", unique("app"), meddle=killing)
    life = lived(killed, SMALL, 1)
    assert killed.kills == 2
    assert life.history == quiet.history
    assert life.ended == quiet.ended


@pytest.mark.faults
@pytest.mark.kafka
@pytest.mark.mongo
@pytest.mark.mysql
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("plan", [SMALL, DAY, MONTH, FULL], ids=["small", "day", "month", "full"])
def test_figures_are_the_same_on_real_stores(
    plan: Plan,
    own_kafka: Kafka,
    own_mongo: Mongo,
    own_mysql: MySql,
    tmp_path: Path,
    unique: Callable[[str], str],
) -> None:
    stores = {"documents": own_mongo.url, "negatives": own_mysql.url}
    twin = CampaignCluster("embedded://", tmp_path / "one", unique("app"))
    cluster = CampaignCluster(own_kafka.url, tmp_path / "two", unique("app"), settings=stores)
    with ThreadPoolExecutor() as pool:  # side by side: neither knows of the other
        lives = [pool.submit(lived, twin, plan, 1), pool.submit(lived, cluster, plan, 2)]
        embedded, real = (life.result() for life in lives)
    assert real.history == embedded.history
    assert real.ended == embedded.ended


@pytest.mark.faults
@pytest.mark.kafka
@pytest.mark.mongo
@pytest.mark.mysql
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("seed", range(2))
def test_50_kills_and_restarts_of_stores_change_no_figure(
    seed: int,
    own_kafka: Kafka,
    own_mongo: Mongo,
    own_mysql: MySql,
    tmp_path: Path,
    unique: Callable[[str], str],
) -> None:
    plan = Plan(rows=200, days=4, every_hour=False)
    quiet = lived(CampaignCluster("embedded://", tmp_path / "quiet", unique("app")), plan, 1)
    restarts = [lambda: own_mongo.restart(hard=True), lambda: own_mysql.restart(hard=True)]
    killing = Killing(50, 0.4, seed, restarts)
    stores = {"documents": own_mongo.url, "negatives": own_mysql.url, "session_timeout_s": "1.5"}
    cluster = CampaignCluster(
        own_kafka.url, tmp_path / "killed", unique("app"), settings=stores, meddle=killing
    )
    killed = lived(cluster, plan, 2)
    assert cluster.kills == 50
    assert killing.restarted > 10
    assert killed.history == quiet.history
    assert killed.ended == quiet.ended
