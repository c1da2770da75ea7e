"""Erasing an account: says what is kept of it, wants a reason, then erases it for good."""

from collections.abc import Mapping
from urllib.parse import urlencode

from aiohttp import web

from app.command_shapes import Commanded
from app.shapes import Change
from app.web.api.commands import WAIT_S
from app.web.context import BACKEND
from app.web.pages.group_form import group_form, group_given
from app.web.pages.shell import Context, Page, render, see_other
from app.web.people import actor_of
from app.web.problems import not_found
from config.documents.base import DocumentError

ADDRESS = "/sessions/erase"
TEMPLATE = "erase_account.html"


async def build(request: web.Request) -> Context:
    """The form, filled as far as the address says; and that it was done, when it says so."""
    return await _shown(request, request.query)


async def _shown(request: web.Request, query: Mapping[str, str]) -> Context:
    form = await group_form(request, query)
    return {
        **form,
        "again": address(form["name"]),
        "counted": None,
        "group": {},
        "problems": (),
        "missing_values": False,
        "command_id": query.get("command", ""),
        "told": _figures(query),
    }


def _figures(query: Mapping[str, str]) -> dict[str, int]:
    names = ("sessions", "letters", "source_records")
    return {name: int(query[name]) for name in names if query.get(name, "").isdecimal()}


async def post(request: web.Request, page: Page) -> web.StreamResponse:
    """Says what would be erased, or erases it with a reason."""
    fields = {key: str(value).strip() for key, value in (await request.post()).items()}
    context = await _shown(request, fields)
    reason, erases = fields.get("reason", ""), fields.get("do") == "erase"
    group = group_given(context)
    context |= {"done": "", "reason": reason, "once": fields.get("once") or context["once"]}
    context |= {"group": group, "missing_values": not group}
    context["missing_reason"] = erases and not reason
    if not group:
        return await render(request, page, TEMPLATE, context, 422)
    backend, name, asked = request.app[BACKEND], context["name"], {"group": group}
    try:
        if erases and reason:
            change = Change(actor_of(request), reason, context["once"])
            return see_other(
                _told(name, await backend.give_command(name, "erase", asked, change, WAIT_S))
            )
        context["counted"] = await backend.count_command(
            name, "erase", asked, Change(actor_of(request))
        )
    except DocumentError as error:
        context["problems"] = error.problems
    bad = context["problems"] or context["missing_reason"]
    return await render(request, page, TEMPLATE, context, 422 if bad else 200)


def _told(name: str, did: Commanded | None) -> str:
    if did is None:
        raise not_found(f"aggregator {name!r}")
    figures = {
        "sessions": did.sessions, "letters": did.letters, "source_records": did.source_records,
    }  # fmt: skip
    told = {key: str(number) for key, number in figures.items() if number is not None}
    done = {"done": "done" if did.done else "running", "command": did.id}
    return f"{ADDRESS}?{urlencode({'aggregator': name, **done, **told})}"


def address(name: str) -> str:
    """The page for accounts of an aggregator."""
    return f"{ADDRESS}?{urlencode({'aggregator': name})}"
