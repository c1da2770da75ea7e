"""Applying a document: check it, try records against it, see what changes, then apply it."""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any
from urllib.parse import quote, urlencode

import msgspec
from aiohttp import web

from app.shapes import Change, Trial
from app.web import audited
from app.web.bodies import one_document
from app.web.context import BACKEND
from app.web.documents_shown import yaml_of
from app.web.marks import compact
from app.web.pages import preview_history
from app.web.pages.shell import Context, Page, render, see_other
from app.web.people import actor_of
from app.web.wire import exact, loads
from config.documents.base import DocumentError, Problem
from config.documents.diff import Change as Difference
from config.documents.diff import diff

WAIT_S = 5.0  # a change is in force within a second or two; then the page goes on anyway
RECORDS_MAX = 200
SINCE = "24h"
EXAMPLE = """\
kind: aggregator
name: data-per-account
input: usage
group:
  fields: [account]
aggregate:
  - {field: bytes, operation: sum}
  - {field: "*", operation: count}
flush:
  by: timeout
  timeout:
    duration: {hours: 1}
"""
EMPTY: Context = {
    "problems": (),
    "where": "",
    "changes": None,
    "created": False,
    "version": 0,
    "target": "",
    "checked": "",
    "trial": None,
    "records": "",
    "since": "",
    "reason": "",
    "missing_reason": False,
}


async def build(request: web.Request) -> Context:
    """The form, filled with the document in force that the address names, or with an example."""
    kind, name = request.query.get("kind", ""), request.query.get("name", "")
    found = await request.app[BACKEND].document(kind, name) if kind and name else None
    text = yaml_of(found.body) if found is not None and found.body is not None else EXAMPLE
    return {**EMPTY, "text": text, "given": found, "do": ""}


async def post(request: web.Request, page: Page) -> web.StreamResponse:
    """Checks, tries or applies. Applying is offered for a text that was checked as it stands."""
    fields = await request.post()
    text = str(fields.get("document", "")).replace("\r\n", "\n")
    context: Context = {
        **EMPTY,
        "text": text,
        "given": None,
        "records": str(fields.get("records", "")).replace("\r\n", "\n"),
        "since": str(fields.get("since", "")).strip(),
        "reason": str(fields.get("reason", "")).strip(),
        "do": str(fields.get("do", "check")),
    }
    try:
        body = one_document(text, "line")
        await _check(request, context, body)
        if context["do"] == "try":
            await _try(request, context, body)
        if context["do"] == "history":
            return await preview_history.start(request, body, context["since"] or SINCE)
        if context["do"] == "apply" and fields.get("checked") == context["checked"]:
            if context["reason"]:
                return await _apply(request, context, body)
            context["missing_reason"] = True
    except DocumentError as error:
        context.update(problems=error.problems, where=error.where)
    status = 422 if context["problems"] or context["missing_reason"] else 200
    return await render(request, page, "apply.html", context, status)


async def _check(request: web.Request, context: Context, body: Mapping[str, Any]) -> None:
    """Adds what applying would change. Raises DocumentError."""
    backend = request.app[BACKEND]
    problems = await backend.validate(body)
    if problems:
        raise DocumentError(problems)
    kind, name = str(body["kind"]), str(body["name"])
    versions = await backend.versions(kind, name)
    before = versions[0].body if versions else None
    changes = diff(before, body)
    context.update(
        target=f"{kind}/{name}",
        version=versions[0].version + 1 if versions else 1,
        changes=[change_shown(change) for change in changes] if before is not None else None,
        created=before is None,
        checked=_digest(context["text"]),
    )


def _digest(text: str) -> str:
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def change_shown(change: Difference) -> dict[str, str]:
    """A change with its values as JSON text, "" where there is nothing."""
    return {
        "path": change.path,
        "before": "" if change.before is msgspec.UNSET else compact(change.before),
        "after": "" if change.after is msgspec.UNSET else compact(change.after),
    }


async def _try(request: web.Request, context: Context, body: Mapping[str, Any]) -> None:
    lines = [line for line in context["records"].split("\n") if line.strip()]
    if not lines or len(lines) > RECORDS_MAX:
        expected = f"1 to {RECORDS_MAX} JSON records, one a line"
        raise DocumentError([Problem("records to try", len(lines), expected)])
    trial = await request.app[BACKEND].try_record(body, [line.encode() for line in lines])
    context["trial"] = {
        "records": len(lines),
        "sessions": _sessions(trial),
        "rejected": trial.rejected,
        "filtered": trial.filtered,
    }


def _sessions(trial: Trial) -> list[dict[str, Any]]:
    """The sessions of a trial, those flushed on the way first."""
    found = [loads(record) for record in (*trial.flushed, *trial.sessions)]
    for record in found:
        labels = {field: period["label"] for field, period in record["periods"].items()}
        record["who"] = {**record["group"], **labels}
    return found


async def _apply(
    request: web.Request, context: Context, body: Mapping[str, Any]
) -> web.StreamResponse:
    kind, name = context["target"].split("/", 1)
    before = await request.app[BACKEND].document(kind, name)
    known = before and {"version": before.version, "document": exact(before.body)}
    audited.note(request, object=context["target"], before=known)
    change = Change(actor_of(request), context["reason"])
    changed = await request.app[BACKEND].put_document(kind, name, body, change, WAIT_S)
    audited.note(request, after={"version": changed.version, "document": exact(body)})
    done = "applied" if changed.in_force else "accepted"
    query = urlencode({"done": done})
    return see_other(f"/configuration/{quote(kind, safe='')}/{quote(name, safe='')}?{query}")
