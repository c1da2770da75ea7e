"""Many keys folded in columns give what each of them gives on its own: rows, flushes, timers and
control totals.
"""

import asyncio
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.documents.aggregator import load_aggregator
from domain.aggregation.columns import plan_of
from domain.aggregation.rule import compile_rule
from domain.aggregation.session import Row
from tables.codec import decode_row
from tables.layout import ROW
from tests.agents.columnar_kit import (
    OPERATIONS,
    TIMEOUTS,
    Side,
    aggregator,
    histories,
    live,
    logged,
)


@settings(max_examples=400, deadline=None)
@given(
    st.lists(st.sampled_from(OPERATIONS), min_size=1, max_size=5, unique_by=str),
    st.lists(st.sampled_from(OPERATIONS), min_size=1, max_size=5, unique_by=str),
    st.sampled_from(TIMEOUTS),
    histories,
    st.sampled_from([0, 3, 100]),
    st.sampled_from([None, None, "id"]),
)
def test_in_columns_as_by_the_key(
    first: list[Any],
    second: list[Any],
    timeout: dict[str, Any],
    history: list[Any],
    cached: int,
    event_id: str | None,
) -> None:
    rules = [
        compile_rule(load_aggregator(aggregator(operations, timeout, event_id)), version)
        for version, operations in enumerate((first, second), 1)
    ]
    sides = [Side(rules, in_columns=yes, cache_rows=cached) for yes in (True, False)]
    asyncio.run(live(sides, history))
    columns, keys = (side.told() for side in sides)
    assert columns == keys


def test_fields_that_come_late_and_go_again_count_from_then_on() -> None:
    rule = compile_rule(load_aggregator(aggregator(OPERATIONS, TIMEOUTS[0])), 1)
    nothing = {"bytes": None, "price": None, "cell": "c", "id": b""}
    some = {"bytes": 5, "price": Decimal("0.25"), "cell": "c", "id": b""}
    history = [
        ("batch", 0, [(account, values, at) for account in range(4)], False)
        for at, values in enumerate((nothing, some, nothing, some, nothing))
    ]
    sides = [Side([rule], in_columns=yes, cache_rows=0) for yes in (True, False)]
    asyncio.run(live(sides, history))
    columns, keys = (side.told() for side in sides)
    assert columns == keys
    assert columns["totals"]["acc"]["sums"]["sum_bytes"]["in"] == 4 * 2 * 5


@pytest.mark.parametrize(
    "more",
    [
        {"flush": {"by": "timeout", "timeout": {"timestamp_field": "until"}}},
        {"aggregate": [{"field": "bytes", "operation": "stddev"}]},
        {"aggregate": [{"field": "cell", "operation": "last"}]},
    ],
)
def test_some_documents_are_folded_by_the_key(more: dict[str, Any]) -> None:
    document = aggregator(OPERATIONS[:1], TIMEOUTS[0]) | more
    assert plan_of(compile_rule(load_aggregator(document), 1)) is None


def test_what_can_be_is_folded_in_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    rule = compile_rule(load_aggregator(aggregator(OPERATIONS, TIMEOUTS[0])), 1)
    side = Side([rule], in_columns=True, cache_rows=0)
    values = {"bytes": 5, "price": Decimal("2.50"), "cell": "c"}
    history: list[Any] = []
    for at in range(4):
        found = [(account, values, at) for account in range(5)]
        history.append(("batch", 0, found, False))
    history.insert(2, ("tick", 100_000))  # sessions with a history go on
    opened: list[int] = []

    def open_rows(rows: dict[bytes, Any]) -> dict[bytes, Row]:
        opened.append(len(rows))
        return {}

    monkeypatch.setattr(side.shard, "opened", open_rows)
    asyncio.run(live([side], history))
    assert opened and not any(opened)
    assert len(side.told()["rows"]) == len(side.sent) == 5


def test_ids_travel_with_their_row_in_the_changelog(monkeypatch: pytest.MonkeyPatch) -> None:
    rule = compile_rule(load_aggregator(aggregator(OPERATIONS[:1], TIMEOUTS[0], "id")), 1)
    told = []
    for in_columns in (True, False):
        side = Side([rule], in_columns=in_columns, cache_rows=3)
        rows = logged(side, monkeypatch)
        values = [{"bytes": 5, "id": bytes([n]) * 16} for n in range(6)]
        found = [(n % 4, each, 0) for n, each in enumerate(values)]
        asyncio.run(live([side], [("batch", 0, found, False)]))
        told.append({key: decode_row(data or b"").seen for key, data in rows if key[:1] == ROW})
    assert told[0] == told[1]
    assert all(told[0].values())
