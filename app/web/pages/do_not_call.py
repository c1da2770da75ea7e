"""Numbers that are not to be called in any campaign: the list, a file for it, one taken off."""

from collections.abc import Mapping
from uuid import uuid4

from aiohttp import web

from app.campaign_shapes import Commanded, Mistake, Numbers, RefusedFile, RefusedUpload
from app.web.api.campaign_numbers import expiry_of
from app.web.context import BACKEND, CLOCK
from app.web.held import HELD, HeldFile, read_form
from app.web.pages.act_on_campaign import TRIAL, WAIT_S, change_of, say_refused
from app.web.pages.fdds import spaced
from app.web.pages.shell import Context, Page, render, see_other
from app.web.params import cursor
from domain.aggregation.instants import parse_instant

ADDRESS = "/do-not-call"
TEMPLATE = "do_not_call.html"
ROWS = 50
LISTED, REMOVED, AT_WORK = "listed", "removed", "running"


async def build(request: web.Request) -> Context:
    """The list, and the form for a file."""
    return await _context(request, request.query)


async def _context(request: web.Request, fields: Mapping[str, str]) -> Context:
    page = await request.app[BACKEND].do_not_call(ROWS, cursor(request))
    return {
        "rows": [
            {
                **one,
                "at_ms": parse_instant(one["at"]),
                "expires_ms": parse_instant(one["expires"]) if one["expires"] else None,
            }
            for one in page.items
        ],
        "more": f"{ADDRESS}?cursor={page.next}" if page.next else "",
        "first": ADDRESS if cursor(request) else "",
        "here": ADDRESS,
        "now_ms": request.app[CLOCK].now_ms(),
        "once": uuid4().hex,
        "trial": None,
        "held": None,
        "problems": (),
        "did": request.query.get("did", ""),
        "expires": fields.get("expires", ""),
        "number": fields.get("number", ""),
        "reason": fields.get("reason", "").strip(),
        "missing_reason": False,
        "removing": fields.get("do") == "remove",
    }


async def post(request: web.Request, page: Page) -> web.StreamResponse:
    """Looks through a file, takes it with a reason, or takes one number off."""
    fields, file = await read_form(request)
    context = await _context(request, fields)
    context["held"] = file
    deed = fields.get("do", "check")
    context["missing_reason"] = deed != "check" and not context["reason"]
    expires = context["expires"].strip()
    expires_ms = expiry_of(expires) if expires else None
    done: web.Response | None = None
    try:
        if deed == "remove":
            done = await _remove(request, fields, context)
        elif expires and expires_ms is None:
            context["problems"] = (Mistake("expires", expires, "a day like 2027-01-31"),)
        elif file is None:
            expected = "a CSV file with the header number; choose it again if you had"
            context["problems"] = (Mistake("file", "", expected),)
        elif deed == "add" and context["reason"]:
            done = await _take(request, fields, file, expires_ms)
        else:
            numbers = Numbers(file.filename, file.pieces(), expires_ms)
            trial = await request.app[BACKEND].add_do_not_call(numbers, TRIAL, True, WAIT_S)
            context["trial"] = trial.result
    except (RefusedUpload, RefusedFile) as error:
        say_refused(context, error)
        context["held"] = None
    if done is not None:
        return done
    bad = context["problems"] or context["missing_reason"]
    return await render(request, page, TEMPLATE, context, 422 if bad else 200)


async def _take(
    request: web.Request, fields: Mapping[str, str], file: HeldFile, expires_ms: int | None
) -> web.Response:
    numbers = Numbers(file.filename, file.pieces(), expires_ms)
    change = change_of(request, fields)
    done = await request.app[BACKEND].add_do_not_call(numbers, change, False, WAIT_S)
    request.app[HELD].drop(file)
    return _on(done, LISTED)


async def _remove(
    request: web.Request, fields: Mapping[str, str], context: Context
) -> web.Response | None:
    if context["missing_reason"]:
        return None
    number = spaced(context["number"])
    change = change_of(request, fields)
    done = await request.app[BACKEND].withdraw_do_not_call(number, change, False, WAIT_S)
    if done is not None:
        return _on(done, REMOVED)
    expected = "a number of this list, with its country"
    context["problems"] = (Mistake("number", context["number"], expected),)
    return None


def _on(done: Commanded, did: str) -> web.Response:
    return see_other(f"{ADDRESS}?did={AT_WORK if done.state == 'running' else did}")
