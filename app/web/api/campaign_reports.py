"""Reports over HTTP: raw by attempts, eod by FDDs; CSV, Excel and JSON."""

from typing import Literal

from aiohttp import web

from app.campaign_shapes import COLUMNS, ReportKind
from app.web import masked
from app.web.api import campaign_outs as outs
from app.web.api.campaign_bodies import day_asked
from app.web.api.campaign_files import CSV, XLSX, csv_lines, json_lines, send
from app.web.api.campaigns import DAY, NO_CAMPAIGN, no_campaign
from app.web.api.workbooks import workbook
from app.web.context import BACKEND
from app.web.problems import bad_parameter
from app.web.routes import JSON, Answer, Handler, Param, Route

Format = Literal["csv", "xlsx", "json"]
MEDIA: dict[str, str] = {"csv": CSV, "xlsx": XLSX, "json": JSON}


def reporting(kind: ReportKind) -> Handler:
    """The handler of one kind of report."""

    async def report(request: web.Request) -> web.StreamResponse:
        form = request.query.get("format", "json")
        if form not in MEDIA:
            raise bad_parameter("format", form, "csv, xlsx or json")
        day, request_id = day_asked(request), request.query.get("request_id") or None
        backend = request.app[BACKEND]
        if request_id is not None and await backend.campaign(request_id, day) is None:
            raise no_campaign(request_id)
        rows = masked.rows(request, backend.report(kind, day, request_id))
        if form == "json":
            body = json_lines(rows)
        elif form == "csv":
            body = csv_lines(COLUMNS[kind], rows)
        else:
            body = workbook(kind, COLUMNS[kind], rows)
        name = "-".join(filter(None, (kind, day, request_id)))
        return await send(request, body, f"{name}.{form}", MEDIA[form])

    return report


def _route(kind: ReportKind, summary: str) -> Route:
    return Route(
        "GET",
        f"/api/campaigns/reports/{kind}",
        reporting(kind),
        summary,
        "Campaigns",
        {200: Answer(f"rows of {', '.join(COLUMNS[kind])}", outs.CampaignReportOut)},
        (
            DAY,
            Param("request_id", "of this campaign only"),
            Param("format", "csv, xlsx or json (json)"),
        ),
        problems=NO_CAMPAIGN,
    )


ROUTES = (
    _route("raw", "Gives a row for each attempt that started on a day, by start time"),
    _route("eod", "Gives the day's FDDs by campaign, slot, outcome and reason"),
)
