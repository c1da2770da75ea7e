"""Negatives of a campaign: a file is looked through, then taken with a reason; one is withdrawn."""

from collections.abc import Mapping

from aiohttp import web

from app.campaign_shapes import Mistake, Numbers, RefusedAction, RefusedFile, RefusedUpload
from app.web.context import BACKEND
from app.web.held import HELD, HeldFile, read_form
from app.web.pages.act_on_campaign import TRIAL, WAIT_S, change_of, common, lead_on, say_refused
from app.web.pages.campaign_links import campaign_of, known
from app.web.pages.fdds import spaced
from app.web.pages.shell import Context, Page, render

PAGE = "negatives.html"


async def build(request: web.Request) -> Context:
    """The form for a file of negatives; `?fdd=` names one whose number may be withdrawn."""
    return await _context(request, request.query)


async def _context(request: web.Request, fields: Mapping[str, str]) -> Context:
    found = await campaign_of(request)
    fdd_id = fields.get("fdd", "")
    return {
        **await common(request, found, "negatives"),
        "trial": None,
        "held": None,
        "fdd": await request.app[BACKEND].fdd(fdd_id) if fdd_id else None,
        "number": fields.get("number", ""),
        "reason": fields.get("reason", ""),
        "withdrawing": fields.get("do") == "withdraw",
    }


async def post(request: web.Request, page: Page) -> web.StreamResponse:
    """Looks through a file, takes it with a reason, or withdraws one number."""
    fields, file = await read_form(request)
    context = await _context(request, fields)
    context["held"] = file
    deed = fields.get("do", "check")
    context["missing_reason"] = deed != "check" and not context["reason"]
    done = None
    try:
        if deed == "withdraw":
            done = await _withdraw(request, fields, context)
        elif file is None:
            expected = "a CSV file with the header number; choose it again if you had"
            context["problems"] = (Mistake("file", "", expected),)
        elif deed == "negatives" and context["reason"]:
            done = await _take(request, fields, file, context)
        else:
            await _look(request, file, context)
    except (RefusedAction, RefusedUpload, RefusedFile) as error:
        say_refused(context, error)
        context["held"] = None
    if done is not None:
        return done
    bad = context["problems"] or context["missing_reason"]
    status = 409 if context["refused"] is not None else 422 if bad else 200
    return await render(request, page, PAGE, context, status)


async def _look(request: web.Request, file: HeldFile, context: Context) -> None:
    request_id = str(context["found"]["request_id"])
    numbers = Numbers(file.filename, file.pieces())
    trial = await request.app[BACKEND].add_negatives(request_id, numbers, TRIAL, True, WAIT_S)
    context["trial"] = known(trial, request_id).result


async def _take(
    request: web.Request, fields: Mapping[str, str], file: HeldFile, context: Context
) -> web.Response:
    request_id = str(context["found"]["request_id"])
    numbers = Numbers(file.filename, file.pieces())
    change = change_of(request, fields)
    did = await request.app[BACKEND].add_negatives(request_id, numbers, change, False, WAIT_S)
    request.app[HELD].drop(file)
    return lead_on(request_id, "negatives", known(did, request_id), "")


async def _withdraw(
    request: web.Request, fields: Mapping[str, str], context: Context
) -> web.Response | None:
    """Withdraws a number; None when the page is to say why not."""
    request_id, fdd = str(context["found"]["request_id"]), context["fdd"]
    number = str(fdd["number"]) if fdd else spaced(context["number"])
    if context["missing_reason"]:
        return None
    change = change_of(request, fields)
    did = await request.app[BACKEND].withdraw_negative(request_id, number, change, False, WAIT_S)
    if did is not None:
        return lead_on(request_id, "withdraw", did, "")
    expected = "a negative number of this campaign, with its country"
    context["problems"] = (Mistake("number", context["number"], expected),)
    return None
