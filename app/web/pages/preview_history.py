"""A document tried against history: how far it is, then what would be different."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from aiohttp import web

from app.history_shapes import GroupCompared, Preview
from app.since import EXPECTED, parse_since
from app.web.api.previews import known
from app.web.context import BACKEND, CLOCK
from app.web.documents_shown import yaml_of
from app.web.pages.shell import Context, see_other
from app.web.wire import loads
from config.documents.base import DocumentError, Problem

ROWS = 50
WORDS = {
    "differs": "differs",
    "moved": "flushed otherwise",
    "only_now": "only now",
    "only_what_if": "only in the what-if",
}


async def start(request: web.Request, body: Mapping[str, Any], text: str) -> web.StreamResponse:
    """Begins a preview and leads to its page. Raises DocumentError."""
    since = parse_since(text, request.app[CLOCK].now_ms())
    if since is None:
        raise DocumentError([Problem("since", text, EXPECTED)])
    begun = await request.app[BACKEND].start_preview(body, since, text)
    return see_other(f"/configuration/preview/{quote(begun.id, safe='')}")


async def stop(request: web.Request) -> web.StreamResponse:
    """Stops a preview and shows how far it came."""
    name = request.match_info["id"]
    known(await request.app[BACKEND].stop_preview(name), name)
    return see_other(f"/configuration/preview/{quote(name, safe='')}")


async def build(request: web.Request) -> Context:
    """A preview, and a page of the groups that would not be the same."""
    name = request.match_info["id"]
    found = known(await request.app[BACKEND].preview(name, 0), name)
    text = request.query.get("from", "0")
    begin = int(text) if text.isdecimal() and len(text) < 9 else 0
    items = found.result.items if found.result is not None else ()
    here = f"/configuration/preview/{quote(name, safe='')}"
    rows = [_row(item) for item in items[begin : begin + ROWS]]
    return {
        "found": found,
        "result": found.result,
        "percent": 100 * found.read // found.records if found.records else 0,
        "sentence": sentence(found),
        "rows": rows,
        "opened": [opened(loads(each)) for each in found.result.open[:ROWS]]
        if found.result is not None
        else [],
        "first": here if begin else "",
        "more": f"{here}?from={begin + ROWS}" if begin + ROWS < len(items) else "",
        "json": f"/api/documents/preview/{quote(name, safe='')}",
        "text": yaml_of(found.body),
        "here": here,
    }


def sentence(found: Preview) -> str:
    """What came of it, in a sentence."""
    if found.state == "waiting":
        return "It waits for another preview to end."
    if found.state == "running":
        return "It runs the records that the topic still has."
    if found.state == "stopped":
        return "It was stopped; nothing is told of half a history."
    if found.result is None:
        return "It came to no result."
    groups = found.result.groups
    other = sum(groups.values()) - groups["same"]
    if not sum(groups.values()):
        return "Nothing was flushed, and nothing would have been."
    if not other:
        return "Nothing would have been different."
    many = "1 group" if other == 1 else f"{other:,} groups"
    return f"{many} of {sum(groups.values()):,} would have been flushed differently."


def _row(item: GroupCompared) -> dict[str, Any]:
    record = item.record
    return {
        "item": item,
        "status": WORDS[item.status],
        "group": _who(record),
        "results": item.results,
        "now": [loads(each) for each in item.now],
        "what_if": [loads(each) for each in item.what_if],
    }


def opened(record: Mapping[str, Any]) -> dict[str, Any]:
    """An open session in a list."""
    return {"group": _who(record), "record": record}


def _who(record: Mapping[str, Any]) -> dict[str, Any]:
    labels = {field: period["label"] for field, period in record["periods"].items()}
    return {**record["group"], **labels}
