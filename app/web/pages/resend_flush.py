"""Sending a flush again: shows which it is, wants a reason, then puts the same bytes on its topic
once more.
"""

from collections.abc import Mapping
from urllib.parse import urlencode
from uuid import uuid4

from aiohttp import web

from app.history_shapes import Whereabouts
from app.shapes import Change
from app.web.api.explanations import plain
from app.web.context import BACKEND
from app.web.pages import explain_session
from app.web.pages.shell import Context, Page, render, see_other
from app.web.people import actor_of
from app.web.problems import not_found
from domain.aggregation.instants import parse_instant

ADDRESS = "/sessions/resend"
TEMPLATE = "resend.html"
MEANT = ("aggregator", "key", "id", "at")


async def build(request: web.Request) -> Context:
    """The flush that the address means; and that it was sent, when it says so."""
    return await _shown(request, request.query)


async def _shown(request: web.Request, query: Mapping[str, str]) -> Context:
    name, key, flush_id = (query.get(each, "") for each in MEANT[:3])
    where = Whereabouts(key or None, {}, parse_instant(query.get("at", "")))
    found = await request.app[BACKEND].explain(name, flush_id, where, 1, None)
    if found is None:
        raise not_found(f"aggregator {name!r}", "Configuration lists those in force.")
    record = plain(found)
    labels = {field: period["label"] for field, period in record["periods"].items()}
    return {
        "name": name,
        "flush_id": flush_id,
        "record": record,
        "group": {**record["group"], **labels},
        "at_ms": found.at_ms,
        "meant": {each: query[each] for each in MEANT if query.get(each)},
        "once": uuid4().hex,
        "back": explain_session.address(name, key, flush_id, where.at_ms),
        "reason": "",
        "missing_reason": False,
        "done": query.get("done", ""),
        "place": query.get("place", ""),
    }


async def post(request: web.Request, page: Page) -> web.StreamResponse:
    """Sends it, or says that the reason is missing."""
    fields = {key: str(value).strip() for key, value in (await request.post()).items()}
    context = await _shown(request, fields)
    reason, once = fields.get("reason", ""), fields.get("once") or context["once"]
    if not reason or context["at_ms"] is None:
        context |= {"done": "", "once": once, "missing_reason": not reason}
        return await render(request, page, TEMPLATE, context, 422)
    change = Change(actor_of(request), reason, once)
    sent = await request.app[BACKEND].resend_flush(context["flush_id"], change)
    if sent is None:
        flush_id = context["flush_id"]
        raise not_found(f"flush {flush_id!r} on an output topic", "It may be too old to be kept.")
    told = {"done": "sent", "place": f"{sent.topic} {sent.partition}/{sent.offset}"}
    return see_other(f"{ADDRESS}?{urlencode({**context['meant'], **told})}")
