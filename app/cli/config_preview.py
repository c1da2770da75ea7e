"""`sluice config preview`: what records would do under a document, before it goes live."""

import argparse
import sys
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from app.cli.command import Context
from app.cli.document_files import valid
from app.cli.lines import batches
from app.cli.sessions import keys, label, show
from app.cli.trial import Outcome, Trial
from config.documents.registry import load_document
from domain.aggregation.document import Aggregator
from domain.errors import UsageError

READ_RECORDS = 1_000
READ_BYTES = 1 << 20


def preview(arguments: argparse.Namespace, context: Context) -> int:
    """Exit 1 when a record would be rejected."""
    given = arguments.records or "-"
    if arguments.document == "-" == given:
        raise UsageError("the document and the records can't both come from stdin")
    document = one_aggregator(arguments.document, context)[1]
    now_ms = context.clock.now_ms()
    if given == "-":
        if context.out.terminal and sys.stdin.isatty():
            context.out.note("records, one JSON object a line; Ctrl-D ends them")
        source, outcome = "stdin", Trial(document, now_ms, "stdin").run(_lines(context.stdin))
    else:
        source = given
        with Path(source).open("rb") as file:
            outcome = Trial(document, now_ms, source).run(_lines(file))
    if context.out.json:
        context.out.document(as_json(outcome))
    else:
        _print(context, outcome)
    for refused in outcome.rejected:
        context.out.note(f"{source}:{refused.number}: {refused.reason}: {refused.detail}")
    return 1 if outcome.rejected else 0


def one_aggregator(file: str, context: Context) -> tuple[Mapping[str, Any], Aggregator]:
    """Body and document of the one aggregator in a file. Raises UsageError, DocumentError."""
    documents = valid([file], context.stdin)
    if len(documents) != 1:
        raise UsageError(f"{file} holds {len(documents)} documents; expected one")
    document = load_document(documents[0].body)
    if not isinstance(document, Aggregator):
        raise UsageError(f"{documents[0].title} takes no records; expected an aggregator")
    return documents[0].body, document


def _lines(source: BinaryIO) -> Iterator[tuple[int, bytes]]:
    for batch in batches(source, READ_RECORDS, READ_BYTES):
        yield from batch


def as_json(outcome: Outcome) -> dict[str, object]:
    """For machines; `line` and `filtered` count lines from 1."""
    return {
        "applied": outcome.applied,
        "duplicates": outcome.duplicates,
        "filtered": outcome.filtered,
        "rejected": [
            {"line": refused.number, "reason": refused.reason, "detail": refused.detail}
            for refused in outcome.rejected
        ],
        "flushed": [msgspec.Raw(record) for record in outcome.flushed],
        "sessions": [msgspec.Raw(record) for record in outcome.sessions],
    }


def _print(context: Context, outcome: Outcome) -> None:
    out = context.out
    decode = msgspec.json.Decoder(float_hook=Decimal).decode
    for title, records in (
        ("flushed on the way", outcome.flushed),
        ("open at the end", outcome.sessions),
    ):
        sessions = [_plain(decode(record)) for record in records]
        if sessions:
            out.text(title, "bold")
            _print_sessions(context, sessions)
            out.text()
    out.text(
        f"{outcome.applied:,} applied, {len(outcome.filtered):,} filtered out, "
        f"{outcome.duplicates:,} duplicates, {len(outcome.rejected):,} rejected"
    )


def _plain(record: dict[str, Any]) -> dict[str, Any]:
    """The flushed record, out of its CloudEvent where it is in one."""
    data: dict[str, Any] = record["data"] if "specversion" in record else record
    return data


def _print_sessions(context: Context, sessions: list[dict[str, Any]]) -> None:
    fields = list(keys(sessions[0]))
    results = list(sessions[0]["values"])
    rows = [
        [
            *(label(value) for value in keys(session).values()),
            *(show(value) for value in session["values"].values()),
            session["sequence"],
            session["explain"]["rule"] if session["meta"]["flushType"] else None,
            session["explain"]["due"],
        ]
        for session in sessions
    ]
    context.out.table([*fields, *results, "sequence", "by", "due"], rows)
