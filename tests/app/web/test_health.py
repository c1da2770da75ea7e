"""Health, metrics and the descriptions made from the code."""

import json
import re
from typing import Any

import msgspec
import pytest

from app.shapes import Readiness, Sample
from app.web import api
from app.web.metrics import METRICS, NAMES, Traffic, UnknownMetric, exposition
from app.web.openapi import operation_id
from app.web.routes import JSON, Route
from tests.app.web.fake import FakeBackend
from tests.app.web.site import get

# path in the description -> an address that answers 200 with little data
EXAMPLES = {
    "{topic}": "usage",
    "{kind}": "aggregator",
    "{name}": "data-per-account",
    "{table}": "sessions",
    "{key:.+}": "%5B%22acc-0000000%22,%22data-5g%22,%222025-11%22%5D",
    "{id}": "dl-000000",
    "{preview}": "p-0",
    "{flush}": "0000000100000001c0ffee",
    "{day}": "2024-09-03",
    "{command}": "command-0",
    "{request_id}": "reminder-0000000000000000",
    "{number}": "%2B919999999999",
    "{fdd_id}": "reminder-0000000000000000.20251103.1000_1200.1.1",
    "{command_id}": "c0",
    "{chart}": "banners",
}

# of real tables in test_impressions.py, of documents in test_dashboards.py
ELSEWHERE = {
    "/api/impressions/tables/{table}", "/api/impressions/figures", "/api/impressions/plan",
    "/api/metrics/dashboards/{name}",
}  # fmt: skip
ADDRESSES = {"/api/funnel/{id}": "/api/funnel/0-0-0"}
QUERIES = {
    "/api/metrics/query": "?metric=github.stars&group=repo&overlay=week",
    "/api/sessions": "?aggregator=data-per-account",
    "/api/fdds": "?number=%2B919876500001",
}


def test_a_process_that_answers_is_live() -> None:
    assert get("/health/live") == (200, '{"live":true}')


def test_readiness_gives_its_reasons() -> None:
    backend = FakeBackend()
    assert get("/health/ready", backend)[0] == 200
    backend.ready_now = Readiness(False, ["partition 2 reads its changelog: 41,022 records left"])
    status, text = get("/health/ready", backend)
    assert status == 503
    assert json.loads(text)["reasons"] == backend.ready_now.reasons


def test_metrics_are_in_prometheus_format() -> None:
    status, text = get("/metrics")
    assert status == 200
    assert (
        '# TYPE sluice_open_sessions gauge\nsluice_open_sessions{aggregator="a\\"b\\\\c"} 3' in text
    )
    assert "sluice_lag_seconds 0.25\n" in text
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    assert all(re.fullmatch(r"[a-z_]+(\{.*\})? [0-9.e+-]+", line) for line in lines)


def test_requests_are_counted_by_route_and_status() -> None:
    traffic = Traffic()
    traffic.add("GET", "/api/topics", 200, 0.5)
    traffic.add("GET", "/api/topics", 200, 0.25)
    text = exposition(traffic.samples())
    assert 'requests_total{method="GET",route="/api/topics",status="200"} 2' in text
    assert 'request_seconds_total{method="GET",route="/api/topics"} 0.75' in text


def test_every_metric_is_registered_with_its_name() -> None:
    assert set(METRICS) == NAMES
    assert all(
        name.endswith("_total") == (metric.type == "counter") for name, metric in METRICS.items()
    )


@pytest.mark.parametrize(
    "sample", [Sample("sluice_lags", 1), Sample("sluice_open_sessions", 1, {"aggregater": "a"})]
)
def test_a_sample_that_is_not_registered_is_refused(sample: Sample) -> None:
    with pytest.raises(UnknownMetric):
        exposition([sample])


def test_every_route_is_described_once() -> None:
    described = json.loads(get("/api/openapi.json")[1])
    operations = [
        operation["operationId"]
        for path in described["paths"].values()
        for operation in path.values()
    ]
    assert sorted(operations) == sorted(operation_id(route) for route in api.ROUTES)
    assert len(set(operations)) == len(operations)


def test_every_reference_of_the_descriptions_leads_somewhere() -> None:
    for path in ("/api/openapi.json", "/api/asyncapi.json"):
        text = get(path)[1]
        described = json.loads(text)
        for reference in set(re.findall(r'"\$ref":"#/([^"]+)"', text)):
            at: Any = described
            for part in reference.split("/"):
                assert part in at, reference
                at = at[part]


def test_topics_are_described_with_their_keys() -> None:
    channels = json.loads(get("/api/asyncapi.json")[1])["channels"]
    outputs = {"aggregates", "aggregates.audit", "dead-letters", "sink-dead-letters"}
    campaigns = {"campaign-events", "execution-results", "executions", "slot-failures"}
    assert (
        set(channels)
        == {"config", "usage", "campaign-audit", "source-events", "rollups", "alerts"}
        | {"impression-events"}
        | outputs
        | campaigns
    )
    assert "key: kind/name" in channels["config"]["description"]


def readable(route: Route) -> bool:
    answer = route.answers.get(200)
    asked_here = route.method == "GET" and str(route.path) not in ELSEWHERE
    return asked_here and answer is not None and answer.media == JSON


@pytest.mark.parametrize(
    "route", [r for r in api.ROUTES if readable(r)], ids=lambda route: str(route.path)
)
def test_every_answer_is_what_its_description_says(route: Route) -> None:
    path = ADDRESSES.get(str(route.path), route.path)
    for name, value in EXAMPLES.items():
        path = path.replace(name, value)
    query = QUERIES.get(path, "")
    query = "?id=known" if path.endswith("/taken") else query
    status, text = get(path + query)
    assert status == 200, text
    wanted = route.answers[200].type
    found = msgspec.json.decode(text, type=dict if wanted is None else wanted)
    assert found is not None
