"""`sluice campaigns`: files of records to be contacted, and what becomes of them."""

import argparse
from pathlib import Path
from typing import Any
from uuid import uuid4

from app.cli import campaign_changes, campaign_reports
from app.cli.command import Command, Context, actions, run_chosen
from app.cli.http import segment
from app.cli.paging import add_paging, page_query, say_more
from app.cli.uploading import Multipart

UPLOAD_S = 3_600.0  # for one answer: the file is sent and made durable within it
RETRY_S = 30.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the sub-commands."""
    action = actions(parser)
    _upload_arguments(action("upload", "upload a CSV of records to be contacted", _upload))
    listed = action("list", "list the campaigns of a day", _list)
    listed.add_argument("--day", metavar="DAY", help="YYYY-MM-DD (default: today)")
    listed.add_argument("--search", metavar="TEXT", default="", help="in id, name and flow")
    listed.add_argument("--status", metavar="STATUS", help="Scheduled, Completed, …")
    add_paging(listed)
    shown = action("show", "show a campaign with its counts", _show)
    shown.add_argument("id", metavar="ID", help="the request id")
    shown.add_argument("--day", metavar="DAY", help="YYYY-MM-DD (default: today)")
    action("alerts", "list the alerts that have started and not ended", _alerts)
    campaign_changes.add_actions(action)
    campaign_reports.add_actions(action)


def _upload_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", type=Path, help="a CSV, plain or .gz")
    parser.add_argument("--flow", metavar="FLOW", required=True, help="what is to be executed")
    parser.add_argument("--name", metavar="NAME", help="what the campaign is called")
    parser.add_argument("--number-column", metavar="COLUMN", help="with the number (number)")
    parser.add_argument("--schedule-column", metavar="COLUMN", help="with the schedule time")
    parser.add_argument(
        "--slot", metavar="HH:MM-HH:MM", action="append", dest="slots", help="may be repeated"
    )
    parser.add_argument("--days", metavar="N", type=int, help="days in a row (1)")
    parser.add_argument("--start-date", metavar="DAY", help="YYYY-MM-DD (today)")
    parser.add_argument("--duplicates", choices=["allow", "first", "reject"])
    parser.add_argument(
        "--idempotency-key", metavar="KEY", help="the same key with the same file is one upload"
    )
    parser.add_argument("--why", metavar="TEXT", help="kept with the upload")
    parser.add_argument("--dry-run", action="store_true", help="say what it would make")


def _upload(arguments: argparse.Namespace, context: Context) -> int:
    names = (
        "flow", "name", "number_column", "schedule_column", "slots", "days", "start_date",
        "duplicates",
    )  # fmt: skip
    description = {
        name: getattr(arguments, name) for name in names if getattr(arguments, name) is not None
    }
    body = Multipart(arguments.file, description)
    query: dict[str, object] = {"dry_run": "true"} if arguments.dry_run else {}
    if arguments.why:
        query["reason"] = arguments.why
    response = context.client.request(
        "POST",
        "/api/campaigns",
        query=query,
        body=body,
        headers={**body.headers, "Idempotency-Key": arguments.idempotency_key or uuid4().hex},
        timeout_s=UPLOAD_S,
        retry_for_s=RETRY_S,
        wait_for_server=False,
    )
    done, out = response.json(), context.out
    if out.json:
        out.document(done)
    elif arguments.dry_run:
        for line in _preview(done):
            out.text(line)
    else:
        out.text(done["request_id"])
        for warning in done["warnings"]:
            out.note(warning["message"])
    return 0


def _preview(done: dict[str, Any]) -> list[str]:
    fits = {True: "fits", False: "does not fit", None: "not known whether it fits"}
    lines = [
        f"{'without a slot' if slot == '-' else slot}: {count:,} FDDs, {fits[done['fits'][slot]]}"
        for slot, count in done["would_create"].items()
    ]
    rejections = done["rejections"]
    if rejections:
        lines.append(f"{len(rejections):,} rows would be rejected, the first of them:")
    lines += [
        f"  row {one['row']}, {one['column'] or 'whole row'}: {one['code']} {one['value']!r}"
        for one in rejections[:10]
    ]
    return lines


def _alerts(arguments: argparse.Namespace, context: Context) -> int:
    found, out = context.client.get("/api/campaigns/alerts"), context.out
    if out.json:
        out.document(found)
        return 0
    rows = [[one["since"], one["alert"], one["text"]] for one in found["items"]]
    out.table(["since", "alert", "what"], rows, "no alerts about campaigns")
    return 0


def _list(arguments: argparse.Namespace, context: Context) -> int:
    query = page_query(arguments)
    if arguments.search:
        query["q"] = arguments.search
    for name in ("day", "status"):
        if getattr(arguments, name):
            query[name] = getattr(arguments, name)
    page, out = context.client.get("/api/campaigns", query), context.out
    if out.json:
        out.document(page)
        return 0
    rows = [
        [
            one["request_id"],
            one["name"],
            one["status"],
            ", ".join(one["scheduled_timestamp"]),
            *(one["counts"][name] for name in ("uploaded", "attempted", "reached", "pending")),
            one["counts"]["negative"]["rows"],
        ]
        for one in page["items"]
    ]
    columns = [
        "id", "name", "status", "slots", "uploaded", "attempted", "reached", "pending", "negative",
    ]  # fmt: skip
    out.table(columns, rows, "no campaigns on that day")
    out.note(", ".join(f"{name} {number:,}" for name, number in page["tabs"].items()))
    say_more(out, page["next"])
    return 0


def _show(arguments: argparse.Namespace, context: Context) -> int:
    query = {"day": arguments.day} if arguments.day else None
    one = context.client.get(f"/api/campaigns/{segment(arguments.id)}", query)
    out = context.out
    if out.json:
        out.document(one)
        return 0
    counts, upload = one["counts"], one["upload"]
    out.fields(
        {
            "id": one["request_id"],
            "name": one["name"],
            "flow": one["flow"],
            "status": one["status"],
            "flags": ", ".join(name for name, on in one["flags"].items() if on) or "none",
            "slots": ", ".join(one["scheduled_timestamp"]) or "none",
            "rows": f"{upload['accepted']:,} accepted, {upload['rejected']:,} rejected, "
            f"{upload['duplicates']:,} duplicates",
            "read": f"{float(upload['progress']):.0%}",
            "allowed": ", ".join(one["allowed_actions"]) or "nothing",
            "days": ", ".join(f"{day['day']} {day['state']}" for day in one["days_list"]),
        }
    )
    out.text()
    out.text(f"on {one['day']}")
    out.fields(dict(campaign_reports.flat(counts)))
    return 0


COMMAND = Command("campaigns", "uploaded campaigns and their changes", add_arguments, run_chosen)
