"""Taking an event back: says which it is and what that does, wants a reason, then does it."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from app.backend import RetractionRefused
from app.literals import literal, spelled
from app.shapes import Change
from app.web.api.aggregators import GROUP
from app.web.context import BACKEND
from app.web.pages.group_form import group_form, group_given
from app.web.pages.shell import Context, Page, render, see_other
from app.web.people import actor_of
from app.web.problems import not_found
from app.web.wire import loads

ADDRESS = "/sessions/retract"
TEMPLATE = "retract.html"


async def build(request: web.Request) -> Context:
    """The form, filled as far as the address says; and that it was done, when it says so."""
    return await _shown(request, request.query)


async def _shown(request: web.Request, query: Mapping[str, str]) -> Context:
    form = await group_form(request, query)
    return {
        **form,
        "again": address(form["name"], {}),
        "event_id": query.get("event_id", ""),
        "event_source": query.get("event_source", ""),
        "found": None,
        "record": "",
        "key": (),
        "is_open": False,
        "refused": "",
        "missing_id": False,
        "flush_id": query.get("flush", ""),
    }


async def post(request: web.Request, page: Page) -> web.StreamResponse:
    """Says what would be taken back, or takes it back with a reason."""
    fields = {key: str(value).strip() for key, value in (await request.post()).items()}
    context = await _shown(request, fields)
    reason, retracts = fields.get("reason", ""), fields.get("do") == "retract"
    context |= {"done": "", "reason": reason, "once": fields.get("once") or context["once"]}
    context["missing_id"] = not context["event_id"]
    context["missing_reason"] = retracts and not reason
    if context["missing_id"]:
        return await render(request, page, TEMPLATE, context, 422)
    try:
        if retracts and reason:
            return see_other(await _retract(request, context))
        await _find(request, context)
    except RetractionRefused as refused:
        context["refused"] = refused.detail
    bad = context["refused"] or context["missing_reason"]
    return await render(request, page, TEMPLATE, context, 422 if bad else 200)


def _event(context: Context) -> object:
    if context["event_source"]:
        return f"{context['event_source']}\0{context['event_id']}"
    return literal(context["event_id"])


async def _find(request: web.Request, context: Context) -> None:
    backend, name = request.app[BACKEND], context["name"]
    found = await backend.find_retractable(name, _event(context), group_given(context))
    if found is None:
        raise not_found(f"aggregator {name!r}")
    context["found"] = found
    context["record"] = found.value.decode("utf-8", "replace")
    context["key"] = loads(found.key.encode())
    context["is_open"] = found.session_id is not None


async def _retract(request: web.Request, context: Context) -> str:
    """Does it; returns the address that tells so."""
    name = context["name"]
    change = Change(actor_of(request), context["reason"], context["once"])
    done = await request.app[BACKEND].retract_event(
        name, _event(context), group_given(context), change
    )
    if done is None:
        raise not_found(f"aggregator {name!r}")
    told = "again" if done.repeated else "done" if done.done else "running"
    return f"{ADDRESS}?{urlencode({'aggregator': name, 'done': told, 'flush': done.id})}"


def address(name: str, group: Mapping[str, Any]) -> str:
    """The page for events of an aggregator, of the session with these group values."""
    texts = {GROUP + field: spelled(value) for field, value in group.items()}
    return f"{ADDRESS}?{urlencode({'aggregator': name, **texts})}"
