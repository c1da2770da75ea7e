"""Flows and contact policies: what is read, and how what is impossible is told."""

from typing import Any

import pytest

from config.documents.base import DocumentError
from config.documents.reading import parse_documents
from config.documents.registry import load_document
from domain.campaigns.document import CampaignAlert, ContactPolicy, Flow, flow_json, flow_of

TEXT = """
kind: flow
name: reminder
timezone: Asia/Kolkata
country: IN
working_time: {start: "09:00", end: "24:00", days: [mon, tue, wed, thu, fri]}
holidays: ["2026-01-26"]
channels: 100
lease: {seconds: 120}
result: {seconds: 3600}
reattempts: {max: 3, after: {minutes: 10}, on: [BUSY, NO_ANSWER]}
max_slots_per_day: 2
max_days: 30
executor: topic
simulated: {seed: 1, outcomes: {COMPLETED: 0.7, "FAILED:BUSY": 0.3}, seconds: [5, 60]}
"""


def document() -> dict[str, Any]:
    ((data, _),) = parse_documents(TEXT, "flow.yaml")
    return data


def test_a_flow_says_what_its_document_says() -> None:
    found = load_document(document())
    assert isinstance(found, Flow)
    assert (found.kind, found.name, found.channels, found.lease_ms) == (
        "flow", "reminder", 100, 120_000,
    )  # fmt: skip
    assert (found.working_time.end, found.working_time.days) == (1440, (0, 1, 2, 3, 4))
    assert found.reattempts.on == ("BUSY", "NO_ANSWER")
    assert found.simulated is not None
    assert found.simulated.outcomes[1] == ("FAILED", "BUSY", 0.3)
    assert flow_of(flow_json(found)) == found


def test_what_may_be_left_out_has_defaults() -> None:
    data = document()
    for key in ("holidays", "result", "reattempts", "max_slots_per_day", "max_days", "simulated"):
        del data[key]
    found = load_document(data)
    assert isinstance(found, Flow)
    assert (found.result_ms, found.max_slots_per_day, found.max_days) == (3_600_000, 2, 30)
    assert (found.reattempts.max, found.holidays, found.simulated) == (1, (), None)


@pytest.mark.parametrize(
    ("key", "value", "path"),
    [
        ("timezone", "Asia/Calcuta", "timezone"),
        ("country", "India", "country"),
        ("working_time", {"start": "21:00", "end": "09:00"}, "working_time.end"),
        ("working_time", {"start": "9", "end": "25:00"}, "working_time.start"),
        ("holidays", ["2026-02-30"], "holidays[0]"),
        ("channels", 0, "channels"),
        ("lease", {"seconds": 0}, "lease"),
        ("reattempts", {"max": 3, "after": {"minutes": 1}, "on": ["NO_ACK"]}, "reattempts.on[0]"),
        ("executor", "htp", "executor"),
        ("executor", "http", "url"),
        ("url", "http://dialler.example/", "url"),
        ("simulated", {"outcomes": {"COMPLETED": 0.5}}, "simulated.outcomes"),
        ("simulated", {"seconds": [60, 5]}, "simulated.seconds"),
        ("simulated", {"outcomes": {"DONE": 1}}, "simulated.outcomes.DONE"),
        ("chanels", 5, "chanels"),
    ],
)
def test_what_is_impossible_is_refused_with_its_path(key: str, value: object, path: str) -> None:
    with pytest.raises(DocumentError) as caught:
        load_document({**document(), key: value})
    problem = caught.value.problems[0]
    assert problem.path == path
    assert problem.expected


def test_a_contact_policy_covers_flows() -> None:
    data = {"kind": "contact_policy", "name": "calm", "per_number": {"per_day": 2}, "flows": ["*"]}
    found = load_document(data)
    assert isinstance(found, ContactPolicy)
    assert (found.per_day, found.covers("reminder")) == (2, True)
    with pytest.raises(DocumentError, match=r"per_number\.per_day: 0 is not accepted"):
        load_document({**data, "per_number": {"per_day": 0}})


def test_an_alert_about_campaigns_has_one_condition() -> None:
    data = {"kind": "alert", "name": "silence", "executor_silent": "10m", "to": ["a@example.com"]}
    found = load_document(data)
    assert isinstance(found, CampaignAlert)
    assert (found.silent_ms, found.to) == (600_000, ("a@example.com",))
    found = load_document({"kind": "alert", "name": "b", "campaign_failures": {"over_percent": 20}})
    assert isinstance(found, CampaignAlert) and found.over_percent == 20
    both = r'"creation_missed", "executor_silent".*exactly one of campaign_failures'
    with pytest.raises(DocumentError, match=both):
        load_document({**data, "creation_missed": True})
    with pytest.raises(DocumentError, match="missing, expected exactly one of campaign_failures"):
        load_document({"kind": "alert", "name": "nothing"})
