"""Sessions: what is open for whom, when it is due, and why."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from app import aged
from app.shapes import AggregatorSummary, DocumentVersion, Flush, SessionRow
from app.web.api.aggregators import GROUP, group_filter
from app.web.context import BACKEND, CLOCK
from app.web.documents_shown import group_fields
from app.web.look import LOOK
from app.web.pages import (
    act_on_sessions,
    day_totals,
    erase_account,
    explain_session,
    resend_flush,
    retract_event,
)
from app.web.pages.shell import Context, Page, View
from app.web.params import cursor
from app.web.problems import not_found
from app.web.wire import loads

ROWS = 50
VALUES_IN_ROW = 4  # more are on the session's own page


async def build_list(request: web.Request) -> Context:
    """Open sessions of one aggregator that match the group values, and its totals."""
    backend = request.app[BACKEND]
    aggregators = await backend.documents("aggregator")
    name = request.query.get("aggregator") or (aggregators[0].name if aggregators else "")
    chosen = next((item for item in aggregators if item.name == name), None)
    fields = group_fields(chosen.body) if chosen is not None and chosen.body else []
    wanted = {field: text for field, text in group_filter(request).items() if text}
    page = None
    if name:
        page = await backend.sessions(name, wanted, ROWS, cursor(request))
        if page is None:
            raise not_found(f"aggregator {name!r}", "Configuration lists those in force.")
    rows = [_row(item) for item in page.items] if page else []
    fields = fields or (list(rows[0]["group"]) if rows else [])
    columns = list(rows[0]["values"])[:VALUES_IN_ROW] if rows else []
    # money hangs on totals: only owners tell them
    totals = await backend.totals(name) if name and aged.age_s() is None else ()
    return {
        "aggregators": aggregators,
        "names": _names(aggregators, name),
        "chosen": chosen,
        "name": name,
        "fields": fields,
        "wanted": wanted,
        "rows": rows,
        "columns": columns,
        "numeric": {column: _numeric(rows, column) for column in columns},
        "more": _address(name, wanted, page.next) if page and page.next else "",
        "first": _address(name, wanted, None) if cursor(request) else "",
        "act": act_on_sessions.address(name, wanted),
        "erase": erase_account.address(name) if chosen is not None else "",
        "retract": retract_event.address(name, {}) if _knows_events(chosen) else "",
        "totals": totals[0] if totals else None,
        "summary": await _summary(request, name),
    }


def _knows_events(document: DocumentVersion | None) -> bool:
    """Whether the aggregator has `event_id`, so that an event can be taken back by it."""
    return bool(document is not None and document.body and document.body.get("event_id"))


def _numeric(rows: Sequence[Mapping[str, Any]], column: str) -> bool:
    """Whether a column holds numbers, which stand right; nulls don't tell."""
    values = [row["values"].get(column) for row in rows]
    return all(
        value is None or (isinstance(value, int | Decimal) and not isinstance(value, bool))
        for value in values
    )


async def _summary(request: web.Request, name: str) -> AggregatorSummary | None:
    found = await request.app[LOOK].take(request)
    return next((item for item in found.aggregators if item.name == name), None)


def _names(aggregators: Sequence[DocumentVersion], name: str) -> list[str]:
    """All aggregators in force, and the one asked for, which may be removed already."""
    found = [item.name for item in aggregators]
    return found if name in found or not name else [*found, name]


def _address(name: str, wanted: Mapping[str, str], at: str | None) -> str:
    query = {"aggregator": name, **{GROUP + field: text for field, text in wanted.items()}}
    if at is not None:
        query["cursor"] = at
    return f"/sessions?{urlencode(query)}"


def _row(item: SessionRow) -> dict[str, Any]:
    record = loads(item.record)
    labels = {field: period["label"] for field, period in record["periods"].items()}
    query = urlencode({"aggregator": item.aggregator, "key": item.key})
    return {
        "item": item,
        "link": f"/sessions/one?{query}",
        "group": {**record["group"], **labels},
        "values": record["values"],
        "meta": record["meta"],
        "record": record,
    }


async def build_one(request: web.Request) -> Context:
    """One session by its key: open now, or known by its flushes."""
    backend = request.app[BACKEND]
    name, key = request.query.get("aggregator", ""), request.query.get("key", "")
    found = await backend.session(name, key)
    if found is None:
        raise not_found(
            f"session {key} of aggregator {name!r}",
            "Sessions that were flushed long ago are no longer known.",
        )
    flushes = [_flushed(flush, name, key) for flush in found.flushes]
    row = _row(found.open) if found.open is not None else None
    record = row["record"] if row else flushes[0]["record"] if flushes else None
    labels = {f: p["label"] for f, p in record["periods"].items()} if record else {}
    return {
        "found": found,
        "row": row,
        "group": {**record["group"], **labels} if record else {},
        "explain": explain_session.address(name, key, row["record"]["id"]) if row else "",
        "flushes": flushes,
        "act": f"/sessions/act?{urlencode({'aggregator': name, 'key': key})}",
        "due_now": bool(found.open and found.open.due_ms <= request.app[CLOCK].now_ms()),
    }


def _flushed(flush: Flush, name: str, key: str) -> dict[str, Any]:
    record = loads(flush.record)
    record = record["data"] if "specversion" in record else record
    link = explain_session.address(name, key, record["id"], flush.at_ms)
    return {"at_ms": flush.at_ms, "record": record, "link": link}


async def post_act(request: web.Request) -> web.StreamResponse:
    """Flushes, deletes or sets the timeout of sessions."""
    return await act_on_sessions.post(request, PAGE)


async def post_resend(request: web.Request) -> web.StreamResponse:
    """Sends a flush again."""
    return await resend_flush.post(request, PAGE)


async def post_erase(request: web.Request) -> web.StreamResponse:
    """Erasing an account."""
    return await erase_account.post(request, PAGE)


async def post_retract(request: web.Request) -> web.StreamResponse:
    """Takes an event back, after a dry run."""
    return await retract_event.post(request, PAGE)


PAGE = Page(
    "Sessions",
    "s",
    (
        View("/sessions", "sessions.html", build_list, ("answer", "rows", "totals")),
        View("/sessions/explain", "explain.html", explain_session.build),
        View("/sessions/act", "act.html", act_on_sessions.build),
        View(day_totals.ADDRESS, "day.html", day_totals.build, ("answer", "totals")),
        View(resend_flush.ADDRESS, resend_flush.TEMPLATE, resend_flush.build),
        View(erase_account.ADDRESS, erase_account.TEMPLATE, erase_account.build),
        View(retract_event.ADDRESS, retract_event.TEMPLATE, retract_event.build),
        View("/sessions/one", "session.html", build_one, ("answer", "session", "flushes")),
    ),
    (
        ("/sessions/act", post_act),
        (resend_flush.ADDRESS, post_resend),
        (erase_account.ADDRESS, post_erase),
        (retract_event.ADDRESS, post_retract),
    ),
)
