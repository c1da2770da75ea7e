"""Funnel debugger: what did people do with campaigns, just now?"""

from collections.abc import Mapping
from urllib.parse import quote, urlencode

from aiohttp import web

from app.web.api.funnel import EDN, LABELS, SPANS, asked_for
from app.web.context import BACKEND
from app.web.edn import edn
from app.web.marks import pretty
from app.web.pages.shell import Context, Page, View
from app.web.params import cursor
from app.web.problems import bad_parameter, not_found
from app.web.wire import loads

ROWS = 100
FILTERS = ("since", "campaign", "label", "customer")
SPAN_NAMES = {"1h": "last hour", "6h": "6 hours", "24h": "24 hours", "7d": "week"}


async def build_list(request: web.Request) -> Context:
    """The last events that match the filters of the address."""
    where = {name: request.query[name] for name in FILTERS if request.query.get(name)}
    asked = asked_for(request)
    page = await request.app[BACKEND].funnel(asked, ROWS, cursor(request))
    return {
        "where": where,
        "since": where.get("since", "7d"),
        "spans": [(SPAN_NAMES[name], name, _address({**where, "since": name})) for name in SPANS],
        "labels": LABELS,
        "events": page.items,
        "errors": sum(event.event["label"] == "error" for event in page.items),
        "more": _address({**where, "cursor": page.next}) if page.next else "",
        "first": _address(where) if cursor(request) else "",
        "filtered": any(name != "since" for name in where),
        "narrow": lambda name, value: _address({**where, name: value}),
        "link": link,
    }


def _address(where: Mapping[str, str]) -> str:
    return f"/funnel?{urlencode(where)}" if where else "/funnel"


def link(event_id: str) -> str:
    """The page of an event."""
    return f"/funnel/{quote(event_id, safe='')}"


async def build_one(request: web.Request) -> Context:
    """An event, the whole message as JSON or EDN."""
    event_id = request.match_info["id"]
    form = request.query.get("format", "json")
    if form not in ("json", "edn"):
        raise bad_parameter("format", form, "json or edn")
    message = await request.app[BACKEND].funnel_event(event_id)
    if message is None:
        raise not_found(f"funnel event {event_id!r}", "Events are kept for a week.")
    event = loads(message.body)
    return {
        "message": message,
        "event": event,
        "form": form,
        "text": edn(event) if form == "edn" else pretty(event),
        "media": EDN if form == "edn" else "application/json",
        "link": link(event_id),
    }


PAGE = Page(
    "Funnel debugger",
    "f",
    (
        View("/funnel", "funnel.html", build_list, ("answer", "events")),
        View("/funnel/{id}", "funnel_event.html", build_one),
    ),
)
