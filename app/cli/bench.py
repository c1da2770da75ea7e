"""`sluice bench`: what the product costs, beside its peers in the same run."""

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

from app.cli.command import Command, Context
from domain.errors import UsageError

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "bench" / "results"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `sluice bench`."""
    parser.add_argument("name", choices=["stream", "sessions"], help="what to measure")
    parser.add_argument(
        "--systems", default="sluice,sluice-routed,raw-aiokafka", help="comma-separated; see --list"
    )
    parser.add_argument("--list", action="store_true", help="show the systems and end")
    parser.add_argument("--records", type=int, default=2_000_000, help="records for fast systems")
    parser.add_argument("--accounts", default="10000,1000000", help="numbers of accounts")
    parser.add_argument("--sessions", type=int, default=1_000_000, help="open sessions to hold")
    parser.add_argument("--broker", default="", help="host:port of a Kafka for nothing else")
    parser.add_argument("--jars", default="", help="class path of the Java peers")
    parser.add_argument("--work", default=str(ROOT / ".bench"), help="folder for state and logs")


def run(args: argparse.Namespace, context: Context) -> int:
    """Measures, prints a table (or JSON) and keeps the report under bench/results/."""
    if args.name == "sessions":
        from bench.sessions import measure_sessions

        report = measure_sessions(args.sessions, Path(args.work))
    elif args.list:
        from bench.systems import SYSTEMS

        print("\n".join(SYSTEMS))
        return 0
    else:
        report = _stream(args)
    RESULTS.mkdir(parents=True, exist_ok=True)
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    (RESULTS / f"{args.name}-{stamp}.json").write_text(json.dumps(report, indent=1) + "\n")
    if context.flags.json:
        context.out.document(report)
    else:
        print(table(report["results"]))
    return 1 if any("failed" in result for result in report["results"]) else 0


def _stream(args: argparse.Namespace) -> dict[str, Any]:
    from bench.stream import Plan
    from bench.stream import run as run_stream
    from bench.systems import SYSTEMS

    names = tuple(args.systems.split(","))
    unknown = [name for name in names if name not in SYSTEMS]
    if unknown:
        raise UsageError(f"no system {unknown[0]!r}", f"there are: {', '.join(SYSTEMS)}")
    broker = args.broker or os.environ.get("SLUICE_TEST_KAFKA", "").removeprefix("kafka://")
    if not broker:
        raise UsageError(
            "no broker to measure on",
            "scripts/bench starts one and the peers; or give --broker host:port",
        )
    accounts = tuple(int(number) for number in args.accounts.split(","))
    plan = Plan(names, args.records, accounts, broker, args.jars, Path(args.work).resolve())
    return run_stream(plan)


def table(results: list[dict[str, Any]]) -> str:
    """The results as a table for people, with the ratio to Sluice's figure at the same size."""
    columns = ["system", "accounts", "records", "per_cpu_s", "half_per_cpu_s", "per_wall_s"]
    columns += ["memory_mib", "ratio", "failed"]
    ours = {r["accounts"]: r.get("per_cpu_s") for r in results if r.get("system") == "sluice"}
    rows = [columns]
    for result in results:
        base, own = ours.get(result.get("accounts")), result.get("per_cpu_s")
        ratio = f"{base / own:.2f}" if base and own else ""
        shown = {**result, "ratio": ratio}
        rows.append([_cell(shown.get(column, "")) for column in columns])
    kept = [i for i in range(len(columns)) if any(row[i] for row in rows[1:])]
    widths = [max(len(row[i]) for row in rows) for i in range(len(columns))]
    return "\n".join("  ".join(row[i].rjust(widths[i]) for i in kept) for row in rows)


def _cell(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


COMMAND = Command("bench", "measure the product beside its peers", add_arguments, run)
