"""Campaigns, their FDDs and what was rejected, read over HTTP."""

from collections.abc import AsyncIterator

from aiohttp import web

from app.campaign_shapes import Json
from app.shapes import Page
from app.web import masked, params
from app.web.api import campaign_outs as outs
from app.web.api.campaign_bodies import day_asked, number_text
from app.web.api.campaign_files import csv_lines, send
from app.web.context import BACKEND
from app.web.problems import bad_parameter, not_found
from app.web.routes import CURSOR, LIMIT, Answer, Param, Route, in_path
from app.web.wire import answer

STATUSES = ("Cancelled", "Completed", "Negative upload", "Rescheduled", "Scheduled")
FDD_STATUSES = (
    "IN_PROGRESS", "COMPLETED", "PARTIAL_COMPLETE", "FAILED", "NEGATIVE", "REVOKED",
)  # fmt: skip
PIECE = 1_000  # rejections asked for at a time
COLUMNS = ("row", "column", "code", "value")


async def list_campaigns(request: web.Request) -> web.StreamResponse:
    """Campaigns of a day that match, under the tabs of the whole day."""
    status = request.query.get("status") or None
    if status is not None and status not in STATUSES:
        raise bad_parameter("status", status, f"one of {', '.join(STATUSES)}")
    found = await request.app[BACKEND].campaigns(
        day_asked(request),
        request.query.get("q", ""),
        status,
        params.limit(request),
        params.cursor(request),
    )
    return answer({"tabs": found.tabs, "items": found.items, "next": found.next})


async def get_campaign(request: web.Request) -> web.StreamResponse:
    """One campaign."""
    request_id = request.match_info["request_id"]
    found = await request.app[BACKEND].campaign(request_id, day_asked(request))
    if found is None:
        raise no_campaign(request_id)
    return answer(found)


async def list_alerts(request: web.Request) -> web.StreamResponse:
    """Alerts about campaigns."""
    return answer({"items": await request.app[BACKEND].campaign_alerts()})


async def list_fdds(request: web.Request) -> web.StreamResponse:
    """FDDs of a campaign."""
    request_id = request.match_info["request_id"]
    where = {
        name: request.query[name]
        for name in ("slot", "status", "number")
        if request.query.get(name)
    }
    if where.get("status", FDD_STATUSES[0]) not in FDD_STATUSES:
        raise bad_parameter("status", where["status"], f"one of {', '.join(FDD_STATUSES)}")
    if "number" in where:
        where["number"] = number_text(where["number"])
    day = day_asked(request)
    if day is not None:
        where["day"] = day
    page = await request.app[BACKEND].campaign_fdds(
        request_id, where, params.limit(request), params.cursor(request)
    )
    if page is None:
        raise no_campaign(request_id)
    return answer({"items": page.items, "next": page.next})


async def find_fdds(request: web.Request) -> web.StreamResponse:
    """FDDs of a number."""
    number = number_text(request.query.get("number", ""))
    if not number.strip().startswith("+"):  # of a national one nobody would be found
        raise bad_parameter("number", number, "a phone number like +919876543210")
    page = await request.app[BACKEND].fdds_by_number(
        number, params.limit(request), params.cursor(request)
    )
    return answer({"items": page.items, "next": page.next})


async def get_fdd(request: web.Request) -> web.StreamResponse:
    """One FDD."""
    found = await request.app[BACKEND].fdd(request.match_info["fdd_id"])
    if found is None:
        raise _no_fdd(request)
    return answer(found)


async def get_why(request: web.Request) -> web.StreamResponse:
    """Why an FDD is what it is."""
    found = await request.app[BACKEND].fdd_why(request.match_info["fdd_id"])
    if found is None:
        raise _no_fdd(request)
    return answer(found)


async def list_rejections(request: web.Request) -> web.StreamResponse:
    """Rejected rows: as JSON, as a CSV, or as they were uploaded."""
    request_id = request.match_info["request_id"]
    form = request.query.get("format", "json")
    backend = request.app[BACKEND]
    if form == "rows":
        body = await backend.rejected_rows(request_id)
        if body is None:
            raise no_campaign(request_id)
        return await send(request, body, f"{request_id}-rejected-rows.csv", loose=True)
    if form not in ("json", "csv"):
        raise bad_parameter("format", form, "json, csv or rows")
    limit = params.limit(request) if form == "json" else PIECE
    page = await backend.rejections(request_id, limit, params.cursor(request))
    if page is None:
        raise no_campaign(request_id)
    if form == "json":
        masker = masked.masker_of(request)
        items = page.items
        if masker is not None:  # what was no number in the file may be one for people
            items = [{**item, "value": masker.loose(str(item["value"]))} for item in items]
        return answer({"items": items, "next": page.next})

    async def rows(page: Page[Json] | None = page) -> AsyncIterator[Json]:
        while page is not None:
            for item in page.items:
                yield item
            if page.next is None:
                return
            page = await backend.rejections(request_id, PIECE, page.next)

    body = csv_lines(COLUMNS, rows())
    return await send(request, body, f"{request_id}-rejections.csv", loose=True)


