"""The operations beyond the seed in batches: every format, any files, runs over a state."""

import json
import statistics
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.formats import csv_columns, jsonl
from tests.app.batch.kit import aggregate, check_state, config, document, flushed
from tests.app.batch.test_histories import histories, written

AGGREGATE = [
    {"field": "bytes", "operation": "stddev", "scale": 5},
    {"field": "bytes", "operation": "unique_count"},
    {"field": "price", "operation": "unique_count"},
    {"field": "price", "operation": "first"},
    {"field": "price", "operation": "last"},
]
records = st.lists(
    st.fixed_dictionaries(
        {
            "account": st.sampled_from(["a", "b"]),
            "bytes": st.integers(-9, 9).map(str),
            "price": st.sampled_from(["0.1", "0.10", "", "1"]),
        }
    ),
    min_size=1,
    max_size=40,
)


@pytest.fixture(autouse=True)
def quick_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    """Arrow and numpy also where blocks are small."""
    monkeypatch.setattr(jsonl, "LARGE_BYTES", 60)
    monkeypatch.setattr(csv_columns, "LARGE_BYTES", 60)


def account_of(some: list[dict[str, str]]) -> dict[str, dict[str, Any]]:
    """What each account has to give. Cells are text, so "0.1" and "0.10" are two values."""
    found = {}
    for account in {record["account"] for record in some}:
        mine = [record for record in some if record["account"] == account]
        numbers = [int(record["bytes"]) for record in mine]
        prices = [record["price"] for record in mine if record["price"]]
        root = statistics.pstdev(map(Fraction, numbers))
        found[account] = {
            "stddev_bytes": pytest.approx(float(root), abs=1e-5),
            "unique_count_bytes": len(set(numbers)),
            "unique_count_price": len(set(prices)),
            "first_price": prices[0] if prices else None,
            "last_price": prices[-1] if prices else None,
        }
    return found


def found_in(flushes: list[Any]) -> dict[str, dict[str, Any]]:
    found = {record["group"]["account"]: dict(record["values"]) for record in flushes}
    for values in found.values():
        values["stddev_bytes"] = float(values["stddev_bytes"])
    return found


@histories
@given(some=records)
def test_every_format_gives_the_same_figures(tmp_path: Path, some: list[dict[str, str]]) -> None:
    agg = config(tmp_path, document(aggregate=AGGREGATE))
    for name in ("a.jsonl", "a.csv", "a.parquet"):
        ran = aggregate("--config", agg, written(tmp_path, name, some))
        assert found_in(flushed(ran)) == account_of(some)


@histories
@given(some=records, cut=st.integers(0, 40))
def test_runs_over_a_state_add_up_to_one(
    tmp_path_factory: pytest.TempPathFactory, some: list[dict[str, str]], cut: int
) -> None:
    folder = tmp_path_factory.mktemp("runs")
    flush = {"by": "timeout", "timeout": {"duration": {"hours": 1}}}
    agg = config(folder, document(aggregate=AGGREGATE, flush=flush))
    given_ = ("--config", agg, "--state", folder / "state")
    for i, part in enumerate((some[:cut], some[cut:])):
        ran = aggregate(*given_, "--again", written(folder, f"{i}.jsonl", part))
        assert flushed(ran) == []
    check_state(folder / "state")
    assert found_in(flushed(aggregate(*given_, now="2025-11-03T05:30:00Z"))) == account_of(some)


def test_an_estimate_is_marked_in_what_comes_out(tmp_path: Path) -> None:
    lines = b"".join(b'{"account":"a","id":%d}\n' % i for i in range(20_000))
    (tmp_path / "ids.jsonl").write_bytes(lines)
    unique = document(aggregate=[{"field": "id", "operation": "unique_count"}])
    ran = aggregate("--config", config(tmp_path, unique), tmp_path / "ids.jsonl")
    (flush,) = map(json.loads, ran.out.splitlines())
    assert flush["estimated"] == ["unique_count_id"]
    assert flush["values"]["unique_count_id"] == pytest.approx(20_000, rel=0.03)
    exact = aggregate(
        "--config", config(tmp_path, unique), "-", stdin=lines[: lines.find(b"9999}")]
    )
    assert "estimated" not in json.loads(exact.out)
