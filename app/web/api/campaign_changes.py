"""Changes of campaigns over HTTP: retrigger, reschedule, revoke, pause, resume, and commands."""

import re
from typing import get_args

from aiohttp import web

from app.campaign_shapes import Action, Commanded
from app.shapes import Change
from app.web import params
from app.web.api import campaign_outs as outs
from app.web.api.campaign_bodies import checked, read, why_of, wrong
from app.web.api.campaigns import ID, NO_CAMPAIGN, no_campaign
from app.web.api.commands import position_of, refusal
from app.web.context import BACKEND
from app.web.people import actor_of
from app.web.problems import not_found
from app.web.routes import DRY_RUN, IDEMPOTENCY_KEY, JSON, Answer, Handler, Param, Route, in_path
from app.web.wire import answer

WAIT_S = 10.0
_DAYS = re.compile(r"([0-9]{1,6})d", re.ASCII)
EVENTS = "campaign-events"
COMMANDS = "/api/campaigns/commands/"


def changing(action: Action) -> Handler:
    """The handler of one action."""

    async def change(request: web.Request) -> web.StreamResponse:
        request_id = request.match_info["request_id"]
        body = await read(request)
        reason, dry_run = why_of(request, body)
        done = await request.app[BACKEND].change_campaign(
            request_id,
            action,
            checked(action, body),
            Change(actor_of(request), reason, params.idempotency_key(request)),
            dry_run,
            wait_of(request),
        )
        if done is None:
            raise no_campaign(request_id)
        return commanded(done)

    return change


def wait_of(request: web.Request) -> float:
    """`?wait=`, 10 seconds without."""
    return params.wait_s(request) if "wait" in request.query else WAIT_S


def commanded(done: Commanded) -> web.Response:
    """The result of a command, or where it will be."""
    if done.state == "running":
        where = COMMANDS + done.command_id
        if done.position is not None:
            where += "?at={}-{}".format(*done.position)
        headers = {"Location": where}
        body = {"command_id": done.command_id, "state": done.state, "result": None}
        return answer(body, 202, headers)
    return answer(done.result)


async def get_command(request: web.Request) -> web.StreamResponse:
    """What became of a command."""
    command_id = request.match_info["command_id"]
    at = position_of(request)
    done = await request.app[BACKEND].campaign_command(command_id, params.wait_s(request), at)
    if done is None and at is not None:
        because = await refusal(request, at, EVENTS)
        if because is not None:
            result = {"command_id": command_id, "because": because}
            return answer({"command_id": command_id, "state": "refused", "result": result})
    if done is None:
        raise not_found(f"command {command_id!r}", "They are kept for 7 days.")
    return answer({"command_id": done.command_id, "state": done.state, "result": done.result})


async def recount(request: web.Request) -> web.StreamResponse:
    """Compares counts with the documents store."""
    body = await read(request)
    reason, _ = why_of(request, body)
    request_id, repair = body.pop("request_id", None), body.pop("repair", False)
    if request_id is not None and not isinstance(request_id, str):
        raise wrong("request_id", request_id, "a request id, or none for all")
    if not isinstance(repair, bool):
        raise wrong("repair", repair, "true or false")
    if body:
        name = min(body)
        raise wrong(name, body[name], "only request_id, repair and reason")
    backend = request.app[BACKEND]
    if request_id is not None and await backend.campaign(request_id, None) is None:
        raise no_campaign(request_id)
    change = Change(actor_of(request), reason, params.idempotency_key(request))
    found = await backend.recount(request_id, repair, change)
    differences = [
        outs.DifferenceOut(one.request_id, one.day, one.slot, one.path, one.counted, one.stored)
        for one in found.differences
    ]
    return answer(outs.RecountOut(found.campaigns, differences, found.repaired))


