"""The funnel over HTTP: what people did with campaigns, event by event."""

from typing import Any

import msgspec
from aiohttp import web

from app.insight_backend import FunnelAsked, FunnelEvent
from app.web import params
from app.web.context import BACKEND
from app.web.edn import edn
from app.web.problems import bad_parameter, not_found
from app.web.routes import CURSOR, LIMIT, Answer, Param, Route, in_path
from app.web.wire import answer, exact, instant, loads

HOUR_MS = 3_600_000
SPANS = {"1h": HOUR_MS, "6h": 6 * HOUR_MS, "24h": 24 * HOUR_MS, "7d": 168 * HOUR_MS}
LABELS = ("action", "error", "information")
EDN = "application/edn"


class FunnelOut(msgspec.Struct):
    """An event; what it left out is filled in."""

    id: str
    at: str
    operation: str
    label: str
    campaign: str
    step: str
    customer: str
    ok: bool | None
    detail: Any


class FunnelsOut(msgspec.Struct):
    """Events, the newest first; a page with a `next` may be short."""

    items: list[FunnelOut]
    next: str | None


def asked_for(request: web.Request) -> FunnelAsked:
    """The filters of the address. Raises ProblemError (400)."""
    query = request.query
    since, label = query.get("since", ""), query.get("label", "")
    if since and since not in SPANS:
        raise bad_parameter("since", since, f"one of {', '.join(SPANS)}")
    if label and label not in LABELS:
        raise bad_parameter("label", label, f"one of {', '.join(LABELS)}")
    return FunnelAsked(
        SPANS.get(since), query.get("campaign", ""), label, query.get("customer", "")
    )


def shown(event: FunnelEvent) -> FunnelOut:
    """As the API prints it."""
    rest = {name: event.event[name] for name in ("operation", "label", "campaign", "step")}
    return FunnelOut(
        event.id, instant(event.at_ms) or "", **rest,
        customer=event.event["customer"], ok=event.event["ok"],
        detail=exact(event.event["detail"]),
    )  # fmt: skip


async def list_events(request: web.Request) -> web.StreamResponse:
    """Events that match all filters of the address."""
    page = await request.app[BACKEND].funnel(
        asked_for(request), params.limit(request), params.cursor(request)
    )
    return answer(FunnelsOut([shown(event) for event in page.items], page.next))


async def get_event(request: web.Request) -> web.StreamResponse:
    """One event, the whole message."""
    event_id = request.match_info["id"]
    form = request.query.get("format", "json")
    if form not in ("json", "edn"):
        raise bad_parameter("format", form, "json or edn")
    message = await request.app[BACKEND].funnel_event(event_id)
    if message is None:
        raise not_found(f"funnel event {event_id!r}", "Events are kept for a week.")
    event = loads(message.body)
    if form == "edn":
        return web.Response(text=edn(event), content_type=EDN, charset="utf-8")
    return answer(exact(event))


ROUTES = (
    Route(
        "GET",
        "/api/funnel",
        list_events,
        "Lists funnel events, the newest first",
        "Funnel and usage",
        {200: Answer("events", FunnelsOut)},
        (
            Param("since", "1h, 6h, 24h or 7d: only of that time; left out: all that are kept"),
            Param("campaign", "only of this campaign"),
            Param("label", "only action, error or information"),
            Param("customer", "only of this customer"),
            LIMIT,
            CURSOR,
        ),
    ),
    Route(
        "GET",
        "/api/funnel/{id}",
        get_event,
        "Shows a funnel event, the whole message",
        "Funnel and usage",
        {200: Answer("the message as it came; as `application/edn` when that is asked for")},
        (in_path("id", "the event's id"), Param("format", "json (default) or edn")),
        problems={404: "there is no such event (any more)"},
    ),
)
