"""Lists of numbers over HTTP: the negatives of a request, and those not to be called at all."""

from collections.abc import AsyncIterator

from aiohttp import web

from app.campaign_shapes import Numbers
from app.shapes import Change
from app.web import params
from app.web.api import campaign_outs as outs
from app.web.api.campaign_bodies import REASON_MAX, number_text, wrong
from app.web.api.campaign_changes import ACCEPTED, REFUSED, commanded, wait_of
from app.web.api.campaigns import ID, NO_CAMPAIGN, no_campaign
from app.web.context import BACKEND
from app.web.limits import counted
from app.web.people import actor_of
from app.web.problems import ProblemError, bad_parameter, not_found
from app.web.routes import (
    CURSOR,
    DRY_RUN,
    IDEMPOTENCY_KEY,
    LIMIT,
    REASON,
    Answer,
    Param,
    Route,
    in_path,
)
from app.web.wire import answer
from domain.aggregation.instants import parse_instant
from domain.campaigns.days import parse_day

FILENAME_MAX = 255
PIECE_BYTES = 256 * 1024


async def add_negatives(request: web.Request) -> web.StreamResponse:
    """Takes a list of negatives."""
    request_id = request.match_info["request_id"]
    done = await request.app[BACKEND].add_negatives(
        request_id, numbers_of(request), change_of(request), params.dry_run(request),
        wait_of(request),
    )  # fmt: skip
    if done is None:
        raise no_campaign(request_id)
    return commanded(done)


async def list_negatives(request: web.Request) -> web.StreamResponse:
    """Lists the files of negatives of a campaign."""
    request_id = request.match_info["request_id"]
    page = await request.app[BACKEND].negative_files(
        request_id, params.limit(request), params.cursor(request)
    )
    if page is None:
        raise no_campaign(request_id)
    return answer({"items": page.items, "next": page.next})


async def withdraw_negative(request: web.Request) -> web.StreamResponse:
    """Takes a negative back, for the days to come."""
    request_id, number = request.match_info["request_id"], number_text(request.match_info["number"])
    backend = request.app[BACKEND]
    done = await backend.withdraw_negative(
        request_id, number, change_of(request), params.dry_run(request), wait_of(request)
    )
    if done is None:
        if await backend.campaign(request_id, None) is None:
            raise no_campaign(request_id)
        raise not_found(f"negative {number} in {request_id}")
    return commanded(done)


async def add_do_not_call(request: web.Request) -> web.StreamResponse:
    """Takes a list of numbers not to be called."""
    done = await request.app[BACKEND].add_do_not_call(
        numbers_of(request), change_of(request), params.dry_run(request), wait_of(request)
    )
    return commanded(done)


async def list_do_not_call(request: web.Request) -> web.StreamResponse:
    """Lists the numbers not to be called."""
    page = await request.app[BACKEND].do_not_call(params.limit(request), params.cursor(request))
    return answer({"items": page.items, "next": page.next})


async def get_not_to_call(request: web.Request) -> web.StreamResponse:
    """A number of the list."""
    number = number_text(request.match_info["number"])
    found = await request.app[BACKEND].listed_not_to_call(number)
    if found is None:
        raise not_found(f"number {number} among those not to be called")
    return answer(found)


async def withdraw_do_not_call(request: web.Request) -> web.StreamResponse:
    """Takes a number off the list."""
    number = number_text(request.match_info["number"])
    done = await request.app[BACKEND].withdraw_do_not_call(
        number, change_of(request), params.dry_run(request), wait_of(request)
    )
    if done is None:
        raise not_found(f"number {number} among those not to be called")
    return commanded(done)


def change_of(request: web.Request) -> Change:
    """Who asks and why, as the address says."""
    reason = request.query.get("reason", "")
    if len(reason) > REASON_MAX:
        raise wrong("reason", reason, f"text of at most {REASON_MAX} characters")
    return Change(actor_of(request), reason, params.idempotency_key(request))


