"""What a flush or an open session was made of: the records themselves."""

from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from app.history_shapes import SourceRecord, Whereabouts
from app.web.api.explanations import plain
from app.web.context import BACKEND
from app.web.documents_shown import yaml_of
from app.web.pages import retract_event
from app.web.pages.shell import Context
from app.web.params import cursor
from app.web.problems import not_found
from domain.aggregation.instants import parse_instant, print_instant

ROWS = 50


def address(aggregator: str, key: str, flush_id: str, at_ms: int | None = None) -> str:
    """The page of a flush, or of an open session."""
    query = {"aggregator": aggregator, "key": key, "id": flush_id}
    if at_ms is not None:
        query["at"] = print_instant(at_ms)
    return f"/sessions/explain?{urlencode(query)}"


async def build(request: web.Request) -> Context:
    """Rule, document, positions and a page of records."""
    query = request.query
    name, key, flush_id = (query.get(each, "") for each in ("aggregator", "key", "id"))
    at_ms = parse_instant(query.get("at", ""))
    found = await request.app[BACKEND].explain(
        name, flush_id, Whereabouts(key or None, {}, at_ms), ROWS, cursor(request)
    )
    if found is None:
        raise not_found(f"aggregator {name!r}", "Configuration lists those in force.")
    here = address(name, key, flush_id, at_ms)
    resend = here.replace("/sessions/explain", "/sessions/resend", 1)
    record = plain(found)
    labels = {field: period["label"] for field, period in record["periods"].items()}
    body = None if found.document is None else found.document.body
    group = {**record["group"], **labels}
    return {
        "found": found,
        "name": name,
        "record": record,
        "group": group,
        "retract": retract_event.address(name, group) if body and body.get("event_id") else "",
        "resend": "" if found.at_ms is None else resend,
        "session": f"/sessions/one?{urlencode({'aggregator': name, 'key': key})}" if key else "",
        "rows": [_row(each) for each in found.records],
        "gone": sum(source.gone or 0 for source in found.sources),
        "known": all(source.gone is not None for source in found.sources),
        "text": "" if body is None else yaml_of(body),
        "first": here if cursor(request) else "",
        "more": f"{here}&{urlencode({'cursor': found.next})}" if found.next else "",
    }


def _row(each: SourceRecord) -> dict[str, Any]:
    record = each.record
    return {
        "topic": each.topic,
        "record": record,
        "duplicate": each.duplicate,
        "version": each.version,
        "text": (record.value or b"").decode("utf-8", "replace"),
    }
