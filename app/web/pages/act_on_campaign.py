"""Acting on a campaign: what it would do first, in words, then with a reason the deed.

The choices stand in the address, so that the dry run is a page like any other; the form that acts
carries them along.
"""

from collections.abc import Mapping, Sequence
from typing import Any, cast
from uuid import uuid4

from aiohttp import web

from app.campaign_shapes import (
    Action,
    Commanded,
    Mistake,
    RefusedAction,
    RefusedFile,
    RefusedUpload,
)
from app.shapes import Change
from app.web import campaign_words
from app.web.api.commands import position_of
from app.web.campaign_deeds import DEEDS, several, told
from app.web.context import BACKEND
from app.web.pages.campaign_links import campaign_link, campaign_of, day_of, known, zone_of
from app.web.pages.shell import Context, Page, render, see_other
from app.web.people import actor_of
from domain.aggregation.instants import parse_instant

WAIT_S = 5.0  # then the campaign's page is shown, which says when it is done
TRIAL = Change("", "")
STATUSES = ("IN_PROGRESS", "PARTIAL_COMPLETE")
UNKNOWN = ("NO_ACK", "NO_RESULT")  # the person may have been contacted: only when asked for by name


def buttons(found: Mapping[str, Any], day: str | None) -> Sequence[Mapping[str, str]]:
    """What the server would take now, in the order of harm."""
    allowed = set(found["allowed_actions"])
    return [
        {
            "label": deed.label or deed.verb,
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
        **await common(request, found, name),
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
        context["trial"] = known(trial, request_id).result
    except (RefusedAction, RefusedUpload) as error:
        say_refused(context, error)
    return context


async def common(request: web.Request, found: Mapping[str, Any], name: str) -> Context:
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
        "several": several,
    }


def say_refused(context: Context, error: RefusedAction | RefusedUpload | RefusedFile) -> None:
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
        left = sum(1 for item in found["days_list"] if item["day"] >= found["day"])
        slots = [text for text in given.replace("–", "-").replace(",", " ").split() if text]
        choices = {
            "slots": given or ", ".join(found["scheduled_timestamp"]),
            "days": days or str(max(1, left)),
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


def change_of(request: web.Request, fields: Mapping[str, Any]) -> Change:
    """Who does it, and why; a form sent twice is one command."""
    once = str(fields.get("once", ""))
    key = f"form-{once if once.isalnum() else uuid4().hex}"
    return Change(actor_of(request), str(fields.get("reason", "")).strip(), key)


async def post(request: web.Request, page: Page) -> web.StreamResponse:
    """Does it, or says what is missing."""
    fields = await request.post()
    found, name = await campaign_of(request), request.match_info["action"]
    request_id = str(found["request_id"])
    body, _, ready = _body(name, fields, found)
    change = change_of(request, fields)
    refusal: RefusedAction | RefusedUpload | None = None
    if change.reason and ready:
        try:
            did = await request.app[BACKEND].change_campaign(
                request_id, cast(Action, name), body, change, False, WAIT_S
            )
            return lead_on(request_id, name, known(did, request_id), str(fields.get("day", "")))
        except (RefusedAction, RefusedUpload) as error:
            refusal = error
    context = await _context(request, fields)
    context.update(reason=change.reason, missing_reason=not change.reason)
    if refusal is not None:
        say_refused(context, refusal)
    status = 409 if context["refused"] is not None else 422
    return await render(request, page, "campaign_act.html", context, status)


def lead_on(request_id: str, name: str, did: Commanded, day: str) -> web.Response:
    at = None if did.state != "running" or did.position is None else "{}-{}".format(*did.position)
    return see_other(campaign_link(request_id, did=name, command=did.command_id, at=at, day=day))


async def done(request: web.Request) -> Mapping[str, Any] | None:
    """What became of the command that the address names; None without one."""
    name, command_id = request.query.get("did", ""), request.query.get("command", "")
    if name == "upload":
        warning = campaign_words.WARNINGS.get(request.query.get("warning", ""), "")
        return {"text": "The file is taken.", "look": "good", "command": "", "more": warning}
    if name not in DEEDS or not command_id:
        return None
    found = await request.app[BACKEND].campaign_command(command_id, 0.0, position_of(request))
    if found is None:
        return None
    return told(DEEDS[name], found)
