"""`sluice dead-letters replay`: applies letters again, all not yet replayed or those that match."""

import argparse
from typing import Any
from uuid import uuid4

from app.cli.command import Context
from app.cli.output import json_bytes

WAIT_S = 60.0
RETRY_S = 30.0  # a server that restarts meanwhile finds the command by its key


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares what `replay` takes besides `--reason`."""
    parser.add_argument("--aggregator", metavar="NAME", help="letters of this aggregator")
    parser.add_argument("--id", metavar="ID", help="this letter")
    parser.add_argument("--topic", metavar="TOPIC", help="letters from this topic")
    parser.add_argument(
        "--dry-run", action="store_true", help="say what would happen, change nothing"
    )
    parser.add_argument("--why", metavar="TEXT", default="", help="kept on the audit topic")
    parser.add_argument(
        "--wait",
        metavar="SECONDS",
        type=float,
        default=WAIT_S,
        help=f"for the answers of the sessions (default {WAIT_S:g}); 0 does not wait",
    )


def run(arguments: argparse.Namespace, context: Context) -> int:
    """0: all that could be is replayed or asked for."""
    where = {
        name: getattr(arguments, name)
        for name in ("id", "reason", "aggregator", "topic")
        if getattr(arguments, name)
    }
    body = {"filter": where, "reason": arguments.why, "dry_run": arguments.dry_run}
    response = context.client.request(
        "POST",
        "/api/dead-letters/replay",
        query={"wait": f"{arguments.wait:g}"},
        body=json_bytes(body),
        headers={"Idempotency-Key": uuid4().hex},
        timeout_s=arguments.wait + RETRY_S,
        retry_for_s=RETRY_S,
        wait_for_server=False,
    )
    done = response.json()
    if context.out.json:
        context.out.document(done)
    else:
        for line in told(done):
            context.out.text(line)
    return 0


def told(done: dict[str, Any]) -> list[str]:
    """What happened, or would."""
    letters, dry_run = done["letters"], done["dry_run"]
    if not letters:
        return ["no letter waits for a replay"]
    lines = []
    if done["examined"] < letters:
        lines.append(f"of {letters:,} letters the newest {done['examined']:,} were looked at")
    would = "would be " if dry_run else ""
    lines.append(f"{_some(done['replayed'])} {would}replayed")
    if done["refused"]:
        reasons = ", ".join(f"{name} {number:,}" for name, number in done["reasons"].items())
        lines.append(f"{_some(done['refused'])} {would}refused again and stay: {reasons}")
    if done["waiting"]:
        lines.append(
            f"{_some(done['waiting'])} asked for, without an answer yet; "
            "`sluice dead-letters list --replayed no` shows how it goes"
        )
    return lines


def _some(number: int) -> str:
    return f"{number:,} letter{'' if number == 1 else 's'}"
