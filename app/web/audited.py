"""Writes every change to the trail: before anything is done, and again with what came of it.

One table, from route to what it is called in the trail. What was there before and after is looked
up the same way each time (`app/web/snapshots.py`).
"""

import logging
from collections.abc import Mapping
from secrets import token_hex
from typing import Any, Final

import msgspec
from aiohttp import web

from app.trail.entry import Entry, Outcome
from app.trail.trail import Trail
from app.web import snapshots
from app.web.bodies import form_of
from app.web.context import BACKEND, CLOCK
from app.web.people import actor_of, address_of, person_of
from app.web.problems import ProblemError, problem_of
from app.web.routes import Handler, route_of
from app.web.wire import loads
from app.web.written import is_written
from domain.errors import SluiceError
from domain.masking import Masker

log = logging.getLogger(__name__)
TRAIL: Final = web.AppKey[Trail]("trail")
NOTES: Final = web.RequestKey("audit-notes", dict[str, Any])
REASON_MAX = 500
LOOKED_THROUGH_BYTES = 1 << 20  # of a body, for its reason and whether it is a dry run

# route -> action. `{…}` of the address that names the object: the first, or all for documents.
ACTIONS: Final = {
    "PUT /api/documents/{kind}/{name}": "documents.apply",
    "DELETE /api/documents/{kind}/{name}": "documents.remove",
    "POST /configuration/apply": "documents.apply",
    "POST /configuration/{kind}/{name}/remove": "documents.remove",
    "POST /api/topics/{topic}/records": "topics.append",
    "POST /api/flushes/{id}/resend": "flushes.resend",
    "POST /sessions/resend": "flushes.resend",
    "POST /api/aggregators/{name}/events/retract": "events.retract",
    "POST /sessions/retract": "events.retract",
    "POST /api/aggregators/{name}/sessions/flush": "sessions.flush",
    "POST /api/aggregators/{name}/sessions/delete": "sessions.delete",
    "POST /api/aggregators/{name}/sessions/set-timeout": "sessions.set-timeout",
    "POST /api/aggregators/{name}/sessions/erase": "sessions.erase",
    "POST /sessions/erase": "sessions.erase",
    "POST /sessions/act": "sessions.act",
    "POST /api/dead-letters/replay": "dead-letters.replay",
    "POST /dead-letters/replay": "dead-letters.replay",
    "POST /api/campaigns": "campaigns.upload",
    "POST /campaigns/upload": "campaigns.upload",
    "POST /api/campaigns/recount": "campaigns.recount",
    "POST /api/campaigns/erase": "campaigns.erase",
    "POST /erase": "campaigns.erase",
    "POST /api/campaigns/{request_id}/retrigger": "campaigns.retrigger",
    "POST /api/campaigns/{request_id}/reschedule": "campaigns.reschedule",
    "POST /api/campaigns/{request_id}/revoke": "campaigns.revoke",
    "POST /api/campaigns/{request_id}/pause": "campaigns.pause",
    "POST /api/campaigns/{request_id}/resume": "campaigns.resume",
    "POST /api/campaigns/{request_id}/negatives": "campaigns.negatives",
    "POST /campaigns/{id}/negatives": "campaigns.negatives",
    "DELETE /api/campaigns/{request_id}/negatives/{number}": "campaigns.withdraw",
    "POST /campaigns/{id}/{action}": "campaigns.{action}",
    "POST /api/do-not-call": "do-not-call.add",
    "POST /do-not-call": "do-not-call.change",
    "DELETE /api/do-not-call/{number}": "do-not-call.remove",
    "POST /api/metrics/sources/{name}/fetch": "sources.fetch",
    "POST /api/metrics/sources/{name}/rebuild": "sources.rebuild",
    "POST /api/metrics/alerts/{name}/acknowledge": "alerts.acknowledge",
    "POST /api/metrics/alerts/{name}/silence": "alerts.silence",
    "POST /api/metrics/digests/{name}/send": "digests.send",
    "POST /impressions/change": "impressions.change",
    "POST /sources/{name}": "sources.fetch",
    "POST /alerts/{name}/acknowledge": "alerts.acknowledge",
    "POST /alerts/{name}/silence": "alerts.silence",
    "POST /api/processes/cancel": "processes.cancel",
    "POST /processes/cancel": "processes.cancel",
    "POST /api/state/backups": "state.backup",
    "POST /api/topics/growths": "topics.grow",
    "POST /api/users": "users.add",
    "PUT /api/users/{name}": "users.change",
    "DELETE /api/users/{name}": "users.remove",
    "POST /api/tokens": "tokens.create",
    "DELETE /api/tokens/{name}": "tokens.revoke",
    "PUT /api/me/password": "users.password",
    "DELETE /api/me/sessions/{id}": "sign-ins.end",
    "POST /login": "sign-ins.begin",
    "POST /logout": "sign-ins.end",
}
NOTHING = frozenset(
    {
        "POST /api/sql",
        "POST /api/documents/validate",
        "POST /api/documents/preview",
        "DELETE /api/documents/preview/{preview}",
        "POST /configuration/preview/{id}/stop",
        "POST /api/metrics/sources/{name}/test",
        "POST /hooks/{source}",  # data, not a change
        "POST /internal/{question}",
    }
)
"""Routes that change nothing, though their method says so."""
# route -> whether its body says `dry_run`, too, and not the address alone
DRY_RUNS: Final = {
    "POST /api/aggregators/{name}/events/retract": True,
    "POST /api/aggregators/{name}/sessions/flush": True,
    "POST /api/aggregators/{name}/sessions/delete": True,
    "POST /api/aggregators/{name}/sessions/set-timeout": True,
    "POST /api/aggregators/{name}/sessions/erase": True,
    "POST /api/dead-letters/replay": True,
    "POST /api/campaigns": False,
    "POST /api/campaigns/erase": True,
    "POST /api/campaigns/{request_id}/retrigger": True,
    "POST /api/campaigns/{request_id}/reschedule": True,
    "POST /api/campaigns/{request_id}/revoke": True,
    "POST /api/campaigns/{request_id}/pause": True,
    "POST /api/campaigns/{request_id}/resume": True,
    "POST /api/campaigns/{request_id}/negatives": False,
    "DELETE /api/campaigns/{request_id}/negatives/{number}": False,
    "POST /api/do-not-call": False,
    "DELETE /api/do-not-call/{number}": False,
}
"""What another is asked to try is refused: it would be done in earnest."""
FORGETFUL = frozenset(route for route in ACTIONS if "number" in route or "erase" in route)
"""The trail doesn't keep the phone numbers that these are about: it would outlive their erasing."""
AFTER_ONLY = frozenset({"POST /login"})
"""Written only once it is done: everybody may try, and the trail is no place to write to."""


