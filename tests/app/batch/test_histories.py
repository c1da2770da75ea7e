"""Random records, however they are cut into files and blocks and in whatever format, against an
independent account of them in fractions."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.formats import blocks, csv_columns, jsonl, parquet
from tests.app.batch import kit
from tests.app.batch.kit import (
    aggregate,
    check_state,
    config,
    csv_text,
    document,
    file,
    flushed,
    totals,
)

FIELDS = ("account", "bytes", "price")
OPERATIONS = [
    {"field": field, "operation": operation}
    for field in ("bytes", "price")
    for operation in ("sum", "min", "max", "average", "count")
] + [{"field": "*", "operation": "count"}]
numbers = st.one_of(
    st.integers(-(10**20), 10**20).map(str),
    st.decimals(-1000, 1000, places=3, allow_nan=False).map(str),
    st.sampled_from(["0.1", "-0", "1e3", "2.5E-3", "9007199254740993", ""]),
    st.sampled_from(["x", "007", "NaN"]),
)
records = st.lists(
    st.fixed_dictionaries(
        {"account": st.sampled_from(["a", "b", "é-1", "c d", ""]), "bytes": numbers,
         "price": st.sampled_from(["0.1", "0.2", "", "1.005"])}
    ),
    max_size=40,
)  # fmt: skip
histories = settings(
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture(autouse=True)
def quick_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    """Arrow and numpy also where blocks are small."""
    monkeypatch.setattr(jsonl, "LARGE_BYTES", 60)
    monkeypatch.setattr(csv_columns, "LARGE_BYTES", 60)


def number(text: str) -> Fraction | None:
    """What the text means; None for an absent one. Raises ValueError."""
    if not text:
        return None
    if text in ("x", "007", "NaN"):
        raise ValueError(text)
    return Fraction(text)


def account_of(some: Sequence[dict[str, str]]) -> dict[str, dict[str, Any]]:
    """For each account what every operation has to give."""
    taken: dict[str, list[dict[str, Fraction | None]]] = {}
    for record in some:
        try:
            values = {field: number(record[field]) for field in ("bytes", "price")}
        except ValueError:
            continue
        if record["account"]:
            taken.setdefault(record["account"], []).append(values)
    return {name: _results(rows) for name, rows in taken.items()}


def _results(rows: Sequence[dict[str, Fraction | None]]) -> dict[str, Any]:
    found: dict[str, Any] = {"count": len(rows)}
    for field in ("bytes", "price"):
        values = [row[field] for row in rows]
        known = [value for value in values if value is not None]
        found[f"sum_{field}"] = sum(known) if known else None
        found[f"min_{field}"] = min(known, default=None)
        found[f"max_{field}"] = max(known, default=None)
        found[f"count_{field}"] = len(known)
        mean = sum(known, Fraction()) / len(known) if known else None
        # round() of a Fraction is half-even
        found[f"average_{field}"] = None if mean is None else round(mean, 12)
    return found


def as_fractions(found: Sequence[Any]) -> dict[str, dict[str, Any]]:
    """Flushed records as `account_of` has them."""
    return {
        record["group"]["account"]: {
            name: None if value is None else Fraction(value)
            for name, value in record["values"].items()
        }
        for record in found
    }


def written(folder: Path, name: str, some: Sequence[dict[str, str]]) -> Path:
    """A file of these records, absent values left out where the format can."""
    if ".csv" in name:
        return file(folder, name, csv_text(some, FIELDS))
    if ".parquet" in name:
        rows = [{key: value or None for key, value in each.items()} for each in some]
        return file(folder, name, kit.parquet(rows, dict.fromkeys(FIELDS, pa.string())))
    return file(folder, name, [{k: v for k, v in each.items() if v} for each in some])


@histories
@given(some=records, data=st.data())
def test_sums_do_not_depend_on_files_blocks_and_formats(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, some: list[dict[str, str]], data: st.DataObject
) -> None:
    monkeypatch.setattr(blocks, "BLOCK_BYTES", data.draw(st.integers(20, 400)))
    monkeypatch.setattr(parquet, "CHUNK_ROWS", data.draw(st.integers(1, 20)))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(some)), max_size=3)))
    names = st.sampled_from(["jsonl", "csv", "jsonl.gz", "csv.gz", "parquet"])
    files = [
        written(tmp_path, f"{i}.{data.draw(names)}", some[start:end])
        for i, (start, end) in enumerate(zip([0, *cuts], [*cuts, len(some)], strict=True))
    ]
    agg = config(tmp_path, document(aggregate=OPERATIONS))
    ran = aggregate("--config", agg, "--json", *files)
    expected = account_of(some)
    assert as_fractions(flushed(ran)) == expected
    told = totals(ran)["agg"]["count"] if expected else {"flushed": 0}
    assert told["flushed"] == sum(each["count"] for each in expected.values())


@histories
@given(some=records, size=st.integers(1, 15))
def test_each_file_is_a_transaction_of_its_own(
    tmp_path: Path, some: list[dict[str, str]], size: int
) -> None:
    parts = [some[at : at + size] for at in range(0, len(some), size)]
    files = [written(tmp_path, f"{i}.jsonl", part) for i, part in enumerate(parts)]
    by_file = document(aggregate=OPERATIONS, flush={"by": "end_of_transaction"})
    if files:
        found = flushed(aggregate("--config", config(tmp_path, by_file), *files))
        for path, part in zip(files, parts, strict=True):
            mine = [r for r in found if r["explain"]["sources"][0]["topic"] == str(path)]
            assert as_fractions(mine) == account_of(part)


@histories
@given(some=records)
def test_every_format_gives_the_same_bytes_but_for_their_source(
    tmp_path: Path, some: list[dict[str, str]]
) -> None:
    agg = config(tmp_path, document(aggregate=OPERATIONS))
    found = []
    for name in ("a.jsonl", "a.csv", "a.parquet", "a.jsonl.gz", "a.csv.gz"):
        ran = aggregate("--config", agg, written(tmp_path, name, some))
        found.append([_without_source(record) for record in flushed(ran)])
    assert found == [found[0]] * 5


def _without_source(record: dict[str, Any]) -> str:
    """All but the id and the positions, which are those of the file's own bytes and lines."""
    explain = {**record["explain"], "sources": None}
    return repr({**record, "id": None, "explain": explain})


