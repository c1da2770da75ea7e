"""Acting on a campaign: what it would do first, in words, then with a reason the deed.

The choices stand in the address, so that the dry run is a page like any other; the form that acts
carries them along. Negatives come as a file, which is held between the dry run and the deed.
"""

from collections.abc import Mapping, Sequence
from typing import Any, cast
from uuid import uuid4

from aiohttp import web

from app.campaign_shapes import (
    Action,
    Commanded,
    Mistake,
    Numbers,
    RefusedAction,
    RefusedFile,
    RefusedUpload,
)
from app.shapes import Change
from app.web import campaign_words
from app.web.campaign_deeds import ACTIONS, DEEDS, told
from app.web.context import BACKEND
from app.web.held import HELD, HeldFile, read_form
from app.web.pages.campaign_links import campaign_link, campaign_of, day_of, known, zone_of
from app.web.pages.shell import Context, Page, render, see_other
from app.web.people import actor_of
from domain.aggregation.instants import parse_instant

WAIT_S = 5.0  # then the campaign's page is shown, which says when it is done
TRIAL = Change("", "")
STATUSES = ("IN_PROGRESS", "PARTIAL_COMPLETE")
UNKNOWN = ("NO_ACK", "NO_RESULT")  # the person may have been contacted: only when asked for by name

__all__ = ["ACTIONS", "build", "build_negatives", "buttons", "done", "post", "post_negatives"]


def buttons(found: Mapping[str, Any], day: str | None) -> Sequence[Mapping[str, str]]:
    """What the server would take now, in the order of harm."""
    allowed = set(found["allowed_actions"])
    return [
        {
            "verb": deed.verb,
            "name": name,
            "look": deed.look,
            "href": campaign_link(
                str(found["request_id"]), name, day=day if name == "retrigger" else None
            ),
        }
        for name, deed in DEEDS.items()
        if name in allowed
    ]


async def build(request: web.Request) -> Context:
    """What the action of the address would do with the choices of the address."""
    return await _context(request, request.query)


async def _context(request: web.Request, chosen: Mapping[str, Any]) -> Context:
    found = await campaign_of(request)
    request_id, name = str(found["request_id"]), request.match_info["action"]
    body, choices, ready = _body(name, chosen, found)
    context: Context = {
        **await _common(request, found, name),
        "choices": choices,
        "trial": None,
        "ready": ready,
        "reasons": _reasons(found, choices),
    }
    if not ready:
        return context
    try:
        trial = await request.app[BACKEND].change_campaign(
            request_id, cast(Action, name), body, TRIAL, True, WAIT_S
        )
        context["trial"] = (known(trial, request_id).result or {}) if trial else None
    except (RefusedAction, RefusedUpload) as error:
        _refused(context, error)
    return context


async def _common(request: web.Request, found: Mapping[str, Any], name: str) -> Context:
    request_id = str(found["request_id"])
    return {
        "found": found,
        "name": name,
        "deed": DEEDS[name],
        "zone": await zone_of(request, str(found["flow"])),
        "back": campaign_link(request_id, day=day_of(request)),
        "here": campaign_link(request_id, name),
        "once": uuid4().hex,
        "reason": "",
        "missing_reason": False,
        "refused": None,
        "open_ms": None,
        "problems": (),
        "made": campaign_words.made,
    }


def _refused(context: Context, error: RefusedAction | RefusedUpload | RefusedFile) -> None:
    """Puts what an action was refused for where the page says it."""
    if isinstance(error, RefusedAction):
        context["refused"] = error
        context["open_ms"] = parse_instant(error.open_at) if error.open_at else None
    elif isinstance(error, RefusedFile):
        context["problems"] = (Mistake("file", "", error.detail),)
    else:
        context["problems"] = error.mistakes


def _body(
    name: str, chosen: Mapping[str, Any], found: Mapping[str, Any]
) -> tuple[dict[str, object], dict[str, Any], bool]:
    """(the command's body, the choices as the form shows them, whether they were made)."""
    if name == "retrigger":
        made = "chosen" in chosen
        choices: dict[str, Any] = {
            "day": str(chosen.get("day") or found["day"]),
            "statuses": _all(chosen, "statuses") if made else list(STATUSES),
            "failed": _all(chosen, "failed") if made else ["OUT_OF_SLOT"],
            "slot": str(chosen.get("slot", "")).strip(),
        }
        return {**choices, "slot": choices["slot"] or None}, choices, True
    if name == "reschedule":
        given = str(chosen.get("slots", "")).strip()
        days = str(chosen.get("days", "")).strip()
        slots = [text for text in given.replace("–", "-").replace(",", " ").split() if text]
        choices = {
            "slots": given or ", ".join(found["scheduled_timestamp"]),
            "days": days or str(max(1, len(found["days_list"]))),
        }
        whole: object = int(days) if days.isdecimal() and len(days) < 6 else days
        return {"slots": slots, "days": whole}, choices, bool(given and days)
    return {}, {}, True


