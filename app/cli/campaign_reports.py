"""`sluice campaigns report|recount`."""

import argparse
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from app.cli.command import Action, Context
from app.cli.output import binary
from domain.errors import UsageError

REPORT_S = 600.0


def add_actions(action: Action) -> None:
    """Declares them."""
    reported = action("report", "write a report of a day", _report)
    reported.add_argument("--kind", choices=["raw", "eod"], required=True)
    reported.add_argument("--day", metavar="DAY", help="YYYY-MM-DD (default: today)")
    reported.add_argument("--request", metavar="ID", help="of this campaign only")
    reported.add_argument("--format", choices=["csv", "xlsx", "json"], default="csv")
    reported.add_argument("--output", metavar="FILE", type=Path, help="(standard output)")
    counted = action("recount", "compare the counts with the documents store", _recount)
    counted.add_argument("id", metavar="ID", nargs="?", help="of this campaign only")
    counted.add_argument("--repair", action="store_true", help="write what differs anew")
    counted.add_argument("--reason", metavar="TEXT", default="")


def _report(arguments: argparse.Namespace, context: Context) -> int:
    query: dict[str, object] = {"format": arguments.format}
    if arguments.day:
        query["day"] = arguments.day
    if arguments.request:
        query["request_id"] = arguments.request
    to_screen = arguments.output is None
    if to_screen and arguments.format == "xlsx" and context.out.terminal:
        raise UsageError("an Excel file goes into a file: --output FILE.xlsx")
    path = f"/api/campaigns/reports/{arguments.kind}"
    content = context.client.request("GET", path, query=query, timeout_s=REPORT_S).body
    if not to_screen:
        try:
            part = arguments.output.with_name(arguments.output.name + ".part")
            part.write_bytes(content)
            part.replace(arguments.output)
        except OSError as error:
            raise UsageError(f"{arguments.output} can't be written: {error.strerror}") from error
        context.out.note(f"{len(content):,} bytes in {arguments.output}")
        return 0
    context.out.flush()
    target = binary(sys.stdout)
    if target is None:
        context.out.text(content.decode("utf-8", "replace"))
    else:
        target.write(content)
    return 0


def _recount(arguments: argparse.Namespace, context: Context) -> int:
    """1: there are differences (also when they were repaired)."""
    body: dict[str, Any] = {"repair": arguments.repair, "reason": arguments.reason}
    if arguments.id:
        body["request_id"] = arguments.id
    done, out = context.client.post("/api/campaigns/recount", body), context.out
    if out.json:
        out.document(done)
    else:
        columns = ["request_id", "day", "slot", "path", "counted", "stored"]
        rows = [[one[name] for name in columns] for one in done["differences"]]
        out.table(columns, rows, f"{done['campaigns']:,} campaigns, no differences")
        if done["repaired"]:
            out.note(f"{done['repaired']:,} FDDs written anew")
    return 1 if done["differences"] else 0


def flat(counts: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Nested counts as lines: `outcome.failed.BUSY`."""
    for name, value in counts.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value
