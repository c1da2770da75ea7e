"""Flushed records as CSV and Parquet: the same values under the same paths."""

import csv
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet as pq

from app.batch.tabular import Column, cell, converter, flat
from tests.app.batch.kit import aggregate, config, document, file, flushed

AGGREGATE = [
    {"field": "bytes", "operation": "sum"},
    {"field": "bytes", "operation": "average"},
    {"field": "cell", "operation": "carry_last"},
    {"field": "at", "operation": "date_max"},
]
RECORDS: list[dict[str, Any]] = [
    {"account": "a, \"x\"", "bytes": 9007199254740993, "at": "2024-01-01T00:00:00Z"},
    {"account": "b", "bytes": 1, "cell": {"lac": [1, 0.5]}},
    {"account": "b", "bytes": "0.25", "cell": "é"},
]  # fmt: skip


@pytest.fixture
def given_files(tmp_path: Path) -> tuple[str | Path, ...]:
    group = {"fields": ["account"], "periods": [{"field": "at", "period": "day"}]}
    agg = config(tmp_path, document(aggregate=AGGREGATE), document("b", group=group))
    return ("--config", agg, file(tmp_path, "1.jsonl", RECORDS))


def test_csv_has_a_column_for_each_value(given_files: tuple[str | Path, ...]) -> None:
    expected = flushed(aggregate(*given_files))
    ran = aggregate("--output-format", "csv", *given_files)
    rows = list(csv.DictReader(ran.out.splitlines()))
    assert len(rows) == len(expected) == 3
    for row, record in zip(rows, expected, strict=True):
        assert {path: text for path, text in row.items() if text} == {
            path: cell(value) for path, value in flat(record, "") if value is not None
        }
    assert rows[0]["group.account"] == 'a, "x"'
    assert rows[1]["values.average_bytes"] == "0.625"
    assert rows[2]["periods.at.label"] == "2024-01-01"
    assert json.loads(rows[1]["explain.sources"])[0]["count"] == 2


def test_parquet_holds_numbers_without_loss(
    tmp_path: Path, given_files: tuple[str | Path, ...]
) -> None:
    expected = flushed(aggregate(*given_files))
    out = tmp_path / "out.parquet"
    assert aggregate("--output-format", "parquet", "--output", out, *given_files).code == 0
    table = pq.read_table(out)
    assert table.schema.field("meta.count").type == pa.int64()
    assert table.schema.field("meta.lastCall").type == pa.bool_()
    assert table.schema.field("values.sum_bytes").type == pa.decimal128(18, 2)
    for row, record in zip(table.to_pylist(), expected, strict=True):
        known = {path: value for path, value in row.items() if value is not None}
        wanted = {path: value for path, value in flat(record, "") if value is not None}
        wanted["explain.sources"] = cell(wanted["explain.sources"])
        assert known == wanted


@pytest.mark.parametrize("format_", ["csv", "parquet"])
def test_a_table_of_results_may_be_aggregated_again(
    tmp_path: Path, given_files: tuple[str | Path, ...], format_: str
) -> None:
    out = tmp_path / f"out.{format_}"
    assert aggregate("--output-format", format_, "--output", out, *given_files).code == 0
    again = document(
        group={"fields": ["aggregator"]},
        aggregate=[{"field": "values.sum_bytes", "operation": "sum", "as": "total"}],
        filter={"field": "aggregator", "op": "==", "value": "agg"},
    )
    (record,) = flushed(aggregate("--config", config(tmp_path, again), out))
    assert record["values"] == {"total": Decimal("9007199254740994.25")}


@pytest.mark.parametrize("format_", ["csv", "parquet"])
def test_nothing_flushed_is_an_empty_table(
    tmp_path: Path, given_files: tuple[str | Path, ...], format_: str
) -> None:
    out = tmp_path / "out"
    nothing = file(tmp_path, "0.jsonl", b"")
    ran = aggregate("--output-format", format_, "--output", out, *given_files[:2], nothing)
    assert ran.code == 0
    assert (out.read_bytes() == b"") if format_ == "csv" else (pq.read_table(out).num_rows == 0)


numbers: st.SearchStrategy[Any] = st.one_of(
    st.integers(-(10**30), 10**30),
    st.decimals(-(10**20), 10**20, places=5, allow_nan=False),
)


@given(
    st.one_of(
        st.lists(numbers | st.none(), max_size=6),
        st.lists(st.booleans() | st.none(), max_size=6),
        st.lists(st.one_of(numbers, st.text(max_size=3), st.booleans()), max_size=6),
        st.lists(st.sampled_from([Decimal(10**75), Decimal("1E-75"), 3]), max_size=4),
    )
)
def test_a_column_holds_every_value_it_has_seen(values: list[Any]) -> None:
    column = Column()
    for value in values:
        column.see(value)
    kind = column.type()
    held = pa.array(map(converter(kind), values), kind).to_pylist()
    if pa.types.is_string(kind):
        assert held == [None if value is None else cell(value) for value in values]
    else:
        assert held == values
