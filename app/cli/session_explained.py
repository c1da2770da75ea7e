"""`sluice sessions show --explain ID`: from a flush back to its source records."""

import argparse
from typing import Any

from app.cli.command import Context
from app.cli.http import segment
from app.cli.paging import page_query, say_more
from app.cli.session_values import wanted
from app.cli.sessions import keys, label, show
from app.cli.yaml_text import yaml_text


def show_explained(arguments: argparse.Namespace, context: Context) -> int:
    """Exit 1 when there is no such flush."""
    path = f"/api/aggregators/{segment(arguments.aggregator)}/flushes/"
    query = page_query(arguments)
    query |= {f"group.{value.field}": value.text for value in wanted(arguments.values)}
    found = context.client.get(f"{path}{segment(arguments.explain)}/explain", query)
    if context.out.json:
        context.out.document(found)
    else:
        _print(context, found)
    say_more(context.out, found["next"])
    return 0


def _print(context: Context, found: dict[str, Any]) -> None:
    out = context.out
    record = found["flush"]
    record = record["data"] if "specversion" in record else record
    document = found["document"]
    out.fields(
        {
            "aggregator": f"{record['aggregator']} version {record['version']}",
            **{name: label(value) for name, value in keys(record).items()},
            "sequence": record["sequence"],
            "flushed": found["flushed"] or "not yet: it is open",
            "by": f"{record['meta']['flushType'].lower() or 'nothing yet'} ({found['rule']})",
            "due": found["due"] or "never",
            "records": record["meta"]["count"],
            "id": record["id"],
        }
    )
    out.text()
    out.table(["result", "value"], [[name, show(v)] for name, v in record["values"].items()])
    out.text()
    out.table(
        ["made of", "partition", "first", "last", "records", "found", "gone"],
        [
            [s["topic"], s["partition"], s["first"], s["last"], s["count"], s["found"], s["gone"]]
            for s in found["sources"]
        ],
    )
    gone = sum(source["gone"] or 0 for source in found["sources"])
    if gone:
        out.note(f"{gone:,} of the records are no longer retained")
    out.text()
    out.table(
        ["topic", "partition", "offset", "counted", "version", "record"],
        [
            [
                each["topic"],
                each["record"]["partition"],
                each["record"]["offset"],
                "duplicate" if each["duplicate"] else "yes",
                each["version"],
                _text(each["record"]["value"]),
            ]
            for each in found["records"]
        ],
        "none of the records is retained",
    )
    if document is not None and document["document"] is not None:
        out.text()
        by = f" by {document['actor']}" if document["actor"] else ""
        out.text(f"# the document: version {document['version']}, {document['at']}{by}")
        out.text(yaml_text(document["document"]).rstrip("\n"))


def _text(value: object) -> str:
    from app.cli.output import json_bytes

    return value if isinstance(value, str) else json_bytes(value).decode()
