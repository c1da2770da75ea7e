"""A document to change one thing of, and what is then wrong with it."""

from collections.abc import Callable
from typing import Any

from config.documents.base import DocumentError, Problem
from config.documents.registry import load_document

Change = Callable[[dict[str, Any]], object]


def document() -> dict[str, Any]:
    """A valid aggregator document with most of what one can say."""
    return {
        "kind": "aggregator",
        "name": "data-per-account",
        "input": "usage",
        "keyed_by": ["account"],
        "filter": {"field": "type", "op": "==", "value": "data"},
        "group": {
            "fields": ["account", "product.code"],
            "periods": [{"field": "timestamp", "period": "month", "timezone": "UTC"}],
            "null_group": False,
        },
        "aggregate": [
            {"field": "bytes", "operation": "sum"},
            {"field": "price", "operation": "average", "scale": 6},
            {"field": "*", "operation": "count"},
            {"field": "cell", "operation": "carry_last"},
            {"field": "timestamp", "operation": "date_max", "as": "latest"},
        ],
        "flush": {
            "by": "timeout",
            "timeout": {"duration": {"hours": 1}},
            "conditions": {"field": "sum_bytes", "op": ">=", "value": 107374182400},
        },
        "event_id": "id",
        "dedup_days": 35,
        "event_time": "timestamp",
        "output": {"topic": "aggregates", "envelope": "plain"},
        "ttl_days": 180,
    }


def problems(change: Change) -> list[Problem]:
    """What is wrong with the sample once `change` was made to it; nothing if it still loads."""
    data = document()
    change(data)
    try:
        load_document(data)
    except DocumentError as error:
        return list(error.problems)
    return []


def paths(change: Change) -> list[str]:
    """Where."""
    return [problem.path for problem in problems(change)]
