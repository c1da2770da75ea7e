"""`sluice sessions flush|delete|set-timeout`: acting on the open sessions of an aggregator."""

import argparse
import time
from collections.abc import Sequence
from itertools import product
from typing import Any
from uuid import uuid4

from app.cli.command import Context
from app.cli.http import segment
from app.cli.output import json_bytes
from app.cli.session_values import NoSession, wanted
from domain.errors import SluiceError, UsageError

LOOK_S = 0.2
RETRY_S = 30.0  # a worker that is restarted is back by then; the key makes a repeat harmless
DEFAULT_WAIT_S = 60.0
DONE = {
    "flush": "flushed",
    "delete": "deleted",
    "set-timeout": "set to a new timeout",
    "erase": "erased",
}

BESIDE = {"dead_letters": "dead letter", "source_records": "source record"}
"""What an erasure takes besides sessions, where it took any."""


class NotDone(SluiceError):
    """A command is durable, and not carried out yet or refused after all (exit 1)."""

    def __init__(self, command_id: str, detail: str) -> None:
        self.command_id = command_id
        super().__init__(f"command {command_id} {detail}")


class NothingKept(SluiceError):
    """There is nothing to erase (exit 1)."""

    def __init__(self, aggregator: str, values: Sequence[str]) -> None:
        super().__init__(f"nothing is kept of {' '.join(values)} in {aggregator}")


def add_arguments(parser: argparse.ArgumentParser, action: str) -> None:
    """The flags of one of the commands, beside AGGREGATOR and FIELD=VALUE."""
    if action != "erase":
        parser.add_argument(
            "--filter",
            metavar="CONDITION",
            help="instead of FIELD=VALUE: a condition as documents have it, in JSON or YAML, on "
            "results, group fields and meta.count",
        )
    if action == "set-timeout":
        parser.add_argument("--due", metavar="INSTANT", required=True, help="when they shall flush")
    parser.add_argument("--reason", metavar="TEXT", help="why, for the audit; always needed")
    parser.add_argument(
        "--dry-run", action="store_true", help="only count the sessions it would touch"
    )
    parser.add_argument(
        "--idempotency-key", metavar="KEY", help="the same key within 24 h acts once"
    )
    parser.add_argument("--no-wait", action="store_true", help="don't wait until it is done")
    parser.add_argument(
        "--timeout", metavar="S", type=float, default=DEFAULT_WAIT_S, help="wait at most this long"
    )


def act(action: str, arguments: argparse.Namespace, context: Context) -> int:
    """Counts or acts; exit 1 when no session was meant."""
    if not arguments.dry_run and not (arguments.reason or "").strip():
        command = action if action == "erase" else f"sessions {action}"
        raise UsageError(f"a reason is needed: sluice {command} … --reason TEXT")
    path = f"/api/aggregators/{segment(arguments.aggregator)}/sessions/{action}"
    body: dict[str, Any] = {"reason": arguments.reason or ""}
    if action == "set-timeout":
        body["due"] = arguments.due
    if getattr(arguments, "filter", None) is not None:
        if arguments.values:
            raise UsageError("either FIELD=VALUE or --filter says which sessions are meant")
        body["filter"] = condition(arguments.filter)
    else:
        body["group"] = group(context, path, arguments.values, body)
    if arguments.dry_run:
        body["dry_run"] = True
    response = context.client.request(
        "POST",
        path,
        body=json_bytes(body),
        headers={"Idempotency-Key": arguments.idempotency_key or uuid4().hex},
        retry_for_s=RETRY_S,
        wait_for_server=False,
    )
    done = response.json()
    if response.status == 202 and not arguments.no_wait:
        done = waited(context, done, response.headers.get("Location", ""), arguments.timeout)
    told(context, action, done)
    beside = done["counts"].get("dead_letters", 0) + done["counts"].get("source_records", 0)
    if done["state"] == "done" and not done["touched"] and not beside:
        if action == "erase":
            raise NothingKept(arguments.aggregator, arguments.values)
        raise NoSession(arguments.aggregator, arguments.values)
    return 0


def condition(text: str) -> Any:
    """The condition that the text of --filter is. Raises DocumentError."""
    from config.documents.reading import parse_documents

    found = parse_documents(text, "--filter")
    if len(found) != 1:
        raise UsageError("--filter takes one condition; combine several with all or any")
    return found[0][0]


def group(
    context: Context, path: str, values: Sequence[str], body: dict[str, Any]
) -> dict[str, object]:
    """The group values that are meant: 5 without quotes is the number, or where no session has
    that, the text."""
    if not values:
        raise UsageError("say which sessions: FIELD=VALUE, or --filter with a condition")
    fields = [value.field for value in wanted(values)]
    meanings = [
        [value.value] if isinstance(value.value, str) else [value.value, value.typed]
        for value in wanted(values)
    ]
    readings = [dict(zip(fields, meant, strict=True)) for meant in product(*meanings)]
    if len(readings) > 1:
        for reading in readings:
            counted = context.client.post(path, {**body, "group": reading, "dry_run": True})
            if counted["touched"]:
                return reading
    return readings[0]


def waited(context: Context, done: dict[str, Any], where: str, timeout_s: float) -> dict[str, Any]:
    """The command when it is carried out. Raises NotDone."""
    deadline = time.monotonic() + timeout_s
    path, _, query = where.partition("?")
    asked = dict([query.split("=", 1)]) if "=" in query else {}
    while time.monotonic() < deadline:
        state = context.client.get(path, asked)
        if state["state"] == "refused":
            raise NotDone(done["command_id"], f"was refused: {state['because']}")
        if state["state"] == "done":
            result: dict[str, Any] = state["result"]
            return result
        context.client.pause(LOOK_S)
    raise NotDone(
        done["command_id"],
        f"is durable, but after {timeout_s:g} s not carried out everywhere\n"
        "it goes on by itself; topic aggregates.audit tells when, `sluice doctor` how it stands",
    )


def told(context: Context, action: str, done: dict[str, Any]) -> None:
    """What came of it, for people or machines."""
    out = context.out
    if out.json:
        out.document(done)
        return
    sessions, records = done["counts"]["sessions"], done["counts"]["records"]
    figures = f"{sessions:,} session{'' if sessions == 1 else 's'} with {records:,} records"
    for name, what in BESIDE.items():
        if done["counts"].get(name):
            number = done["counts"][name]
            figures += f", {number:,} {what}{'' if number == 1 else 's'}"
    if done["dry_run"]:
        least = "" if done["complete"] else "at least "
        out.text(f"{least}{figures} would be {DONE[action]}; nothing was changed")
    elif done["state"] == "done":
        out.text(f"{figures} {DONE[action]}; command {done['command_id']}")
    else:
        out.text(f"command {done['command_id']} is durable and at work")
