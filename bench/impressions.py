"""`sluice bench impressions`: partition, join and update of a day's file, beside the same written
by hand in DuckDB, Polars and pandas.

Each step is a process of its own on all cores; one system at a time. Polars and pandas pack with
igzip as Sluice does, and Polars packs in as many threads; none of the peers keeps figures,
checksums or versions. The rows a step wrote are compared with the generator's: a run with wrong
ones prints no figure.
"""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from typing import Any

from bench.machine import machine

PEERS = Path(__file__).parent / "peers"
ROOT = Path(__file__).parent.parent
SYSTEMS = ("sluice", "duckdb", "polars", "pandas")
STEPS = ("partition", "join", "update")
LIMIT_S = 1800.0
TABLES = {"partition": "FACT_PARTITIONED", "join": "FACT_JOINED", "update": "FACT_UPDATED"}


@dataclass(frozen=True)
class ImpressionsPlan:
    """`rows` of a day over `campaigns`, of which a hundredth (at least one) changes."""

    systems: tuple[str, ...]
    work: Path
    rows: int = 10_000_000
    campaigns: int = 1000


def run(plan: ImpressionsPlan) -> dict[str, Any]:
    """Runs every step of every system; the report as written to bench/results/."""
    plan.work.mkdir(parents=True, exist_ok=True)
    given = plan.work / f"impressions-{plan.rows}-{plan.campaigns}"
    made = subprocess.run(  # in a process of its own: see bench.batch
        [sys.executable, str(PEERS / "impressions_made.py"), str(given), str(plan.rows),
         str(plan.campaigns)],
        cwd=ROOT, check=True, stdout=subprocess.PIPE,
    )  # fmt: skip
    expected = json.loads(made.stdout)
    results = []
    for system in plan.systems:
        out = plan.work / f"impressions-{system}"
        rmtree(out, ignore_errors=True)
        out.mkdir()
        for step in STEPS:
            results.append(_one(plan, system, step, given, out, expected))
            print(json.dumps(results[-1]), flush=True)
            if "failed" in results[-1]:
                break
        rmtree(out)
    return {"bench": "impressions", "when": time.strftime("%FT%TZ", time.gmtime()), **machine(),
            "results": results}  # fmt: skip


def _one(
    plan: ImpressionsPlan, system: str, step: str, given: Path, out: Path,
    expected: dict[str, list[int]],
) -> dict[str, Any]:  # fmt: skip
    file = given / {"partition": "day.csv.gz", "join": "dim.csv", "update": "new.csv"}[step]
    if system == "sluice":
        command = [sys.executable, "-P", "-m", "app.cli", "impressions", step, str(file)]
        written = out / "tables" / TABLES[step]
    else:
        written = out / step
        command = [sys.executable, str(PEERS / f"impressions_{system}.py"), step]
        command += [str(given), str(out)]
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "SLUICE_TABLES_ROOT": str(out)}
    began = time.monotonic()
    with (plan.work / f"impressions-{system}.log").open("ab") as log:
        process = subprocess.Popen(
            ["timeout", "--foreground", str(LIMIT_S), *command], env=environ, cwd=ROOT,
            stdout=log, stderr=log,
        )  # fmt: skip
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.monotonic() - began
    result: dict[str, Any] = {"system": system, "format": step, "records": expected[step][0]}
    if process.returncode:
        why = "took too long" if process.returncode == 124 else f"ended with {process.returncode}"
        return result | {"failed": f"{why}; see impressions-{system}.log"}
    found = subprocess.run(
        [sys.executable, str(PEERS / "impressions_made.py"), str(written)],
        cwd=ROOT, check=True, stdout=subprocess.PIPE,
    )  # fmt: skip
    if json.loads(found.stdout) != expected[step]:
        return result | {"failed": f"rows are wrong: {found.stdout!r}, not {expected[step]}"}
    cpu = usage.ru_utime + usage.ru_stime
    return result | {
        "per_cpu_s": round(plan.rows / cpu) if step != "update" else round(expected[step][0] / cpu),
        "per_wall_s": round(expected[step][0] / wall),
        "memory_mib": usage.ru_maxrss // 1024,
        "cpu_s": round(cpu, 2),
        "wall_s": round(wall, 2),
    }
