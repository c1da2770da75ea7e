"""`sluice fdds`: one record, on one day, in one slot, and why it is what it is."""

import argparse
from typing import Any

from app.cli.command import Command, Context, run_chosen
from app.cli.http import segment
from domain.errors import UsageError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the sub-commands."""
    commands = parser.add_subparsers(metavar="ACTION", required=True)
    text = "show an FDD with its attempts, or those of a number"
    shown = commands.add_parser("show", help=text, description=text)
    shown.set_defaults(chosen=_show)
    shown.add_argument("id", metavar="ID", nargs="?")
    shown.add_argument("--number", metavar="NUMBER", help="a person, over all campaigns")
    text = "tell every rule that was evaluated"
    why = commands.add_parser("why", help=text, description=text)
    why.set_defaults(chosen=_why)
    why.add_argument("id", metavar="ID")


def _show(arguments: argparse.Namespace, context: Context) -> int:
    out = context.out
    if (arguments.id is None) == (arguments.number is None):
        raise UsageError("an FDD's id or --number NUMBER is needed")
    if arguments.number is not None:
        found = context.client.items("/api/fdds", {"number": arguments.number, "limit": 1_000})
        if out.json:
            out.document({"items": found, "next": None})
            return 0
        columns = ["id", "date", "slot", "status", "state", "reason"]
        out.table(columns, [[one[name] for name in columns] for one in found], "nobody")
        return 0
    fdd = context.client.get(f"/api/fdds/{segment(arguments.id)}")
    if out.json:
        out.document(fdd)
        return 0
    attempts: list[dict[str, Any]] = fdd.pop("attempts")
    out.fields({**fdd, "marks": ", ".join(fdd["marks"])})
    out.text()
    columns = ["attempt", "started_at", "finished_at", "outcome", "reason", "retriggered"]
    out.table(columns, [[one[name] for name in columns] for one in attempts], "no attempts")
    return 0


def _why(arguments: argparse.Namespace, context: Context) -> int:
    why, out = context.client.get(f"/api/fdds/{segment(arguments.id)}/why"), context.out
    if out.json:
        out.document(why)
        return 0
    out.text(f"{why['fdd_id']} is {why['status']}")
    rows = [
        [
            one["at"],
            one["rule"],
            ", ".join(f"{name} {value}" for name, value in one["saw"].items()),
            one["decided"],
        ]
        for one in why["rules"]
    ]
    out.table(["at", "rule", "saw", "decided"], rows, "no rule was evaluated yet")
    return 0


COMMAND = Command("fdds", "records of campaigns on a day, in a slot", add_arguments, run_chosen)