def _all(chosen: Mapping[str, Any], name: str) -> list[str]:
    getall = getattr(chosen, "getall", None)
    return [str(text) for text in getall(name, [])] if getall else []


def _reasons(found: Mapping[str, Any], choices: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Reasons that a retrigger may be asked to take, with how many failed for each."""
    failed = found["counts"]["outcome"]["failed"]
    names = dict.fromkeys(["OUT_OF_SLOT", *sorted(failed), *choices.get("failed", ())])
    return [
        {"name": name, "count": failed.get(name, 0), "unknown": name in UNKNOWN} for name in names
    ]


async def post(request: web.Request, page: Page) -> web.StreamResponse:
    """Does it, or says what is missing; a form sent twice is one command."""
    fields = await request.post()
    context = await _context(request, fields)
    reason, once = str(fields.get("reason", "")).strip(), str(fields.get("once", ""))
    context["reason"] = reason
    if not reason or not once.isalnum():
        context["missing_reason"] = True
        return await render(request, page, "campaign_act.html", context, 422)
    if context["refused"] is not None or context["problems"]:
        status = 409 if context["refused"] is not None else 422
        return await render(request, page, "campaign_act.html", context, status)
    found, name = context["found"], context["name"]
    request_id = str(found["request_id"])
    body, _, _ = _body(name, fields, found)
    change = Change(actor_of(request), reason, f"form-{once}")
    try:
        did = await request.app[BACKEND].change_campaign(
            request_id, cast(Action, name), body, change, False, WAIT_S
        )
    except (RefusedAction, RefusedUpload) as error:
        _refused(context, error)
        status = 409 if isinstance(error, RefusedAction) else 422
        return await render(request, page, "campaign_act.html", context, status)
    return _leads_on(request_id, name, known(did, request_id), str(fields.get("day", "")))


def _leads_on(request_id: str, name: str, did: Commanded, day: str) -> web.Response:
    return see_other(campaign_link(request_id, did=name, command=did.command_id, day=day))


async def done(request: web.Request) -> Mapping[str, Any] | None:
    """What became of the command that the address names; None without one."""
    name, command_id = request.query.get("did", ""), request.query.get("command", "")
    if name == "upload":
        warning = campaign_words.WARNINGS.get(request.query.get("warning", ""), "")
        return {"text": "The file is taken.", "look": "good", "command": "", "more": warning}
    if name not in DEEDS or not command_id:
        return None
    found = await request.app[BACKEND].campaign_command(command_id)
    if found is None:
        return None
    return told(DEEDS[name], found)


async def build_negatives(request: web.Request) -> Context:
    """The form for a file of negatives."""
    found = await campaign_of(request)
    return {
        **await _common(request, found, "negatives"),
        "trial": None,
        "held": None,
        "number": request.query.get("number", ""),
    }


async def post_negatives(request: web.Request, page: Page) -> web.StreamResponse:
    """Looks through a file, takes it with a reason, or withdraws one number."""
    fields, file = await read_form(request)
    context = await build_negatives(request)
    context |= {"reason": fields.get("reason", ""), "held": file}
    context["number"] = fields.get("number", "")
    request_id = str(context["found"]["request_id"])
    change = Change(actor_of(request), context["reason"], f"form-{fields.get('once', '')}")
    deed = fields.get("do", "check")
    if deed != "check" and not context["reason"]:
        context["missing_reason"] = True
    try:
        if deed == "withdraw" and context["reason"]:
            did = await request.app[BACKEND].withdraw_negative(
                request_id, context["number"], change, WAIT_S
            )
            if did is not None:
                return _leads_on(request_id, "withdraw", did, "")
            context["problems"] = (
                Mistake("number", context["number"], "a negative number of this campaign"),
            )
        elif deed != "withdraw" and file is None:
            expected = "a CSV file with the header number; choose it again if you had"
            context["problems"] = (Mistake("file", "", expected),)
        elif deed != "withdraw" and file is not None:
            if deed == "negatives" and context["reason"]:
                return await _take(request, request_id, file, change)
            trial = await request.app[BACKEND].add_negatives(
                request_id, Numbers(file.filename, file.pieces()), TRIAL, True, WAIT_S
            )
            context["trial"] = known(trial, request_id).result
    except (RefusedAction, RefusedUpload, RefusedFile) as error:
        _refused(context, error)
        context["held"] = None
    bad = context["problems"] or context["missing_reason"]
    status = 409 if context["refused"] is not None else 422 if bad else 200
    return await render(request, page, "negatives.html", context, status)


async def _take(
    request: web.Request, request_id: str, file: HeldFile, change: Change
) -> web.Response:
    numbers = Numbers(file.filename, file.pieces())
    did = await request.app[BACKEND].add_negatives(request_id, numbers, change, False, WAIT_S)
    request.app[HELD].drop(file)
    return _leads_on(request_id, "negatives", known(did, request_id), "")