def note(request: web.Request, **told: Any) -> None:
    """What a handler knows of its change: `object`, `reason`, `before`, `after`, `actor`; or that
    it was none (`nothing=True`).
    """
    request.setdefault(NOTES, {}).update(told)


@web.middleware
async def audit(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Around a handler that changes something."""
    route = route_of(request)
    action = ACTIONS.get(route)
    if action is not None and "dry_run" in request.query and route not in DRY_RUNS:
        detail = "This change can't be tried; leave dry_run out to have it made."
        wrong = {"path": "dry_run", "value": request.query["dry_run"]}
        raise ProblemError(400, "bad-parameter", detail, [wrong])
    if action is None or (
        route == TOPIC_ROUTE and not is_written(request.app[BACKEND], request.match_info["topic"])
    ):
        return await handler(request)
    if person_of(request) is None and route not in AFTER_ONLY:
        return await handler(request)
    request[NOTES] = {}
    fields = await _fields(request, route)
    if _is_dry(request, route, fields):
        return await handler(request)
    entry = Entry(
        token_hex(8),
        request.app[CLOCK].now_ms(),
        actor_of(request),
        action.format_map(request.match_info),
        _object(request, route, fields),
        str(fields.get("reason") or fields.get("why") or "")[:REASON_MAX],
        "asked",
        address_of(request),
        await snapshots.of(request, route, fields),
    )
    if route in FORGETFUL:
        hidden, before = Masker().text(entry.object), Masker().value("", entry.before)
        entry = msgspec.structs.replace(entry, object=hidden, before=before)
    if route not in AFTER_ONLY:
        await request.app[TRAIL].write(entry)
    outcome: Outcome | None = None  # of one that is cancelled nobody knows
    try:
        response = await handler(request)
        # a form that is shown again answers 200 or 422, and one that was meant leads on
        is_form = not request.path.startswith("/api/")
        done = response.status < 400 and not (is_form and response.status == 200)
        outcome = "done" if done else "refused"
        return response
    except (SluiceError, web.HTTPException) as error:
        outcome = "failed" if problem_of(error).status >= 500 else "refused"
        raise
    except Exception:
        outcome = "failed"
        raise
    finally:
        if outcome is not None:
            await _end(request, route, fields, entry, outcome)


def _is_dry(request: web.Request, route: str, fields: Mapping[str, Any]) -> bool:
    """Only where the handler sees a dry run, too (`params.dry_run`): else nobody is told."""
    in_body = DRY_RUNS.get(route)
    said = in_body is not None and request.query.get("dry_run", "").lower() == "true"
    return said or (in_body is True and fields.get("dry_run") is True)


TOPIC_ROUTE = "POST /api/topics/{topic}/records"


async def _end(
    request: web.Request, route: str, fields: Mapping[str, Any], entry: Entry, outcome: Outcome
) -> None:
    told = request[NOTES]
    if told.pop("nothing", False):
        outcome = "refused"
    if outcome == "refused" and route in AFTER_ONLY:
        return
    if outcome == "done" and "after" not in told:
        told["after"] = await snapshots.of(request, route, fields)
    if route in FORGETFUL and "after" in told:
        told["after"] = Masker().value("", told["after"])
    await request.app[TRAIL].write(msgspec.structs.replace(entry, outcome=outcome, **told))


async def tell(request: web.Request, action: str, after: Any, actor: str = "") -> None:
    """Writes what is no change and is audited all the same."""
    who, at = actor or actor_of(request), request.app[CLOCK].now_ms()
    where = request.path
    entry = Entry(
        token_hex(8), at, who, action, where, "", "done", address_of(request), None, after
    )
    await request.app[TRAIL].write(entry)


async def _fields(request: web.Request, route: str) -> Mapping[str, Any]:
    """What the body and the address say, as far as the body is a form or small JSON. The API takes
    JSON under any content type, as curl sends it as a form; what is no JSON there is a file or a
    document, and a file is the handler's to read.
    """
    found: dict[str, Any] = dict(request.query)
    if (request.content_length or 0) > LOOKED_THROUGH_BYTES or not DRY_RUNS.get(route, True):
        return found
    if request.path.startswith("/api/"):
        try:
            body = loads(await request.read() or b"{}")
        except msgspec.DecodeError:
            return found
        return {**found, **body} if isinstance(body, dict) else found
    if request.content_type == "application/x-www-form-urlencoded":
        try:
            return {**found, **{name: str(each) for name, each in (await form_of(request)).items()}}
        except ProblemError:
            return found  # the handler says so
    return found


def _object(request: web.Request, route: str, fields: Mapping[str, Any]) -> str:
    """What is changed: `aggregator/data-per-account`, a campaign, a user's name."""
    match = dict(request.match_info)
    match.pop("action", None)
    if match:
        return "/".join(match.values())
    names = ("name", "username", "aggregator", "number", "id", "request_id")
    found = next((str(fields[name]) for name in names if fields.get(name)), "")
    if route.endswith("/me/password") or route == "POST /logout":
        person = person_of(request)
        found = "" if person is None else person.name
    return found[:200]
