"""`sluice bench`: what the product costs, beside its peers in the same run."""

import argparse
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from app.cli.command import Command, Context
from domain.errors import UsageError

ROOT = Path(__file__).resolve().parents[2]
DEFAULT = {
    "stream": ("sluice", "sluice-routed", "raw-aiokafka"),
    "campaigns": ("sluice", "sluice-shard"),
}
RESULTS = ROOT / "bench" / "results"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `sluice bench`."""
    parser.add_argument(
        "names", nargs="+", choices=list(MEASURES), metavar="NAME",
        help=f"what to measure, one after the other: {', '.join(MEASURES)}",
    )  # fmt: skip
    parser.add_argument(
        "--systems", default="", help="comma-separated, or all; see --list; default: Sluice alone"
    )
    parser.add_argument("--list", action="store_true", help="show the systems and end")
    parser.add_argument("--records", type=int, default=2_000_000, help="records for fast systems")
    parser.add_argument("--accounts", default="", help="numbers of accounts, comma-separated")
    parser.add_argument("--sessions", type=int, default=1_000_000, help="open sessions to hold")
    parser.add_argument("--times", type=int, default=30, help="how often a batch has the flights")
    parser.add_argument(
        "--rows",
        type=int,
        help="impressions of a day or rows of rollups (10,000,000), or of an upload (1,000,000)",
    )
    parser.add_argument("--large", action="store_true", help="400,000,000 impressions")
    parser.add_argument("--broker", default="", help="host:port of a Kafka for nothing else")
    parser.add_argument("--jars", default="", help="class path of the Java peers")
    parser.add_argument("--work", default=str(ROOT / ".bench"), help="folder for state and logs")


def run(args: argparse.Namespace, context: Context) -> int:
    """Measures, prints a table (or JSON) each and keeps the reports under bench/results/."""
    if args.list:
        for name in args.names:
            print("\n".join(_known(name)))
        return 0
    for name in args.names:  # before the first of them takes its minutes
        _systems(args, name)
    reports = [_measure(args, name, context) for name in args.names]
    return 1 if any("failed" in each for report in reports for each in report["results"]) else 0


def _measure(args: argparse.Namespace, name: str, context: Context) -> dict[str, Any]:
    report = MEASURES[name](args, name)
    RESULTS.mkdir(parents=True, exist_ok=True)
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    (RESULTS / f"{name}-{stamp}.json").write_text(json.dumps(report, indent=1) + "\n")
    if context.flags.json:
        context.out.document(report)
    else:
        print(table(report["results"]), flush=True)
    return report


def _sessions(args: argparse.Namespace, _name: str) -> dict[str, Any]:
    from bench.sessions import measure_sessions

    return measure_sessions(args.sessions, Path(args.work))


def _console(args: argparse.Namespace, _name: str) -> dict[str, Any]:
    from bench.console import run as run_console

    return run_console(args.rows or 10_000_000, Path(args.work).resolve())


def _viewers(args: argparse.Namespace, _name: str) -> dict[str, Any]:
    from bench.viewers import run as run_viewers

    return run_viewers(min(args.sessions, 100_000), Path(args.work).resolve())


def _batch(args: argparse.Namespace, name: str) -> dict[str, Any]:
    from bench.batch import BatchPlan
    from bench.batch import run as run_batch

    return run_batch(BatchPlan(_systems(args, name), Path(args.work).resolve(), args.times))


def _impressions(args: argparse.Namespace, name: str) -> dict[str, Any]:
    from bench.impressions import ImpressionsPlan
    from bench.impressions import run as run_impressions

    rows = 400_000_000 if args.large else args.rows or 10_000_000
    plan = ImpressionsPlan(_systems(args, name), Path(args.work).resolve(), rows)
    return run_impressions(plan)


def _known(name: str) -> tuple[str, ...]:
    """The systems of a benchmark."""
    if name in {"sessions", "console", "viewers"}:
        return ("sluice",)
    if name == "batch":
        from bench.batch import SYSTEMS as BATCHES

        return BATCHES
    if name == "impressions":
        from bench.impressions import SYSTEMS as IMPRESSIONS

        return IMPRESSIONS
    if name == "campaigns":
        from bench.campaigns import SYSTEMS as CAMPAIGNS

        return CAMPAIGNS
    if name == "flush":
        from bench.flush import FLUSHERS

        return tuple(FLUSHERS)
    from bench.systems import SYSTEMS

    return tuple(SYSTEMS)


def _systems(args: argparse.Namespace, name: str) -> tuple[str, ...]:
    known = _known(name)
    if args.systems == "all":
        return known
    names = tuple(args.systems.split(",")) if args.systems else DEFAULT.get(name, ("sluice",))
    unknown = [name for name in names if name not in known]
    if unknown:
        raise UsageError(f"no system {unknown[0]!r} in {name}", f"there are: {', '.join(known)}")
    return names


def _campaigns(args: argparse.Namespace, name: str) -> dict[str, Any]:
    from bench.campaigns import CampaignsPlan
    from bench.campaigns import run as run_campaigns

    broker = f"kafka://{args.broker}" if args.broker else os.environ.get("SLUICE_TEST_KAFKA", "")
    plan = CampaignsPlan(
        _systems(args, name),
        Path(args.work).resolve(),
        args.rows or 1_000_000,
        broker or "embedded://",
        os.environ.get("SLUICE_TEST_MONGO", ""),
        os.environ.get("SLUICE_TEST_MYSQL", ""),
    )
    return run_campaigns(plan)


def _stream(args: argparse.Namespace, name: str) -> dict[str, Any]:
    from bench import flush, recovery, stream

    names = _systems(args, name)
    broker = args.broker or os.environ.get("SLUICE_TEST_KAFKA", "").removeprefix("kafka://")
    if not broker:
        raise UsageError(
            "no broker to measure on",
            "scripts/bench starts one and the peers; or give --broker host:port",
        )
    given = args.accounts or ("1000000" if name == "recovery" else "10000,1000000")
    accounts = tuple(int(number) for number in given.split(","))
    plan = stream.Plan(names, args.records, accounts, broker, args.jars, Path(args.work).resolve())
    runs: dict[str, Callable[[stream.Plan], dict[str, Any]]] = {
        "flush": flush.run, "recovery": recovery.run, "stream": stream.run,
    }  # fmt: skip
    return runs[name](plan)


# What `sluice bench` measures, by name.
MEASURES: dict[str, Callable[[argparse.Namespace, str], dict[str, Any]]] = {
    "stream": _stream, "flush": _stream, "batch": _batch, "recovery": _stream,
    "sessions": _sessions, "impressions": _impressions, "campaigns": _campaigns,
    "console": _console, "viewers": _viewers,
}  # fmt: skip


def table(results: list[dict[str, Any]]) -> str:
    """The results as a table for people, with the ratio to Sluice's figure at the same size."""
    columns = [
        "asked",
        "p50_ms",
        "p95_ms",
        "p99_ms",
        "cpu_ms",
        "bytes",
        "system",
        "accounts",
        "format",
        "records",
        "sessions",
        "disk",
        "per_cpu_s",
        "half_per_cpu_s",
    ]
    columns += ["per_wall_s", "cpu_s", "wall_s", "memory_mib", "ratio", "failed"]
    ours = {_size(r): r.get("per_cpu_s") for r in results if r.get("system") == "sluice"}
    rows = [columns]
    for result in results:
        base, own = ours.get(_size(result)), result.get("per_cpu_s")
        ratio = f"{base / own:.2f}" if base and own else ""
        shown = {**result, "ratio": ratio}
        rows.append([_cell(shown.get(column, "")) for column in columns])
    kept = [i for i in range(len(columns)) if any(row[i] for row in rows[1:])]
    widths = [max(len(row[i]) for row in rows) for i in range(len(columns))]
    return "\n".join("  ".join(row[i].rjust(widths[i]) for i in kept) for row in rows)


def _size(result: dict[str, Any]) -> object:
    return result.get("accounts"), result.get("format")


def _cell(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


COMMAND = Command("bench", "measure the product beside its peers", add_arguments, run)
