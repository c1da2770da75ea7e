"""Documents of kind source: what is read, and what is refused with its path."""

from configparser import ConfigParser
from pathlib import Path
from typing import Any

import pytest

from config.documents.base import DocumentError
from config.documents.registry import load_document
from config.documents.source_fetch import SHAPES
from connectors.sources.registry import CONNECTORS
from domain.metrics.defaults import DEFAULTS
from domain.metrics.document import Metric
from domain.metrics.source import Budget, Source
from domain.sinks.document import Retry

GITHUB: dict[str, Any] = {
    "connector": "github",
    "schedule": "*/15 * * * *",
    "credentials": {"token": "GITHUB_TOKEN"},
    "fetch": {"repositories": ["acme/alpha"], "from": "2024-01-01"},
}


def source(**document: Any) -> Source:
    found = load_document({"kind": "source", "name": "s", **document})
    assert isinstance(found, Source)
    return found


def test_the_document_of_the_guide_is_read() -> None:
    found = source(
        **GITHUB,
        base_url="https://api.github.com",
        metrics=[
            {"name": "github.stars", "value": "stargazers_count", "type": "gauge",
             "dimensions": {"repo": "full_name"}},
            {"name": "github.polls", "value": 1, "type": "counter"},
        ],
        key="id",
        timezone="Europe/Stockholm",
        retry={"times": 5, "first": "1s"},
        budget={"requests": 100, "per": "1h"},
    )  # fmt: skip
    assert found.backoff == Retry(1_000, 300_000, 5)
    assert found.budget == Budget(100, 3_600_000)
    assert found.mapping.metrics == (
        Metric("github.stars", "stargazers_count", "gauge", (("repo", "full_name"),)),
        Metric("github.polls", 1, "counter"),
    )
    assert found.mapping.key == ("id", "kind", "at"), "each snapshot is a record of its own"


def test_what_is_left_out_is_the_connectors() -> None:
    found = source(**GITHUB)
    assert (found.timezone, found.backoff) == ("UTC", Retry(times=5))
    assert [metric.name for metric in found.mapping.metrics][:4] == [
        "github.stars", "github.forks", "github.watchers", "github.pulls",
    ]  # fmt: skip


def test_a_report_s_key_is_its_dimensions() -> None:
    fetch = {"property": 1, "dimensions": ["country", "date"], "metrics": ["sessions"]}
    found = source(connector="google_analytics", schedule="0 4 * * *", fetch=fetch)
    assert found.mapping.key == ("date", "country")


def test_one_shape_and_one_default_a_connector() -> None:
    assert SHAPES.keys() == CONNECTORS.keys() == DEFAULTS.keys()


def test_each_connector_is_an_entry_point_of_the_package() -> None:
    parser = ConfigParser()
    parser.read(Path(__file__).parents[3] / "setup.cfg")
    lines = parser["options.entry_points"]["sluice.sources"].strip().splitlines()
    assert dict(line.split(" = ") for line in lines if not line.startswith("#")) == CONNECTORS


HTTP = {"connector": "http_json", "schedule": "0 * * * *", "base_url": "https://api.example"}


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"connector": "githab"}, "connector"),
        ({"schedule": "* * * *"}, "schedule"),
        ({"schedule": "61 * * * *"}, "schedule"),
        ({"base_url": "http://api.github.com"}, "base_url"),
        ({"base_url": "https://u:secret@api.github.com"}, "base_url"),
        ({"credentials": {"token": "ghp_abc-def!"}}, "credentials.token"),
        ({"credentials": {"tokn": "GITHUB_TOKEN"}}, "credentials.tokn"),
        ({"fetch": {"repositories": ["alpha"]}}, "fetch.repositories[0]"),
        ({"fetch": {"repositories": ["a/b"], "form": "2024-01-01"}}, "fetch.form"),
        ({"fetch": {"repositories": ["a/b"], "from": "soon"}}, "fetch.from"),
        ({"metrics": [{"name": "a", "value": "x", "type": "gage"}]}, "metrics[0].type"),
        ({"metrics": [{"name": "a b", "value": "x", "type": "gauge"}]}, "metrics[0].name"),
        ({"retry": {"times": -1}}, "retry.times"),
        ({"timezone": "Mars"}, "timezone"),
        ({**HTTP, "fetch": {"paging": "pages"}, "credentials": {}}, "fetch.paging"),
        ({**HTTP, "fetch": {"cursor": {"field": "id"}}}, "fetch.cursor.param"),
        ({"connector": "github_webhook", "fetch": {}, "credentials": {}}, "schedule"),
    ],
)
def test_what_is_wrong_is_refused_with_its_path(changes: dict[str, Any], path: str) -> None:
    with pytest.raises(DocumentError) as error:
        source(**{**GITHUB, **changes})
    assert [problem.path for problem in error.value.problems] == [path]
    assert "ghp_" not in str(error.value) and "secret@" not in str(error.value)


def test_what_a_connector_needs_is_asked_for() -> None:
    with pytest.raises(DocumentError) as error:
        source(connector="http_json")
    assert {problem.path for problem in error.value.problems} == {"schedule", "base_url"}