async def get_leftovers(request: web.Request) -> web.StreamResponse:
    """What a day left unfinished, as a CSV that can be uploaded again."""
    request_id, form = request.match_info["request_id"], request.query.get("format", "csv")
    if form != "csv":
        raise bad_parameter("format", form, "csv")
    body = await request.app[BACKEND].leftovers(request_id, day_asked(request))
    if body is None:
        raise no_campaign(request_id)
    return await send(request, body, f"{request_id}-leftovers.csv", loose=True)


def no_campaign(request_id: str) -> Exception:
    """404 for a request id."""
    return not_found(f"campaign {request_id!r}", "GET /api/campaigns lists those of a day.")


def _no_fdd(request: web.Request) -> Exception:
    return not_found(f"FDD {request.match_info['fdd_id']!r}")


ID = in_path("request_id", "the request id")
DAY = Param("day", "a day like 2025-11-03; today in the flow's zone without it")
NO_CAMPAIGN = {404: "there is no such campaign"}
NO_FDD = {404: "there is no such FDD"}
FDD = in_path("fdd_id", "the FDD's id")

ROUTES = (
    Route(
        "GET",
        "/api/campaigns",
        list_campaigns,
        "Lists the campaigns of a day",
        "Campaigns",
        {200: Answer("campaigns under the four tabs", outs.CampaignsOut)},
        (
            DAY,
            Param("q", "text in the request id, the name or the flow"),
            Param("status", f"one of {', '.join(STATUSES)}"),
            CURSOR,
            LIMIT,
        ),
    ),
    Route(
        "GET",
        "/api/campaigns/alerts",
        list_alerts,
        "Lists the alerts about campaigns that have started and not ended",
        "Campaigns",
        {200: Answer("alerts, the newest first", outs.CampaignAlertsOut)},
    ),
    Route(
        "GET",
        "/api/campaigns/{request_id}",
        get_campaign,
        "Shows a campaign with its counts",
        "Campaigns",
        {200: Answer("the campaign: one snapshot", outs.CampaignOut)},
        (ID, DAY),
        problems=NO_CAMPAIGN,
    ),
    Route(
        "GET",
        "/api/campaigns/{request_id}/fdds",
        list_fdds,
        "Lists FDDs of a campaign",
        "Campaigns",
        {200: Answer("FDDs", outs.FddsOut)},
        (
            ID,
            DAY,
            Param("slot", "a slot like 10:00-12:00"),
            Param("status", f"one of {', '.join(FDD_STATUSES)}"),
            Param("number", "a phone number"),
            CURSOR,
            LIMIT,
        ),
        problems=NO_CAMPAIGN,
    ),
    Route(
        "GET",
        "/api/campaigns/{request_id}/rejections",
        list_rejections,
        "Lists the rows of a file that were not accepted",
        "Campaigns",
        {200: Answer("rejected rows", outs.RejectionsOut)},
        (
            ID,
            Param("format", "json, csv, or rows: the rejected rows as uploaded, as a CSV"),
            CURSOR,
            LIMIT,
        ),
        problems=NO_CAMPAIGN,
    ),
    Route(
        "GET",
        "/api/campaigns/{request_id}/leftovers",
        get_leftovers,
        "Gives what a day left unfinished, with the columns as uploaded",
        "Campaigns",
        {200: Answer("a CSV that can be uploaded again", media="text/csv")},
        (ID, DAY, Param("format", "csv")),
        problems=NO_CAMPAIGN,
    ),
    Route(
        "GET",
        "/api/fdds",
        find_fdds,
        "Finds a number over all campaigns",
        "Campaigns",
        {200: Answer("FDDs of the number", outs.FddsOut)},
        (Param("number", "a phone number in E.164"), CURSOR, LIMIT),
    ),
    Route(
        "GET",
        "/api/fdds/{fdd_id}",
        get_fdd,
        "Shows an FDD with its attempts",
        "Campaigns",
        {200: Answer("the FDD", outs.FddOut)},
        (FDD,),
        problems=NO_FDD,
    ),
    Route(
        "GET",
        "/api/fdds/{fdd_id}/why",
        get_why,
        "Tells every rule that was evaluated for an FDD",
        "Campaigns",
        {200: Answer("what each rule saw and decided", outs.WhyOut)},
        (FDD,),
        problems=NO_FDD,
    ),
)
