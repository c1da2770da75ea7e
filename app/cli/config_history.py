"""`sluice config preview --since`: a document against what its topic still has."""

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

from app.cli.command import Context
from app.cli.config_preview import one_aggregator
from app.cli.output import Cell, json_bytes
from app.cli.progress import Bar
from app.cli.sessions import keys, label, show
from domain.errors import SluiceError, UsageError

WAIT_S = 1.0  # between two looks at how far it is
ASK_S = 30.0
SIGNS = {"only_now": "only now", "only_what_if": "only in the what-if"}


class PreviewFailed(SluiceError):
    """The what-if came to no result (exit 1)."""


def preview(arguments: argparse.Namespace, context: Context) -> int:
    """Exit 1 when a record would be rejected."""
    if arguments.records is not None:
        raise UsageError("give a file of records or --since, not both")
    body, _ = one_aggregator(arguments.document, context)
    found = _run(context, body, arguments.since)
    if found["state"] != "done":
        raise PreviewFailed(found["detail"] or f"the preview was {found['state']}")
    result = found["result"]
    if context.out.json:
        context.out.document(found)
    else:
        _print(context, found)
    for letter in result["letters"]:
        where = f"{letter['topic']} {letter['partition']}/{letter['offset']}"
        context.out.note(f"{where}: {letter['reason']}: {letter['detail']}")
    return 1 if result["rejected"] else 0


def _run(context: Context, body: Mapping[str, Any], since: str) -> dict[str, Any]:
    """The preview when it is over; Ctrl-C ends it on the server too."""
    client = context.client
    began = client.request(
        "POST", "/api/documents/preview", query={"since": since, "wait": WAIT_S},
        body=json_bytes(body), timeout_s=ASK_S,
    )  # fmt: skip
    found: dict[str, Any] = began.json()
    path = f"/api/documents/preview/{found['id']}"
    try:
        with Bar(f"reading {found['topic']}", show=context.out.terminal) as bar:
            while found["state"] in ("waiting", "running"):
                bar.at(found["read"], found["records"] or None)
                found = client.get(path, {"wait": WAIT_S})
    except KeyboardInterrupt:
        client.request("DELETE", path)
        raise
    return found


def _print(context: Context, found: Mapping[str, Any]) -> None:
    out, result = context.out, found["result"]
    groups = result["groups"]
    rows = [_row(item) for item in result["items"]]
    if rows:
        fields = list(dict.fromkeys(name for item in result["items"] for name in keys(item)))
        names = list(dict.fromkeys(name for item in result["items"] for name in item["results"]))
        out.table(
            [*fields, "what", "flushes now", "what-if", *(f"{name} ±" for name in names), "open"],
            [
                [
                    *(label(group[name]) if name in group else None for name in fields),
                    *head,
                    *(differences.get(name) for name in names),
                    still,
                ]
                for group, head, differences, still in rows
            ],
        )
        shown = sum(groups.values()) - groups["same"]
        if shown > len(rows):
            out.note(f"{shown:,} groups are not the same; these are the first {len(rows):,}")
        out.text()
    if result["totals"]:
        out.table(
            ["in all", "now", "what-if", "difference"],
            [
                [name, show(each["now"]), show(each["what_if"]), each["difference"]]
                for name, each in result["totals"].items()
            ],
        )
        out.text()
    for line in sentences(found):
        out.text(line)


def _row(
    item: Mapping[str, Any],
) -> tuple[Mapping[str, object], Sequence[Cell], Mapping[str, Cell], Cell]:
    differences = {
        name: each["difference"]
        for name, each in item["results"].items()
        if each["difference"] is not None
    }
    status = SIGNS.get(item["status"], item["status"])
    still = item["open"]["meta"]["count"] if item["open"] else None
    return keys(dict(item)), [status, item["now_count"], item["what_if_count"]], differences, still


def sentences(found: Mapping[str, Any]) -> list[str]:
    """What came of it in words."""
    result = found["result"]
    groups = result["groups"]
    rejected = sum(result["rejected"].values())
    lines = [
        f"{groups['same']:,} groups the same, {groups['moved']:,} flushed otherwise with the same "
        f"figures, {groups['differs']:,} differ, {groups['only_now']:,} only now, "
        f"{groups['only_what_if']:,} only in the what-if",
        f"{result['flushes_now']:,} flushes now, {result['flushes_what_if']:,} in the what-if, "
        f"{result['open_sessions']:,} sessions would still be open",
        f"{result['applied']:,} records applied, {result['filtered']:,} filtered out, "
        f"{result['duplicates']:,} duplicates, {rejected:,} rejected",
    ]
    if result["left_out"] or result["flushes_left_out"]:
        lines.append(
            f"left out on both sides: {result['left_out']:,} records and "
            f"{result['flushes_left_out']:,} flushes of sessions that began before"
        )
    for name, what in (("added", "new"), ("dropped", "no longer there")):
        if result[name]:
            lines.append(f"{what}: {', '.join(result[name])}")
    return lines