async def erase(request: web.Request) -> web.StreamResponse:
    """Erases a number, or all numbers of campaigns that were over long ago."""
    body = await read(request)
    reason, dry_run = why_of(request, body)
    number, older = body.pop("number", None), body.pop("older_than", None)
    if body:
        name = min(body)
        raise wrong(name, body[name], "only number or older_than, reason and dry_run")
    if older is not None and number is not None:
        raise wrong("older_than", older, "either number or older_than")
    if older is None and (not isinstance(number, str) or not number):
        raise wrong("number", number, "a phone number in E.164, or older_than like 90d")
    if not reason.strip():
        raise wrong("reason", reason, "why the number is erased")
    change = Change(actor_of(request), reason, params.idempotency_key(request))
    backend, wait_s = request.app[BACKEND], wait_of(request)
    if older is None:
        return commanded(await backend.erase_number(number, change, dry_run, wait_s))
    match = _DAYS.fullmatch(older) if isinstance(older, str) else None
    if match is None:
        raise wrong("older_than", older, "a number of days like 90d")
    return commanded(await backend.erase_older(int(match[1]), change, dry_run, wait_s))


_SUMMARIES: dict[Action, tuple[str, str]] = {
    "retrigger": (
        "Queues again what a day left unfinished",
        "`day`; `statuses` (IN_PROGRESS, PARTIAL_COMPLETE) and `failed` (reasons, OUT_OF_SLOT): "
        "a list left out takes these, an empty one selects none; `slot`: a slot of its own; ",
    ),
    "reschedule": ("Changes the slots and days to come", "`slots`, `days`; "),
    "revoke": ("Cancels a campaign for good", ""),
    "pause": ("Stops new orders", ""),
    "resume": ("Lets orders go out again", ""),
}
_WAIT = Param("wait", "seconds to wait until it is done (10)", type=float)
ACCEPTED = Answer("it goes on; Location is where its outcome will be", outs.CampaignCommandOut)
REFUSED = {
    409: "not in the campaign's present state: `because`, or for retrigger `open_at`",
    422: "the body is not accepted; errors[] says where",
}


def _route(action: Action) -> Route:
    summary, members = _SUMMARIES[action]
    return Route(
        "POST",
        f"/api/campaigns/{{request_id}}/{action}",
        changing(action),
        summary,
        "Campaigns",
        {200: Answer("done, or what would be", outs.CampaignChangedOut), 202: ACCEPTED},
        (ID, DRY_RUN, _WAIT, IDEMPOTENCY_KEY),
        {JSON: f"{members}`reason`: why, for the audit; `dry_run`: true changes nothing"},
        {**NO_CAMPAIGN, **REFUSED},
    )


ROUTES = (
    Route(
        "GET",
        COMMANDS + "{command_id}",
        get_command,
        "Tells what became of a command",
        "Campaigns",
        {200: Answer("its state, and its result once there is one", outs.CampaignCommandOut)},
        (
            in_path("command_id", "the command's id"),
            Param("wait", "seconds to wait", type=float),
            Param("at", "where its record is on topic campaign-events, as the Location says"),
        ),
        problems={404: "there is no such command, or none in the last 7 days"},
    ),
    Route(
        "POST",
        "/api/campaigns/recount",
        recount,
        "Compares the counts with the documents store",
        "Campaigns",
        {200: Answer("all differences", outs.RecountOut)},
        (IDEMPOTENCY_KEY,),
        {JSON: "`request_id` (all without one); `repair`: true writes what differs anew; `reason`"},
        NO_CAMPAIGN,
    ),
    Route(
        "POST",
        "/api/campaigns/erase",
        erase,
        "Erases a number, or those of campaigns over long ago, for good; counts stay",
        "Campaigns",
        {200: Answer("gone, or what would be", outs.CampaignChangedOut), 202: ACCEPTED},
        (DRY_RUN, _WAIT, IDEMPOTENCY_KEY),
        {JSON: "`number`, or `older_than`: days since the last day, `90d`; `reason`; `dry_run`"},
        {
            409: "a file is being read that may bring a number back",
            422: "the body is not accepted; errors[] says where",
        },
    ),
    *map(_route, get_args(Action)),
)
