"""`sluice sinks`: where flushed records are handed on, what is wrong, and what targets refused."""

import argparse
from base64 import b64decode
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from app.cli.command import Command, Context, Run, run_chosen
from app.cli.consume import pages
from app.cli.dead_letters import position, readable
from app.cli.http import segment
from app.cli.output import Cell
from app.cli.paging import limit
from domain.errors import UsageError

COUNTS = ("sent", "accepted", "refused", "waiting", "passed", "repeated", "missed")
LETTERS = "/api/topics/sink-dead-letters/records"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the sub-commands."""
    commands = parser.add_subparsers(metavar="ACTION", required=True)

    def action(name: str, help: str, run: Run) -> argparse.ArgumentParser:
        made: argparse.ArgumentParser = commands.add_parser(name, help=help, description=help)
        made.set_defaults(chosen=run)
        if name != "list":
            made.add_argument("name", metavar="SINK", help="the sink's name")
        return made

    action("list", "list the sinks with their totals; exit 1 when one fails", _list)
    action("show", "show a sink by partition", _show)
    told = action("taken", "tell which records the target has; exit 1 when not all", _taken)
    told.add_argument("ids", metavar="ID", nargs="+", help="the id of a flushed record")
    letters = action("letters", "list what the target refused, the newest first", _letters)
    letters.add_argument(
        "--limit", metavar="N", type=limit, default=100, help="how many, 1 to 1,000 (default: 100)"
    )
    letters.add_argument("--record", metavar="ID", help="the letter of this record, with its bytes")


def _list(arguments: argparse.Namespace, context: Context) -> int:
    found = context.client.get("/api/sinks")
    out = context.out
    items: list[dict[str, Any]] = found["items"]
    if out.json:
        out.document(found)
    else:
        rows = [
            [item["name"], item["kind"], item["target"], item["input"], item["state"]]
            + [item[count] for count in COUNTS[:4]]
            for item in items
        ]
        empty = "no sink is in force; `sluice config apply FILE` applies one"
        out.table(["sink", "kind", "target", "input", "state", *COUNTS[:4]], rows, empty)
    wrong = [item for item in items if _say_wrong(context, item)]  # says it of each
    return 1 if wrong else 0


def _show(arguments: argparse.Namespace, context: Context) -> int:
    sink = context.client.get(f"/api/sinks/{segment(arguments.name)}")
    out = context.out
    if out.json:
        out.document(sink)
    else:
        out.fields(
            {
                "name": sink["name"],
                "version": sink["version"],
                "target": f"{sink['kind']} {sink['target']}",
                "input": sink["input"],
                "state": sink["state"],
            }
        )
        out.text()
        rows: list[list[Cell]] = [
            [part["partition"], part["state"], part["next"], *(part[count] for count in COUNTS)]
            for part in sink["partitions"]
        ]
        out.table(["partition", "state", "next", *COUNTS], rows)
    return 1 if _say_wrong(context, sink) else 0


def _say_wrong(context: Context, sink: Mapping[str, Any]) -> bool:
    if sink["state"] not in ("failing", "stopped"):
        return False
    if not context.out.json:
        why = sink["detail"] or "no worker with role `sinks` delivers some of its partitions"
        context.out.note(f"{sink['name']} is {sink['state']}: {why}")
    return True


def _taken(arguments: argparse.Namespace, context: Context) -> int:
    path = f"/api/sinks/{segment(arguments.name)}/taken"
    found = context.client.get(path, {"id": arguments.ids})
    out = context.out
    if out.json:
        out.document(found)
    else:
        rows = [
            [item["id"], item["state"], item["partition"], item["offset"]]
            for item in found["items"]
        ]
        out.table(["id", "state", "partition", "offset"], rows)
    return 0 if all(item["taken"] for item in found["items"]) else 1


def _letters(arguments: argparse.Namespace, context: Context) -> int:
    context.client.get(f"/api/sinks/{segment(arguments.name)}")  # says so when there is none
    found: dict[str, dict[str, Any]] = {}
    for letter in _letters_of(context, arguments.name):
        if arguments.record is None or letter["record"] == arguments.record:
            found.pop(letter["id"], None)  # a letter may be there twice, after a kill
            found[letter["id"]] = letter
            if len(found) > arguments.limit:
                del found[next(iter(found))]
    letters = list(reversed(found.values()))
    out = context.out
    if out.json:
        out.lines(letters)
    elif arguments.record is None:
        rows = [
            [each[name] for name in ("at", "reason", "status", "record", "detail")]
            for each in letters
        ]
        out.table(
            ["at", "reason", "status", "record", "detail"],
            rows,
            f"nothing of {arguments.name} was refused",
        )
    elif not letters:
        raise UsageError(f"{arguments.name} has no letter of record {arguments.record!r}")
    else:
        _show_letter(context, letters[0])
    return 0


def _show_letter(context: Context, letter: Mapping[str, Any]) -> None:
    names = ("record", "reason", "status", "detail", "at")
    context.out.fields({**{n: letter[n] for n in names}, "position": position(letter)})
    context.out.text()
    context.out.text(readable(b64decode(letter["original"])))


def _letters_of(context: Context, name: str) -> Iterator[dict[str, Any]]:
    """A sink's letters as they lie on the topic, which holds those of all sinks."""
    for records in pages(context.client, LETTERS, "beginning", False, None):
        for record in records:
            letter = msgspec.json.decode(record.value)
            if letter["sink"] == name:
                yield letter


COMMAND = Command("sinks", "sinks: their totals, troubles, letters", add_arguments, run_chosen)