@histories
@given(some=records, data=st.data())
def test_runs_over_a_state_add_up_to_one(
    tmp_path_factory: pytest.TempPathFactory, some: list[dict[str, str]], data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("runs")
    flush = {"by": "timeout", "timeout": {"duration": {"hours": 1}}}
    agg = config(folder, document(aggregate=OPERATIONS, flush=flush))
    given_ = ("--config", agg, "--state", folder / "state", "--json")
    cuts = sorted(data.draw(st.lists(st.integers(0, len(some)), max_size=2)))
    for i, (start, end) in enumerate(zip([0, *cuts], [*cuts, len(some)], strict=True)):
        part = written(folder, f"{i}.{'csv' if i % 2 else 'jsonl'}", some[start:end])
        ran = aggregate(*given_, "--again", part)
        assert flushed(ran) == []
        check_state(folder / "state")
    ran = aggregate(*given_, now="2025-11-03T05:30:00Z")
    check_state(folder / "state")
    assert as_fractions(flushed(ran)) == account_of(some)


def test_the_hour_that_daylight_saving_repeats_stays_two(tmp_path: Path) -> None:
    zone = ZoneInfo("Europe/Stockholm")
    start = datetime(2024, 10, 26, 22, tzinfo=UTC)
    times = [start + timedelta(minutes=7 * i) for i in range(80)]
    period = {"field": "at", "period": "hour", "timezone": "Europe/Stockholm"}
    agg = config(
        tmp_path,
        document(group={"periods": [period]}, aggregate=[{"field": "*", "operation": "count"}]),
    )
    column = pa.array(times, pa.timestamp("s", "UTC"))
    texts = column.cast(pa.string()).to_pylist()
    expected: Counter[str] = Counter()
    for time in times:
        local = time.astimezone(zone)
        expected[f"{local:%Y-%m-%dT%H}{local.isoformat()[-6:]}"] += 1
    files = {
        "a.csv": csv_text([{"at": text} for text in texts], ["at", "x"]),
        "a.jsonl": kit.jsonl([{"at": time.isoformat()} for time in times]),
        "a.parquet": kit.parquet([{"at": t} for t in times], {"at": pa.timestamp("s", "UTC")}),
    }
    for name, content in files.items():
        found = flushed(aggregate("--config", agg, file(tmp_path, name, content)))
        assert {
            record["periods"]["at"]["label"]: record["values"]["count"] for record in found
        } == expected
    assert {"2024-10-27T02+02:00", "2024-10-27T02+01:00"} <= expected.keys()
