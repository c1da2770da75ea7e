"""Uploading a campaign: the file is looked through first, then taken with a reason."""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any
from uuid import uuid4

from aiohttp import web

from app.campaign_shapes import Mistake, RefusedFile, RefusedUpload, Upload
from app.shapes import Change
from app.web import audited
from app.web.context import BACKEND
from app.web.held import HELD, HeldFile, read_form
from app.web.marks import compact
from app.web.pages.campaign_links import campaign_link
from app.web.pages.shell import Context, Page, render, see_other
from app.web.people import actor_of

REJECTIONS_SHOWN = 10
PLAIN = ("flow", "name", "number_column", "schedule_column", "start_date", "duplicates")
DEFAULTS = {
    "flow": "", "name": "", "number_column": "number", "schedule_column": "", "slots": "",
    "days": "1", "start_date": "", "duplicates": "allow",
}  # fmt: skip


async def build(request: web.Request) -> Context:
    """The empty form; `?flow=` chooses a flow."""
    return await _context(request, {"flow": request.query.get("flow", "")}, None)


async def _context(
    request: web.Request, fields: Mapping[str, str], file: HeldFile | None
) -> Context:
    flows = await request.app[BACKEND].documents("flow")
    return {
        "flows": [_flow(item.name, item.body or {}) for item in flows],
        "fields": {name: fields.get(name, text) for name, text in DEFAULTS.items()},
        "reason": fields.get("reason", ""),
        "missing_reason": False,
        "problems": (),
        "held": file,
        "trial": None,
        "slots": (),
        "total": 0,
        "checked": "",
        "shown": REJECTIONS_SHOWN,
        "once": fields.get("once") if fields.get("once", "").isalnum() else uuid4().hex,
    }


def _flow(name: str, body: Mapping[str, Any]) -> dict[str, Any]:
    working = body.get("working_time") or {}
    return {
        "name": name,
        "zone": str(body.get("timezone", "")),
        "from": working.get("start", ""),
        "to": working.get("end", ""),
        "slots": body.get("max_slots_per_day", 2),
        "days": body.get("max_days", 30),
    }


def description_of(fields: Mapping[str, str]) -> dict[str, Any]:
    """The description that the form stands for; what is left empty is left out."""
    found: dict[str, Any] = {name: fields[name] for name in PLAIN if fields.get(name)}
    slots = fields.get("slots", "").replace("–", "-").replace(",", " ").split()
    if slots:
        found["slots"] = slots
    days = fields.get("days", "")
    if days:
        found["days"] = int(days) if days.isdecimal() and len(days) < 6 else days
    return found


async def post(request: web.Request, page: Page) -> web.StreamResponse:
    """Looks through the file, or takes what was looked through as it stands."""
    fields, file = await read_form(request)
    context = await _context(request, fields, file)
    if file is None:
        expected = "a CSV file, plain or .gz; choose it again if you had"
        context["problems"] = (Mistake("file", "", expected),)
        return await render(request, page, "upload.html", context, 422)
    description = description_of(fields)

    async def described() -> Mapping[str, Any]:
        return description

    upload = Upload(described, file.filename, file.pieces())
    checked = _digest(description, file)
    try:
        if fields.get("do") == "upload" and fields.get("checked") == checked:
            if context["reason"]:
                return await _take(request, upload, file, context)
            context["missing_reason"] = True
        _looked(context, await request.app[BACKEND].preview_upload(upload), checked)
    except RefusedUpload as error:
        context["problems"] = error.mistakes
    except RefusedFile as error:
        context.update(problems=(Mistake("file", file.filename, error.detail),), held=None)
    status = 422 if context["problems"] or context["missing_reason"] else 200
    return await render(request, page, "upload.html", context, status)


def _digest(description: Mapping[str, Any], file: HeldFile) -> str:
    return sha256(f"{file.id} {compact(description)}".encode("utf-8", "replace")).hexdigest()[:16]


def _looked(context: Context, trial: Mapping[str, Any], checked: str) -> None:
    """What the file would make, by slot, and whether it fits."""
    made: Mapping[str, int] = trial["would_create"]
    fits: Mapping[str, bool | None] = trial.get("fits") or {}
    slots: Sequence[Mapping[str, Any]] = [
        {"slot": slot, "made": number, "fits": fits.get(slot)} for slot, number in made.items()
    ]
    total = sum(made.values())
    context.update(trial=trial, slots=slots, total=total, checked=checked)


async def _take(
    request: web.Request, upload: Upload, file: HeldFile, context: Context
) -> web.Response:
    change = Change(actor_of(request), context["reason"], f"form-{context['once']}")
    taken = await request.app[BACKEND].upload_campaign(upload, change)
    request.app[HELD].drop(file)
    audited.note(request, object=taken.request_id)
    warning = str(taken.warnings[0]["code"]) if taken.warnings else None
    return see_other(campaign_link(taken.request_id, did="upload", warning=warning))
