"""Documents of kind `dashboard`, and the default one of a source."""

from typing import Any

import pytest

from config.documents.base import DocumentError
from config.documents.registry import load_document
from domain.metrics.dashboard import DAY_MS, Dashboard, Widget, default_of
from domain.metrics.source import Source

STARS = {
    "type": "line", "title": "Stars", "metric": "github.stars", "grain": "week", "range": "90d",
    "group": ["repo"], "where": {"repo": ["a", "b"]}, "overlay": "week",
}  # fmt: skip


def board(*widgets: object, **more: Any) -> dict[str, Any]:
    return {"kind": "dashboard", "name": "growth", "widgets": list(widgets), **more}


def test_a_dashboard_is_read_with_what_it_leaves_out() -> None:
    found = load_document(board(STARS, {"type": "number", "metric": "m"}, title="Growth"))
    where = {"repo": ("a", "b")}
    stars = Widget("line", "Stars", "github.stars", "week", 90 * DAY_MS, ("repo",), where, "week")
    assert found == Dashboard("growth", "Growth", (stars, Widget("number", "m", "m")))
    one = load_document(board({**STARS, "where": {"repo": "a"}}))
    assert isinstance(one, Dashboard)
    assert (one.title, one.widgets[0].where) == ("growth", {"repo": ("a",)})


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"type": "lines"}, "widgets[1].type"),
        ({"metric": "a b"}, "widgets[1].metric"),
        ({"grain": "minute"}, "widgets[1].grain"),
        ({"range": "30"}, "widgets[1].range"),
        ({"range": "1m"}, "widgets[1].range"),
        ({"group": "repo"}, "widgets[1].group"),
        ({"where": ["a"]}, "widgets[1].where"),
        ({"where": {"repo": [1]}}, "widgets[1].where.repo[0]"),
        ({"overlay": "day"}, "widgets[1].overlay"),
        ({"colour": "red"}, "widgets[1].colour"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(change: dict[str, Any], path: str) -> None:
    with pytest.raises(DocumentError) as caught:
        load_document(board(STARS, {**STARS, **change}))
    assert [problem.path for problem in caught.value.problems] == [path]


@pytest.mark.parametrize("widgets", [[], [STARS] * 51])
def test_there_are_1_to_50_widgets(widgets: list[Any]) -> None:
    with pytest.raises(DocumentError, match=r"^widgets: "):
        load_document(board(*widgets))


def source(**more: Any) -> Source:
    found = load_document({
        "kind": "source", "name": "main", "connector": "http_json", "schedule": "0 * * * *",
        "base_url": "https://api.example", "fetch": {"path": "/items", "key": "id"}, **more,
    })  # fmt: skip
    assert isinstance(found, Source)
    return found


def test_a_source_has_a_dashboard_of_its_metrics() -> None:
    metrics = [
        {"name": "a.b", "value": "x", "type": "gauge", "dimensions": {"repo": "full_name"}},
        {"name": "c", "value": 1, "type": "counter"},
    ]
    widgets = (Widget("line", "a.b", "a.b", group=("repo",)), Widget("line", "c", "c"))
    assert default_of(source(metrics=metrics)) == Dashboard("main", "main", widgets)


def test_a_source_without_metrics_has_none() -> None:
    assert default_of(source()) is None
