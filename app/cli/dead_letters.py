"""`sluice dead-letters`: what could not be applied, and why."""

import argparse
from base64 import b64decode
from collections.abc import Mapping
from typing import Any, get_args

from app.cli import dead_letter_replay
from app.cli.command import Command, Context, actions, run_chosen
from app.cli.http import segment
from app.cli.output import printable
from app.cli.paging import add_paging, page_query, say_more
from domain.errors import Reason, UsageError

SHOWN_BYTES = 64 * 1024  # of an original on a person's screen


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the sub-commands."""
    action = actions(parser)
    listed = action("list", "list letters, the newest first", _list)
    listed.add_argument("--reason", metavar="REASON", type=reason)
    listed.add_argument("--aggregator", metavar="NAME")
    listed.add_argument("--topic", metavar="TOPIC")
    listed.add_argument("--replayed", choices=["yes", "no"])
    add_paging(listed)
    action("show", "show a letter with its record", _show).add_argument("id", metavar="ID")
    replayed = action("replay", "apply letters again, each at most once", dead_letter_replay.run)
    replayed.add_argument("--reason", metavar="REASON", type=reason, help="letters of this reason")
    dead_letter_replay.add_arguments(replayed)


def reason(text: str) -> str:
    """One of the reasons a letter can have."""
    known = get_args(Reason)
    if text not in known:
        raise argparse.ArgumentTypeError(f"{text!r} is none of {', '.join(known)}")
    return text


def _list(arguments: argparse.Namespace, context: Context) -> int:
    out = context.out
    query = page_query(arguments)
    for name in ("reason", "aggregator", "topic", "replayed"):
        if getattr(arguments, name):
            query[name] = getattr(arguments, name)
    page = context.client.get("/api/dead-letters", query)
    if out.json:
        out.document(page)
        return 0
    rows = [
        [
            letter["id"],
            letter["at"],
            letter["reason"],
            letter["aggregator"],
            position(letter),
            letter.get("replayed_at"),
            letter["detail"],
        ]
        for letter in page["items"]
    ]
    columns = ["id", "at", "reason", "aggregator", "record", "replayed", "detail"]
    out.table(columns, rows, "no dead letters")
    say_more(out, page["next"])
    return 0


def _show(arguments: argparse.Namespace, context: Context) -> int:
    if not arguments.id:
        raise UsageError("a letter's id is needed; `sluice dead-letters list` has them")
    letter = context.client.get(f"/api/dead-letters/{segment(arguments.id)}")
    out = context.out
    if out.json:
        out.document(letter)
        return 0
    out.fields(
        {
            "id": letter["id"],
            "reason": letter["reason"],
            "detail": letter["detail"],
            "aggregator": letter["aggregator"],
            "version": letter["version"],
            "record": position(letter),
            "at": letter["at"],
            "replayed": letter.get("replayed_at") or "no",
            "refused again": letter.get("tried_at"),
        }
    )
    out.text()
    out.text(readable(b64decode(letter["original"])))
    return 0


def position(letter: Mapping[str, Any]) -> str:
    """Where the record lies: topic/partition/offset."""
    return f"{letter['topic']}/{letter['partition']}/{letter['offset']}"


def readable(original: bytes) -> str:
    """The record as a person may see it: escapes for what would move a terminal's cursor."""
    text = original[:SHOWN_BYTES].decode("utf-8", "backslashreplace")
    shown = printable(text, keep="\n\t")
    left = len(original) - SHOWN_BYTES
    return shown if left <= 0 else f"{shown}\n… and {left:,} bytes more (--json has all)"


COMMAND = Command("dead-letters", "records that could not be applied", add_arguments, run_chosen)
