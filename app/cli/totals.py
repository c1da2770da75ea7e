"""`sluice totals [AGGREGATOR]`: the control totals, now or of a day; exit 1 when one does not
balance.
"""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from app.cli.command import Command, Context
from app.cli.day import reconcile
from app.cli.http import segment
from app.cli.output import Cell
from domain.errors import UsageError

PLACES = ("in", "open", "flushed", "duplicates", "rejected", "expired", "deleted")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument("aggregator", metavar="AGGREGATOR", nargs="?", help="else all")
    parser.add_argument(
        "--day", metavar="D", help="the daily reconciliation of a UTC day like 2024-09-03"
    )
    parser.add_argument(
        "--output",
        metavar="FILE",
        type=Path,
        help="write the day there, renamed into place: .json or .csv",
    )


def run(arguments: argparse.Namespace, context: Context) -> int:
    """Exit 1 when totals do not balance."""
    out = context.out
    if arguments.day is not None:
        return reconcile(context, arguments.day, arguments.aggregator, arguments.output)
    if arguments.output is not None:
        raise UsageError("--output is for a day: expected --day D beside it")
    if arguments.aggregator is None:
        found = context.client.get("/api/totals")
        items: list[dict[str, Any]] = found["items"]
    else:
        found = context.client.get(f"/api/aggregators/{segment(arguments.aggregator)}/totals")
        items = [found]
    if out.json:
        out.document(found)
    else:
        rows = [row for totals in items for row in rows_of(totals)]
        empty = "no aggregator is in force; `sluice config apply FILE` applies one"
        out.table(["aggregator", "total", *PLACES, "balanced"], rows, empty)
    wrong = [totals["aggregator"] for totals in items if not totals["balanced"]]
    for name in wrong:
        out.error(
            f"the totals of {name} do not balance: `in` is not the sum of the others\n"
            "records may be counted wrong; keep the topics and the data directory as they are"
        )
    return 1 if wrong else 0


def rows_of(totals: Mapping[str, Any]) -> list[list[Cell]]:
    """A row for the count and one for each sum; a blank for what a sum does not have."""
    of = {"count": totals["count"], **totals["sums"]}
    return [
        [totals["aggregator"], name, *(t.get(p) for p in PLACES), totals["balanced"]]
        for name, t in of.items()
    ]


COMMAND = Command("totals", "control totals; exit 1 when one does not balance", add_arguments, run)
