"""Documents of kind `metric`: calculated ones."""

from typing import Any

import pytest

from config.documents.base import DocumentError
from config.documents.metric import load_metric

RATE: dict[str, Any] = {
    "kind": "metric", "name": "lead_conversion", "unit": "%",
    "expression": "salesforce.won / salesforce.leads",
}  # fmt: skip


def test_the_metric_of_the_guide_is_read_as_it_stands() -> None:
    found = load_metric(RATE)
    assert (found.name, found.unit, found.owner) == ("lead_conversion", "%", "")
    assert found.expression == RATE["expression"]


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"name": "two words"}, "name"),
        ({"expression": "won /"}, "expression"),
        ({"expression": "1 / 2"}, "expression"),
        ({"expression": "leads ** 2"}, "expression"),
        ({"expression": 5}, "expression"),
        ({"units": "%"}, "units"),
    ],
)
def test_what_is_wrong_is_refused_with_its_path(change: dict[str, Any], path: str) -> None:
    with pytest.raises(DocumentError) as caught:
        load_metric({**RATE, **change})
    assert [problem.path for problem in caught.value.problems] == [path]
