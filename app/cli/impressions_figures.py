"""`sluice impressions status|verify`: figures of the tables, from manifests or counted anew."""

import argparse

from agents.impressions.report import Report, existing, status, verify
from agents.impressions.store import Store
from app.cli.command import Context
from app.impressions import tables_of
from domain.errors import UsageError
from domain.impressions.layout import PARTITIONED, TABLES
from domain.impressions.manifest import totals

MOST_FILES = 40  # shown to people; --json has all


def _tables(arguments: argparse.Namespace, store: Store) -> list[str]:
    if arguments.table is None:
        return existing(store) or [PARTITIONED]
    if arguments.table not in TABLES:
        raise UsageError(f"there is no table {arguments.table!r}", f"there are {', '.join(TABLES)}")
    return [arguments.table]


def status_command(arguments: argparse.Namespace, context: Context) -> int:
    store = Store(tables_of(context.settings))
    for table in _tables(arguments, store):
        _show(context, status(store, table))
    return 0


def verify_command(arguments: argparse.Namespace, context: Context) -> int:
    store = Store(tables_of(context.settings))
    damaged: dict[str, str] = {}
    for table in _tables(arguments, store):
        report = verify(store, table)
        _show(context, report)
        damaged |= report.damaged
    for path, problem in damaged.items():
        context.out.error(f"{path}: {problem}")
    return 1 if damaged else 0


def _show(context: Context, report: Report) -> None:
    out, shown = context.out, report.as_json()
    if out.json:
        out.document(shown)
        return
    manifest, found = report.manifest, totals(report.files)
    out.fields(
        {
            "table": manifest.table,
            "version": manifest.version,
            "rows": found.rows,
            "sum": repr(found.sum),
            "mean": repr(found.mean),
            "deviation": repr(found.stddev),
            "unmatched": manifest.unmatched,
            "rejected": manifest.rejected,
        }
    )
    out.table(
        ["file", "rows", "sum", "mean", "deviation"],
        [
            [one.path, one.rows, repr(one.sum), repr(one.mean), repr(one.figures.stddev)]
            for one in report.files[:MOST_FILES]
        ],
    )
    if len(report.files) > MOST_FILES:
        out.text(f"… and {len(report.files) - MOST_FILES:,} files more; --json has all")
    loads = shown["loads"]
    assert isinstance(loads, list)
    columns = ["load", "file", "state", "rows", "started", "finished"]
    out.table(columns, [[load[column] for column in columns] for load in loads])
