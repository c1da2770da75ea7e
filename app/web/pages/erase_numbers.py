"""Erasing people: one number, or those of campaigns over long ago. First what it would do."""

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from aiohttp import web

from app.campaign_shapes import Commanded, Mistake, RefusedAction, RefusedChange
from app.shapes import Change
from app.web.context import BACKEND
from app.web.pages.act_on_campaign import TRIAL, change_of
from app.web.pages.fdds import spaced
from app.web.pages.shell import Context, Page, render, see_other

ADDRESS = "/erase"
TEMPLATE = "erase.html"
WAIT_S = 20.0
DAYS_MAX = 100_000
KINDS = {
    "records_and_fdds": "Records and FDDs",
    "documents": "Documents",
    "negatives": "Negatives",
    "rejected_rows": "Rejected rows",
    "events": "Funnel and usage events",
}


async def build(request: web.Request) -> Context:
    """The form, without anything asked."""
    return _context(request, {})


def _context(request: web.Request, fields: Mapping[str, Any]) -> Context:
    return {
        "here": ADDRESS,
        "once": uuid4().hex,
        "number": str(fields.get("number", "")).strip(),
        "days": str(fields.get("days", "")).strip(),
        "reason": str(fields.get("reason", "")).strip(),
        "missing_reason": False,
        "refused": None,
        "problems": (),
        "trial": None,
        "by": [],
        "did": request.query.get("did", ""),
    }


async def post(request: web.Request, page: Page) -> web.StreamResponse:
    """Says what would be erased, or erases it with a reason."""
    fields = await request.post()
    context = _context(request, fields)
    erases = fields.get("do") == "erase"
    context["missing_reason"] = erases and not context["reason"]
    status = 200
    try:
        problem = _problem(context)
        if problem is not None:
            context["problems"], status = (problem,), 422
        elif erases and context["reason"]:
            done = await _erase(request, context, change_of(request, fields), False)
            return see_other(f"{ADDRESS}?did={done.state}")
        else:
            trial = await _erase(request, context, TRIAL, True)
            context["trial"] = trial.result
            context["by"] = _by(trial)
            status = 422 if context["missing_reason"] else 200
    except RefusedChange as error:
        context["problems"], status = error.mistakes, 422
    except RefusedAction as error:
        context["refused"], status = error, 409
    return await render(request, page, TEMPLATE, context, status)


def _problem(context: Context) -> Mistake | None:
    number, days = context["number"], context["days"]
    if bool(number) is bool(days):
        return Mistake("number", number, "either a number or days")
    if days and not (days.isascii() and days.isdecimal() and int(days) <= DAYS_MAX):
        return Mistake("days", days, "a number of days like 90")
    return None


async def _erase(
    request: web.Request, context: Context, change: Change, dry_run: bool
) -> Commanded:
    backend = request.app[BACKEND]
    if context["number"]:
        return await backend.erase_number(spaced(context["number"]), change, dry_run, WAIT_S)
    return await backend.erase_older(int(context["days"]), change, dry_run, WAIT_S)


def _by(done: Commanded) -> list[tuple[str, int]]:
    found = (done.result or {}).get("by") or {}
    return [(KINDS.get(name, name.replace("_", " ")), n) for name, n in found.items() if n]
