"""The trail of changes over HTTP: searched, and exported as a table."""

from typing import Any

import msgspec
from aiohttp import web

from app.trail.entry import Entry, Wanted
from app.web import params
from app.web.api.campaign_files import CSV, csv_lines, send
from app.web.audited import TRAIL
from app.web.problems import bad_parameter
from app.web.routes import CURSOR, LIMIT, Answer, Param, Route
from app.web.wire import answer, dumps, instant
from domain.aggregation.instants import parse_instant

COLUMNS = (
    "at", "actor", "action", "object", "reason", "outcome", "address", "before", "after", "id",
)  # fmt: skip
PAGE = 500  # entries of an export that are read at a time


class AuditOut(msgspec.Struct):
    """A change. `outcome`: done; failed, and may have been done in part; or asked, when it was cut
    short and may have been done. `before` and `after` are null where there was nothing.
    """

    id: str
    at: str
    actor: str
    action: str
    object: str
    reason: str
    outcome: str
    address: str
    before: Any
    after: Any


class AuditsOut(msgspec.Struct):
    """Changes, the newest first."""

    items: list[AuditOut]
    next: str | None


async def list_changes(request: web.Request) -> web.StreamResponse:
    """Changes that match all filters of the address; as CSV all of them, else a page."""
    wanted, form = _wanted(request), request.query.get("format", "json")
    trail = request.app[TRAIL]
    if form == "json":
        page = await trail.find(wanted, params.limit(request), params.cursor(request))
        return answer(AuditsOut([_shown(entry) for entry in page.items], page.next))
    if form != "csv":
        raise bad_parameter("format", form, "json or csv")
    first = await trail.find(wanted, PAGE, None)

    async def rows() -> Any:
        page = first
        while True:
            for entry in page.items:
                shown = msgspec.structs.asdict(_shown(entry))
                for name in ("before", "after"):
                    value = shown[name]
                    shown[name] = None if value is None else dumps(value).decode()
                yield shown
            if page.next is None:
                return
            page = await trail.find(wanted, PAGE, page.next)

    return await send(request, csv_lines(COLUMNS, rows()), "audit.csv", CSV)


def _wanted(request: web.Request) -> Wanted:
    query = request.query
    times: dict[str, int | None] = {}
    for name in ("from", "to"):
        text = query.get(name) or None
        if text is not None and len(text) == len("2024-09-03"):
            text += "T00:00:00Z"
        times[name] = None if text is None else parse_instant(text)
        if text is not None and times[name] is None:
            raise bad_parameter(name, query[name], "an instant like 2024-09-03T10:15:00Z, or a day")
    return Wanted(
        times["from"],
        times["to"],
        query.get("actor", ""),
        query.get("action", ""),
        query.get("object", ""),
    )


def _shown(entry: Entry) -> AuditOut:
    return AuditOut(
        entry.id, instant(entry.at) or "", entry.actor, entry.action, entry.object, entry.reason,
        entry.outcome, entry.address, entry.before, entry.after,
    )  # fmt: skip


ROUTES = (
    Route(
        "GET",
        "/api/audit",
        list_changes,
        "Lists changes by people and programs, with reason, before and after",
        "People",
        {200: Answer("changes, the newest first; a table with format=csv", AuditsOut)},
        (
            Param("from", "an instant, or a day in UTC"),
            Param("to", "the end, exclusive"),
            Param("actor", "by this user or token"),
            Param("action", "actions that begin so, like users or users.add"),
            Param("object", "objects that begin so"),
            Param("format", "json or csv (json)"),
            LIMIT,
            CURSOR,
        ),
        problems={400: "a filter is not what it can be"},
    ),
)
