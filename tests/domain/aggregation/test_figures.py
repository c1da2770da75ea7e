"""The operations beyond the seed in a document: versions, conditions, what is refused."""

from decimal import Decimal
from typing import Any

import pytest

from config.documents.aggregator import load_aggregator
from config.documents.base import DocumentError
from tests.domain.aggregation.folding import Folding, a_document

FIGURES: list[dict[str, Any]] = [
    {"field": "x", "operation": "unique_count"},
    {"field": "x", "operation": "stddev", "scale": 2},
    {"field": "x", "operation": "first"},
    {"field": "x", "operation": "last"},
]


def records(*values: Any) -> list[dict[str, Any]]:
    return [{"account": "a", "x": value} for value in values]


def problems(document: dict[str, Any]) -> str:
    with pytest.raises(DocumentError) as refused:
        load_aggregator(document)
    return str(refused.value)


def test_what_a_later_version_drops_is_kept_and_what_it_adds_starts_empty() -> None:
    count = [{"field": "x", "operation": "count"}]
    folding = Folding(FIGURES, count, [*FIGURES, *count])
    folding.fold(records(1, 2, 4), version=1)
    folding.fold(records(7), version=2)
    folding.fold(records(2, 9), version=3)
    flush = folding.close()
    assert flush["values"] == {
        "unique_count_x": 4,  # 1, 2, 4, 9: what version 2 took was not counted
        "stddev_x": Decimal("2.87"),
        "first_x": 1,
        "last_x": 9,
        "count_x": 3,
    }
    assert flush["parts"]["stddev_x"] == {"n": 5, "sum": 18, "squares": 106}


@pytest.mark.parametrize(
    ("condition", "flushed_after"),
    [
        ({"field": "unique_count_x", "op": ">=", "value": 3}, 5),
        ({"field": "stddev_x", "op": ">", "value": 1}, 5),
        ({"field": "last_x", "op": "==", "value": 2}, 3),
        ({"field": "first_x", "op": "exists"}, 1),
    ],
)
def test_a_condition_on_a_figure_flushes_as_soon_as_it_holds(
    condition: dict[str, Any], flushed_after: int
) -> None:
    flush = {
        "by": "timeout",
        "timeout": {"duration": {"hours": 1}},
        "conditions": condition,
    }
    folding = Folding(FIGURES, flush=flush)
    folding.fold(records(1, 1, 2, 2, 5))
    assert folding.flushed[0]["meta"]["count"] == flushed_after


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ({"field": "unique_count_x", "op": ">", "value": "3"}, "a number"),
        ({"field": "stddev_x", "op": "starts_with", "value": "3"}, "compares a number"),
        ({"field": "stddev_x", "op": "<", "value": "2024-09-03T10:15:00Z"}, "a number"),
    ],
)
def test_a_condition_is_typed(condition: dict[str, Any], said: str) -> None:
    timeout = {"duration": {"hours": 1}}
    flush = {"by": "timeout", "timeout": timeout, "conditions": condition}
    assert said in problems(a_document(FIGURES, flush=flush))


@pytest.mark.parametrize(
    ("operation", "said"),
    [
        ({"field": "*", "operation": "unique_count"}, "* is for count"),
        ({"field": "*", "operation": "stddev"}, "* is for count"),
        ({"field": "x", "operation": "unique_count", "scale": 2}, "with average or stddev"),
        ({"field": "x", "operation": "last", "scale": 2}, "with average or stddev"),
        ({"field": "x", "operation": "stddev", "scale": 101}, "100"),
        ({"field": "x", "operation": "std_dev"}, "stddev"),
    ],
)
def test_what_an_operation_does_not_take_is_refused(operation: dict[str, Any], said: str) -> None:
    assert said in problems(a_document([operation]))
