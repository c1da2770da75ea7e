"""`sluice totals [AGGREGATOR]`: the control totals; exit 1 when one does not balance."""

import argparse
from collections.abc import Mapping
from typing import Any

from app.cli.command import Command, Context
from app.cli.http import segment
from app.cli.output import Cell

PLACES = ("in", "open", "flushed", "duplicates", "rejected", "expired", "deleted")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument("aggregator", metavar="AGGREGATOR", nargs="?", help="else all")


def run(arguments: argparse.Namespace, context: Context) -> int:
    """Exit 1 when totals do not balance."""
    out = context.out
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