def numbers_of(request: web.Request) -> Numbers:
    """The list in the body. Raises ProblemError (415) for what is said to be something else."""
    if request.content_type in ("application/json", "multipart/form-data"):
        raise ProblemError(
            415,
            "unsupported-media-type",
            f"The body is a CSV (text/csv) with the header number, not {request.content_type}.",
            [{"path": "Content-Type", "value": request.content_type, "expected": "text/csv"}],
        )
    filename = request.query.get("filename", "")
    if len(filename) > FILENAME_MAX:
        raise bad_parameter("filename", filename, f"at most {FILENAME_MAX} characters")
    expires = request.query.get("expires")
    expires_ms = expiry_of(expires) if expires else None
    if expires and expires_ms is None:
        expected = "a date, or an instant like 2026-01-31T00:00:00Z"
        raise bad_parameter("expires", expires, expected)
    return Numbers(filename, counted(request, _pieces(request)), expires_ms)


def expiry_of(text: str) -> int | None:
    """Epoch ms from which a number may be called again: an instant, or a date's first (UTC)."""
    day = parse_day(text)
    return parse_instant(text) if day is None else parse_instant(f"{text}T00:00:00Z")


async def _pieces(request: web.Request) -> AsyncIterator[bytes]:
    async for piece in request.content.iter_chunked(PIECE_BYTES):
        yield piece


_NUMBER = in_path("number", "a phone number in E.164")
_FILENAME = Param("filename", "what the file is called, for the list of files")
_WAIT = Param("wait", "seconds to wait until it is done (10)", type=float)
_CSV = {"text/csv": "a CSV, plain or .gz, with the header `number`"}
_UNREADABLE = {415: "the body is no CSV in UTF-8", **REFUSED}
_DONE = Answer("done", outs.CampaignChangedOut)

ROUTES = (
    Route(
        "POST",
        "/api/campaigns/{request_id}/negatives",
        add_negatives,
        "Takes numbers not to be contacted in this request",
        "Campaigns",
        {200: Answer("what they came to", outs.NegativesOut), 202: ACCEPTED},
        (ID, REASON, _FILENAME, DRY_RUN, _WAIT, IDEMPOTENCY_KEY),
        _CSV,
        {**NO_CAMPAIGN, **_UNREADABLE},
    ),
    Route(
        "GET",
        "/api/campaigns/{request_id}/negatives",
        list_negatives,
        "Lists the files of negatives",
        "Campaigns",
        {200: Answer("who, when, which file, with what result", outs.NegativeFilesOut)},
        (ID, CURSOR, LIMIT),
        problems=NO_CAMPAIGN,
    ),
    Route(
        "DELETE",
        "/api/campaigns/{request_id}/negatives/{number}",
        withdraw_negative,
        "Withdraws a negative, for the days to come",
        "Campaigns",
        {200: _DONE, 202: ACCEPTED},
        (ID, _NUMBER, REASON, DRY_RUN, _WAIT, IDEMPOTENCY_KEY),
        problems={404: "there is no such campaign, or the number is no negative of it"},
    ),
    Route(
        "POST",
        "/api/do-not-call",
        add_do_not_call,
        "Takes numbers not to be called in any campaign",
        "Do not call",
        {200: Answer("what they came to", outs.NegativesOut), 202: ACCEPTED},
        (
            REASON,
            _FILENAME,
            Param("expires", "an instant after which they may be called again"),
            DRY_RUN,
            _WAIT,
            IDEMPOTENCY_KEY,
        ),
        _CSV,
        _UNREADABLE,
    ),
    Route(
        "GET",
        "/api/do-not-call",
        list_do_not_call,
        "Lists the numbers not to be called",
        "Do not call",
        {200: Answer("those in force, in order; few may come with a next", outs.DoNotCallOut)},
        (CURSOR, LIMIT),
    ),
    Route(
        "GET",
        "/api/do-not-call/{number}",
        get_not_to_call,
        "Shows a number that is not to be called",
        "Do not call",
        {200: Answer("who had it listed last, when and why", outs.NotToCall)},
        (_NUMBER,),
        problems={404: "the number is not on the list"},
    ),
    Route(
        "DELETE",
        "/api/do-not-call/{number}",
        withdraw_do_not_call,
        "Takes a number off the list of those not to be called",
        "Do not call",
        {200: _DONE, 202: ACCEPTED},
        (_NUMBER, REASON, DRY_RUN, _WAIT, IDEMPOTENCY_KEY),
        problems={404: "the number is not on the list"},
    ),
)
