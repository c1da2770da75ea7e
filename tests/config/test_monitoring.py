"""config/monitoring: rules and panels ask for metrics and labels that the product has, by way of
files that the containers are given."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.web.metrics import METRICS

ROOT = Path(__file__).parents[2]
HERE = ROOT / "config" / "monitoring"
RULES = yaml.safe_load((HERE / "alerts.yml").read_text())["groups"][0]["rules"]
DASHBOARD = json.loads((HERE / "dashboard.json").read_text())
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
OF_PROMETHEUS = {"job", "instance"}
"""Labels that every sample gets when it is scraped."""
OF_LANGUAGE = {"sum", "max", "min", "by", "rate", "increase", "absent"}


def panels() -> list[dict[str, Any]]:
    return [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


def expressions() -> Iterator[str]:
    yield from (rule["expr"] for rule in RULES)
    yield from (target["expr"] for panel in panels() for target in panel["targets"])


def wrong(expression: str) -> list[str]:
    """Words of a query that are no metric, no label of its metrics and no word of PromQL."""
    names = re.findall(r"\b(?:sluice|process)_\w+", expression)
    known = {str(name): metric for name, metric in METRICS.items()}
    found = [name for name in names if name not in known]
    if names == [] and expression != 'up{job="sluice"} == 0':
        found.append("no metric at all")
    labels = set(OF_PROMETHEUS).union(*(known[name].labels for name in names if name in known))
    plain = re.sub(r'"[^"]*"|\[[^\]]*\]', "", expression)
    words = set(re.findall(r"[A-Za-z_]\w*", plain)) - set(names) - OF_LANGUAGE - {"up"}
    found += sorted(words - labels)
    for name in names:  # counters are asked for how they rise, gauges for what they are
        risen = re.search(rf"(?:rate|increase)\({name}\b", expression) is not None
        if name in known and risen != (known[name].type == "counter"):
            found.append(f"{name} is a {known[name].type}")
    return found


@pytest.mark.parametrize("expression", sorted(set(expressions())))
def test_every_query_asks_for_what_there_is(expression: str) -> None:
    assert wrong(expression) == []
    assert expression.count("(") == expression.count(")")


@pytest.mark.parametrize(
    "expression",
    ["sum(sluice_nothing)", "sum by (colour) (sluice_open_sessions)", "sluice_batches_total",
     "rate(sluice_lag_records[5m])", "sum(1)"],
)  # fmt: skip
def test_a_query_for_what_there_is_not_is_seen(expression: str) -> None:
    assert wrong(expression)


def test_every_rule_says_how_bad_it_is_and_what_to_do() -> None:
    assert len({rule["alert"] for rule in RULES}) == len(RULES)
    for rule in RULES:
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert rule["annotations"].keys() == {"summary", "description"}


def test_what_a_text_tells_is_what_its_query_leaves() -> None:
    told = [(rule["expr"], " ".join(rule["annotations"].values())) for rule in RULES]
    told += [(t["expr"], t["legendFormat"]) for panel in panels() for t in panel["targets"]]
    for expression, text in told:
        kept = set(re.findall(r"\w+", " ".join(re.findall(r"by \(([^)]*)\)", expression))))
        kept |= OF_PROMETHEUS if expression.startswith("up{") else set()
        named = set(re.findall(r"\$labels\.(\w+)|\{\{(\w+)\}\}", text))
        assert {a or b for a, b in named} <= kept, expression


def test_panels_stand_beside_each_other() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert not cells & taken
        assert at["x"] + at["w"] <= 24
        taken |= cells
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)


def test_grafana_finds_prometheus_and_the_dashboard_where_they_are() -> None:
    (source,) = yaml.safe_load((HERE / "datasources.yml").read_text())["datasources"]
    assert source["url"] == "http://prometheus:9090"
    (variable,) = DASHBOARD["templating"]["list"]
    assert (variable["query"], variable["current"]["value"]) == (source["type"], source["uid"])
    (provider,) = yaml.safe_load((HERE / "dashboards.yml").read_text())["providers"]
    mounts = dict(v.split(":")[:2] for v in COMPOSE["grafana"]["volumes"])
    folder = Path(mounts["./config/monitoring/dashboard.json"]).parent
    assert str(folder) == provider["options"]["path"]


def test_prometheus_gets_its_rules_and_its_token_where_it_looks() -> None:
    config = yaml.safe_load((HERE / "prometheus.yml").read_text())
    mounts = dict(v.split(":")[:2] for v in COMPOSE["prometheus"]["volumes"])
    assert config["rule_files"] == [mounts["./config/monitoring/alerts.yml"]]
    (job,) = config["scrape_configs"]
    (secret,) = COMPOSE["prometheus"]["secrets"]
    assert job["authorization"]["credentials_file"] == f"/run/secrets/{secret}"
