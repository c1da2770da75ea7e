"""Bodies of requests that change campaigns: what they may hold, checked once, by path."""

import re
from collections.abc import Mapping
from datetime import date
from typing import Any

import msgspec
from aiohttp import web

from app.campaign_shapes import Action
from app.web import params
from app.web.problems import ProblemError, bad_parameter
from app.web.wire import loads
from domain.campaigns.commands import MEMBERS

REASON_MAX = 500
STATUSES = ("IN_PROGRESS", "PARTIAL_COMPLETE")
_SLOT = re.compile(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]-(?:(?:[01][0-9]|2[0-3]):[0-5][0-9]|24:00)")


def wrong(path: str, value: object, expected: str) -> ProblemError:
    """422: a member of the body is not what it can be."""
    return ProblemError(
        422,
        "bad-body",
        f"{path}: {value!r} is not accepted, expected {expected}; nothing was changed.",
        [{"path": path, "value": str(value), "expected": expected}],
    )


def day_of(text: object, path: str = "day") -> str:
    """A day as `YYYY-MM-DD`. Raises ProblemError (422)."""
    try:
        if not isinstance(text, str) or len(text) != 10:
            raise ValueError
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise wrong(path, text, "a day like 2025-11-03") from None


def day_asked(request: web.Request) -> str | None:
    """`?day=`; None: today."""
    text = request.query.get("day")
    if not text:
        return None
    try:
        return day_of(text)
    except ProblemError:
        raise bad_parameter("day", text, "a day like 2025-11-03") from None


def number_text(text: str) -> str:
    """A number of an address, in which a plus may have become a space."""
    return "+" + text[1:] if text[:1] == " " else text


async def read(request: web.Request) -> dict[str, Any]:
    """The JSON object of the body, {} of an empty one. Raises ProblemError (422)."""
    text = await request.read()
    try:
        body = loads(text) if text.strip() else {}
    except msgspec.DecodeError as error:
        raise wrong("body", str(error), "a JSON object") from error
    if not isinstance(body, dict):
        raise wrong("body", type(body).__name__, "a JSON object")
    return body


def why_of(request: web.Request, body: dict[str, Any]) -> tuple[str, bool]:
    """(reason, dry run) of the body or the address; takes them out of the body."""
    reason = body.pop("reason", request.query.get("reason", ""))
    if not isinstance(reason, str) or len(reason) > REASON_MAX:
        raise wrong("reason", reason, f"text of at most {REASON_MAX} characters")
    said = body.pop("dry_run", None)
    if not isinstance(said, bool | None):
        raise wrong("dry_run", said, "true or false")
    return reason, params.dry_run(request, bool(said))


def checked(action: Action, body: Mapping[str, Any]) -> dict[str, Any]:
    """The members of an action. Raises ProblemError (422)."""
    known = MEMBERS[action]
    unknown = sorted(body.keys() - set(known))
    if unknown:
        expected = ", ".join((*known, "reason", "dry_run"))
        raise wrong(unknown[0], body[unknown[0]], f"only {expected}")
    found = dict(body)
    if found.get("day") is not None:
        found["day"] = day_of(found["day"])
    for name in ("statuses", "failed", "slots"):
        if name in found and not _is_texts(found[name]):
            raise wrong(name, found[name], "a list of texts")
    for i, status in enumerate(found.get("statuses", ())):
        if status not in STATUSES:
            raise wrong(f"statuses[{i}]", status, " or ".join(STATUSES))
    if found.get("slot") is not None:
        slot_of(found["slot"], "slot")
    if action == "reschedule":
        _schedule(found)
    return found


def slot_of(text: object, path: str) -> str:
    """A slot as `HH:MM-HH:MM`, its end after its start."""
    if not isinstance(text, str) or not _SLOT.fullmatch(text) or text[:5] >= text[6:]:
        raise wrong(path, text, "a slot like 10:00-12:00")
    return text


def _schedule(body: dict[str, Any]) -> None:
    if not body.get("slots") and "days" not in body:
        raise wrong("slots", body.get("slots"), "the new slots, the number of days, or both")
    for i, slot in enumerate(body.get("slots", ())):
        slot_of(slot, f"slots[{i}]")
    days = body.get("days", 1)
    if isinstance(days, bool) or not isinstance(days, int) or days < 1:
        raise wrong("days", days, "a whole number from 1")


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)
