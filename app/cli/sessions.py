"""`sluice sessions`: the open sessions of an aggregator, looked at and acted on."""

import argparse
from decimal import Decimal
from functools import partial
from typing import Any
from uuid import uuid4

from app.cli import session_commands
from app.cli.command import Command, Context, Run, run_chosen
from app.cli.http import segment
from app.cli.output import json_bytes
from app.cli.paging import add_paging, page_query, say_more
from app.cli.session_values import NoSession, find, wanted
from app.literals import literal
from domain.errors import UsageError

HELP = {
    "flush": "flush open sessions now",
    "delete": "delete open sessions: they go to the audit and not to billing",
    "set-timeout": "set when open sessions are due",
}
RETRY_S = 10.0  # a server that is busy or restarts


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the sub-commands."""
    commands = parser.add_subparsers(metavar="ACTION", required=True)

    def action(name: str, help: str, run: Run) -> argparse.ArgumentParser:
        made: argparse.ArgumentParser = commands.add_parser(name, help=help, description=help)
        made.set_defaults(chosen=run)
        made.add_argument("aggregator", metavar="AGGREGATOR")
        made.add_argument(
            "values",
            metavar="FIELD=VALUE",
            nargs="*",
            help='group values: JSON literals (5, true, "5") or text; a period by its label',
        )
        return made

    add_paging(action("list", "list open sessions", _list))
    one = action("show", "show one open session, or where a flush comes from", _show)
    one.add_argument(
        "--explain",
        metavar="ID",
        help="the source records of the flush (or open session) with this id; group values make "
        "it quick to find",
    )
    add_paging(one)
    back = action("retract", "take one event back by its id", _retract)
    back.add_argument("--event-id", required=True, metavar="ID", help="JSON literal or text")
    back.add_argument("--event-source", metavar="SOURCE", help="of a CloudEvent")
    back.add_argument("--reason", help="why, for the audit; always needed")
    back.add_argument(
        "--dry-run", action="store_true", help="only tell which session and flushes it touches"
    )
    again = "send a flush again: the same id, the same bytes"
    resend: argparse.ArgumentParser = commands.add_parser("resend", help=again, description=again)
    resend.set_defaults(chosen=_resend)
    resend.add_argument("id", metavar="ID", help="the flush's id")
    resend.add_argument("--reason", required=True, help="why, for the audit")
    for name, help in HELP.items():
        made = action(name, help, partial(session_commands.act, name))
        session_commands.add_arguments(made, name)


def _list(arguments: argparse.Namespace, context: Context) -> int:
    out = context.out
    page = find(context, arguments.aggregator, wanted(arguments.values), page_query(arguments))
    items = page["items"]
    if out.json:
        out.document(page)
        return 0
    groups = [keys(item) for item in items]
    fields = list(dict.fromkeys(name for group in groups for name in group))
    results = list(dict.fromkeys(name for item in items for name in item["values"]))
    rows = [
        [
            *(label(group[name]) if name in group else None for name in fields),
            *(show(item["values"].get(name)) for name in results),
            item["meta"]["count"],
            item["sequence"],
            item["explain"]["due"],
        ]
        for group, item in zip(groups, items, strict=True)
    ]
    columns = [*fields, *results, "records", "sequence", "due"]
    out.table(columns, rows, f"{arguments.aggregator} has no such session open")
    say_more(out, page["next"])
    return 0


def _show(arguments: argparse.Namespace, context: Context) -> int:
    if arguments.explain is not None:
        from app.cli.session_explained import show_explained

        return show_explained(arguments, context)
    out = context.out
    page = find(context, arguments.aggregator, wanted(arguments.values), {"limit": 2}, least=2)
    items = page["items"]
    if not items:
        raise NoSession(arguments.aggregator, arguments.values)
    if len(items) > 1 or page["next"]:
        names = ", ".join(keys(items[0]))
        raise UsageError(f"several sessions have these values; give all of {names}")
    session = items[0]
    if out.json:
        out.document(session)
        return 0
    explain = session["explain"]
    out.fields(
        {
            "aggregator": f"{session['aggregator']} version {session['version']}",
            **{name: label(value) for name, value in keys(session).items()},
            "sequence": session["sequence"],
            "due": f"{explain['due'] or 'never'} ({explain['rule']})",
            "records": session["meta"]["count"],
            "first": session["meta"]["firstEvent"],
            "last": session["meta"]["lastEvent"],
            "id": session["id"],
        }
    )
    out.text()
    out.table(["result", "value"], [[n, show(v)] for n, v in session["values"].items()])
    out.text()
    sources = [
        [s["topic"], s["partition"], s["first"], s["last"], s["count"]] for s in explain["sources"]
    ]
    out.table(["made of", "partition", "first", "last", "records"], sources)
    return 0


def _resend(arguments: argparse.Namespace, context: Context) -> int:
    answered = context.client.request(
        "POST",
        f"/api/flushes/{segment(arguments.id)}/resend",
        body=json_bytes({"reason": arguments.reason}),
        headers={"Content-Type": "application/json", "Idempotency-Key": str(uuid4())},
        retry_for_s=RETRY_S,
    ).json()
    out = context.out
    if out.json:
        out.document(answered)
    else:
        place = f"{answered['topic']} partition {answered['partition']} offset {answered['offset']}"
        out.text(f"flush {answered['id']} is on {place} again")
    return 0


def _retract(arguments: argparse.Namespace, context: Context) -> int:
    values = wanted(arguments.values)
    body: dict[str, object] = {"reason": arguments.reason}
    if arguments.dry_run:
        body = {"dry_run": True}
    elif not (arguments.reason or "").strip():
        raise UsageError("a reason is needed: sluice sessions retract … --reason TEXT")
    body["event_id"] = literal(arguments.event_id)
    if arguments.event_source is not None:
        body |= {"event_id": arguments.event_id, "event_source": arguments.event_source}
    if values:
        body["group"] = {value.field: value.value for value in values}
    path = f"/api/aggregators/{segment(arguments.aggregator)}/events/retract"
    answered = context.client.post(path, body)
    out = context.out
    if out.json:
        out.document(answered)
    elif arguments.dry_run:
        out.text(_would(answered))
    elif answered["repeated"]:
        out.text(f"it was taken back before, by flush {answered['id']}")
    elif answered["state"] == "done":
        out.text(f"taken back by flush {answered['id']}")
    else:
        out.text(f"accepted: flush {answered['id']} will take it back")
    return 0


def _would(answered: dict[str, Any]) -> str:
    """What a dry run of a retraction tells."""
    if answered["repeated"]:
        return f"it was taken back before, by flush {answered['id']}; nothing would change"
    source = answered["source"]
    key = " ".join(str(show(value)) for value in answered["key"])
    lines = [
        f"1 event of session {key} would be taken back, counted from "
        f"{source['topic']} {source['partition']}/{source['offset']}; nothing was changed"
    ]
    for each in answered["flushes"]:
        first = "the open session flushes first" if each["what"] == "flush" else "the correction"
        number = each["records"]
        lines.append(f"  flush {each['id']}: {first}, {number:,} record{'s' * (number != 1)}")
    return "\n".join(lines)


def keys(session: dict[str, Any]) -> dict[str, object]:
    """Group values and the labels of periods by field."""
    labels = {f"{name} ({p['period']})": p["label"] for name, p in session["periods"].items()}
    return {**session["group"], **labels}


def label(value: object) -> str:
    """A group value in a table: as `show`, but a number is a name here, without separators."""
    from domain.aggregation.numbers import plain

    return plain(value) if isinstance(value, Decimal) else str(show(value))


def show(value: object) -> object:
    """A value in a table: text as it is, unless it looks like another type."""

    if isinstance(value, bool) or value is None:
        return "null" if value is None else str(value).lower()
    if isinstance(value, str):
        return value if literal(value) is value else f'"{value}"'
    return value


COMMAND = Command("sessions", "open sessions by their group values", add_arguments, run_chosen)
