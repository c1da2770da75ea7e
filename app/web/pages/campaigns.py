"""Campaigns: how the whole day stands, and the campaigns that have a part in it."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from app.web import campaign_words
from app.web.campaign_deeds import ACTIONS
from app.web.context import BACKEND, CLOCK
from app.web.pages import (
    act_on_campaign,
    add_negatives,
    do_not_call,
    erase_numbers,
    fdds,
    one_campaign,
    upload_campaign,
)
from app.web.pages.campaign_links import campaign_link, day_of
from app.web.pages.shell import Context, Page, View
from app.web.params import cursor
from domain.aggregation.instants import parse_instant, print_instant

ROWS = 50


async def build_list(request: web.Request) -> Context:
    """The tabs of the day, and the campaigns that match the filters of the address."""
    backend = request.app[BACKEND]
    day = day_of(request)
    q, status = request.query.get("q", "").strip(), request.query.get("status", "")
    found = await backend.campaigns(day, q, status or None, ROWS, cursor(request))
    flows = await backend.documents("flow")
    zones = {item.name: str((item.body or {}).get("timezone", "")) for item in flows}
    shown = {zones.get(item["flow"], "") for item in found.items}
    where = {name: text for name, text in (("day", day), ("q", q), ("status", status)) if text}
    today = print_instant(request.app[CLOCK].now_ms())[:10]
    return {
        "alerts": await backend.campaign_alerts(),
        "now_ms": request.app[CLOCK].now_ms(),
        "instant": parse_instant,
        "tabs": found.tabs,
        "rows": [_row(item, day) for item in found.items],
        "day": day,
        "day_before": _address({**where, "day": _moved(day or today, -1)}),
        "day_after": _address({**where, "day": _moved(day or today, 1)}),
        "q": q,
        "status": status,
        "statuses": campaign_words.STATUSES,
        "searching": bool(q or status),
        "all": _address({"day": day} if day else {}),
        "more": _address({**where, "cursor": found.next}) if found.next else "",
        "first": _address(where) if cursor(request) else "",
        "flows": flows,
        "zones": zones,
        "one_zone": next(iter(shown)) if len(shown) == 1 else "",
    }


def _row(item: Mapping[str, Any], day: str | None) -> dict[str, Any]:
    counts, upload = item["counts"], item["upload"]
    processing = item["flags"]["processing"] and upload["progress"] < 1
    share = upload["progress"] if processing else counts["attempted"] / (counts["created"] or 1)
    return {
        "item": item,
        "link": campaign_link(item["request_id"], day=day),
        "times": campaign_words.times(item),
        "flags": [name for name, on in item["flags"].items() if on],
        "percent": int(100 * share),
        "of": "read" if processing else "attempted",
    }


def _moved(day: str, by: int) -> str:
    try:
        return (date.fromisoformat(day) + timedelta(days=by)).isoformat()
    except OverflowError:
        return day


def _address(where: Mapping[str, str]) -> str:
    return f"/campaigns?{urlencode(where)}" if where else "/campaigns"


async def post_action(request: web.Request) -> web.StreamResponse:
    """Does what the campaign's page offers."""
    return await act_on_campaign.post(request, PAGE)


async def post_negatives(request: web.Request) -> web.StreamResponse:
    """Looks through a file of negatives, or takes it."""
    return await add_negatives.post(request, PAGE)


async def post_do_not_call(request: web.Request) -> web.StreamResponse:
    """Looks through a file for the do-not-call list, takes it, or takes a number off."""
    return await do_not_call.post(request, PAGE)


async def post_erase(request: web.Request) -> web.StreamResponse:
    """Says what would be erased, or erases it."""
    return await erase_numbers.post(request, PAGE)


async def post_upload(request: web.Request) -> web.StreamResponse:
    """Looks through a file, or uploads it."""
    return await upload_campaign.post(request, PAGE)


PAGE = Page(
    "Campaigns",
    "c",
    (
        View("/campaigns", "campaigns.html", build_list, ("answer", "alerts", "figures", "rows")),
        View("/campaigns/upload", "upload.html", upload_campaign.build),
        View("/do-not-call", "do_not_call.html", do_not_call.build),
        View("/erase", "erase.html", erase_numbers.build),
        View("/fdds", "fdds_of.html", fdds.build_found),
        View("/fdds/{id}", "fdd.html", fdds.build_one, ("answer", "fdd", "why")),
        View(
            "/campaigns/{id}",
            "campaign.html",
            one_campaign.build,
            ("done", "answer", "acts", "figures", "slots", "days", "rejections", "negatives"),
        ),
        View("/campaigns/{id}/fdds", "fdds.html", fdds.build_list, ("answer", "rows"), 5),
        View(
            "/campaigns/{id}/rejections",
            "rejections.html",
            one_campaign.build_rejections,
            ("answer", "rows"),
            5,
        ),
        View("/campaigns/{id}/negatives", "negatives.html", add_negatives.build),
        View(f"/campaigns/{{id}}/{{action:{'|'.join(ACTIONS)}}}",
             "campaign_act.html", act_on_campaign.build),
    ),
    actions=(
        ("/erase", post_erase),
        (f"/campaigns/{{id}}/{{action:{'|'.join(ACTIONS)}}}", post_action),
    ),
    uploads=(
        ("/do-not-call", post_do_not_call),
        ("/campaigns/upload", post_upload),
        ("/campaigns/{id}/negatives", post_negatives),
    ),
)  # fmt: skip
