"""Alerts about metrics, and rollups made again, over HTTP."""

import json

from domain.aggregation.instants import print_instant
from tests.app.web.made import NOW_MS
from tests.app.web.site import get
from tests.app.web.test_metric_sources import post

ALERTS = "/api/metrics/alerts"


def test_alerts_are_listed_with_their_state() -> None:
    status, text = get(ALERTS)
    assert status == 200
    first, second = json.loads(text)["items"]
    assert first == {
        "name": "too-high", "metric": "github.stars", "source": None, "state": "started",
        "value": 101.5, "mark": 100, "since": print_instant(NOW_MS - 600_000),
        "acknowledged_by": "",
        "silent_until": None, "text": "github.stars is at 101.5, the high mark is 100",
        "told": print_instant(NOW_MS - 600_000),
    }  # fmt: skip
    assert (second["source"], second["state"], second["since"]) == ("stars", "ended", None)


def test_an_alert_is_acknowledged_and_silenced_until_a_time() -> None:
    assert post(f"{ALERTS}/too-high/acknowledge")[0] == 200
    assert post(f"{ALERTS}/nope/acknowledge")[0] == 404
    until = f"{ALERTS}/too-high/silence"
    assert post(until, None, json.dumps({"until": "2026-01-31T12:00:00Z"}))[0] == 200
    assert post(until, None, json.dumps({"until": "soon"}))[0] == 422
    assert post(until, None, "{}")[0] == 400
    assert post(f"{ALERTS}/calls/acknowledge", None, "", Idempotency_Key="taken")[0] == 422
    assert post(f"{ALERTS}/calls/acknowledge", None, "", Idempotency_Key="two words")[0] == 400


def test_a_rebuild_is_asked_for_and_waited_for() -> None:
    source = "/api/metrics/sources/stars"
    status, told = post(f"{source}/rebuild")
    assert (status, told["id"], told["state"]) == (202, "r-1", "running")
    assert json.loads(get(f"{source}/rebuilds/r-1?wait=1")[1])["told"] == 6
    assert get(f"{source}/rebuilds/nope")[0] == 404
    assert post("/api/metrics/sources/nope/rebuild")[0] == 404
