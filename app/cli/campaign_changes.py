"""`sluice campaigns negatives|retrigger|reschedule|revoke|pause|resume|erase`."""

import argparse
from pathlib import Path
from typing import Any
from uuid import uuid4

from app.cli.command import Action, Context
from app.cli.http import Response, segment
from app.cli.output import json_bytes
from app.cli.uploading import unreadable
from domain.errors import UsageError

WAIT_S = 60.0
RETRY_S = 30.0


def add_actions(action: Action) -> None:
    """Declares them."""
    listed = action("negatives", "take, list or withdraw negatives of a campaign", _negatives)
    listed.add_argument("id", metavar="ID", help="the request id")
    listed.add_argument("file", metavar="FILE", type=Path, nargs="?", help="a CSV with `number`")
    listed.add_argument("--withdraw", metavar="NUMBER", help="take one back, for days to come")
    _common(listed)
    retriggered = _on_campaign(action, "retrigger", "queue again what a day left unfinished")
    retriggered.add_argument("--day", metavar="DAY", help="YYYY-MM-DD (default: today)")
    retriggered.add_argument(
        "--status", action="append", dest="statuses", choices=["IN_PROGRESS", "PARTIAL_COMPLETE"],
        help="may be repeated (default: both)",
    )  # fmt: skip
    retriggered.add_argument(
        "--failed", action="append", metavar="REASON",
        help="failed for this reason; may be repeated (default: OUT_OF_SLOT)",
    )  # fmt: skip
    retriggered.add_argument("--slot", metavar="HH:MM-HH:MM", help="a slot of its own, today")
    rescheduled = _on_campaign(action, "reschedule", "change the slots and days to come")
    rescheduled.add_argument("--slot", metavar="HH:MM-HH:MM", action="append", dest="slots")
    rescheduled.add_argument("--days", metavar="N", type=int)
    _on_campaign(action, "revoke", "cancel a campaign for good")
    _on_campaign(action, "pause", "stop new orders")
    _on_campaign(action, "resume", "let orders go out again")
    erased = action("erase", "erase a number, or old ones, for good; counts stay", _erase)
    erased.add_argument("--number", metavar="NUMBER", help="in E.164, like +919876543210")
    erased.add_argument(
        "--older-than", metavar="DAYS",
        help="all numbers of campaigns whose last day was before that, like 90d",
    )  # fmt: skip
    _common(erased)


def _common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--reason", "--why", metavar="TEXT", default="", help="for the audit")
    parser.add_argument("--dry-run", action="store_true", help="say what would happen")
    parser.add_argument(
        "--wait", metavar="SECONDS", type=float, default=WAIT_S, help=f"({WAIT_S:g})"
    )
    parser.add_argument("--idempotency-key", metavar="KEY", default="")


def _on_campaign(action: Action, name: str, help: str) -> argparse.ArgumentParser:
    def run(arguments: argparse.Namespace, context: Context) -> int:
        members = ("day", "statuses", "failed", "slot", "slots", "days")
        body = {
            member: getattr(arguments, member)
            for member in members
            if getattr(arguments, member, None) is not None
        }
        path = f"/api/campaigns/{segment(arguments.id)}/{name}"
        return _told(context, _post(arguments, context, path, body))

    parser = action(name, help, run)
    parser.add_argument("id", metavar="ID", help="the request id")
    _common(parser)
    return parser


def _post(
    arguments: argparse.Namespace, context: Context, path: str, body: dict[str, Any]
) -> Response:
    body = {**body, "reason": arguments.reason, "dry_run": arguments.dry_run}
    return _request(arguments, context, "POST", path, json_bytes(body), {})


def _request(
    arguments: argparse.Namespace,
    context: Context,
    method: str,
    path: str,
    body: bytes | None,
    query: dict[str, object],
) -> Response:
    headers = {"Idempotency-Key": arguments.idempotency_key or uuid4().hex}
    if query:
        headers["Content-Type"] = "text/csv"
    return context.client.request(
        method,
        path,
        query={**query, "wait": f"{arguments.wait:g}"},
        body=body,
        headers=headers,
        timeout_s=arguments.wait + RETRY_S,
        retry_for_s=RETRY_S,
        wait_for_server=False,
    )


def _told(context: Context, response: Response) -> int:
    """Says what was done. 0: done or going on."""
    done, out = response.json(), context.out
    if out.json:
        out.document(done)
    elif response.status == 202:
        out.text(f"it goes on: command {done['command_id']}")
    else:
        would = "would be " if done["dry_run"] else ""
        out.text(f"{done['touched']:,} FDDs {would}touched")
        for name, number in done["by"].items():
            out.text(f"  {name}: {number:,}")
    return 0


def _negatives(arguments: argparse.Namespace, context: Context) -> int:
    path, out = f"/api/campaigns/{segment(arguments.id)}/negatives", context.out
    query: dict[str, object] = {"reason": arguments.reason}
    if arguments.withdraw:
        target = f"{path}/{segment(arguments.withdraw)}"
        query["dry_run"] = str(arguments.dry_run).lower()
        response = _request(arguments, context, "DELETE", target, None, query)
        if out.json or response.status == 202:
            return _told(context, response)
        is_ = "would be" if arguments.dry_run else "is"
        out.text(f"{arguments.withdraw} {is_} withdrawn")
        return 0
    if arguments.file is None:
        items = context.client.items(path, {"limit": 1_000})
        if out.json:
            out.document({"items": items, "next": None})
            return 0
        columns = ["upload_id", "at", "actor", "filename", "rows", "matched", "unknown", "invalid"]
        rows = [[one.get(name) for name in columns] for one in items]
        out.table(columns, rows, "no negatives")
        return 0
    try:
        body = arguments.file.read_bytes()
    except OSError as error:
        raise unreadable(arguments.file, error) from error
    query |= {"filename": arguments.file.name, "dry_run": str(arguments.dry_run).lower()}
    response = _request(arguments, context, "POST", path, body, query)
    done = response.json()
    if out.json or response.status == 202:
        return _told(context, response)
    counts = ("rows", "matched", "unknown", "invalid", "distinct")
    out.fields({**{name: done[name] for name in counts}, **done["fdds"]})
    return 0


def _erase(arguments: argparse.Namespace, context: Context) -> int:
    if bool(arguments.number) is bool(arguments.older_than):
        raise UsageError("what is to be erased? --number +919876543210, or --older-than 90d")
    if not arguments.reason:
        raise UsageError("an erasure needs a reason: --reason TEXT")
    body = {"number": arguments.number}
    if arguments.older_than:
        body = {"older_than": arguments.older_than}
    response = _post(arguments, context, "/api/campaigns/erase", body)
    _told(context, response)
    return 0 if response.status == 200 else 1
