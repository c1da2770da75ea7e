"""Addresses of what belongs to campaigns, and what pages about one campaign have in common."""

from collections.abc import Awaitable, Mapping
from datetime import date
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

from aiohttp import web

from app.web.context import BACKEND
from app.web.problems import AWAY, bad_parameter, not_found

T = TypeVar("T")


def campaign_link(request_id: str, part: str = "", **query: str | None) -> str:
    """The page of a campaign, or of a part of it; what is None or "" is left out."""
    given = {name: text for name, text in query.items() if text}
    address = f"/campaigns/{quote(request_id, safe='')}{f'/{part}' if part else ''}"
    return f"{address}?{urlencode(given)}" if given else address


def fdd_link(fdd_id: str) -> str:
    """The page of an FDD."""
    return f"/fdds/{quote(fdd_id, safe='')}"


def day_of(request: web.Request) -> str | None:
    """`?day=`; None is today, in each flow's own zone."""
    text = request.query.get("day", "").strip()
    if not text:
        return None
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError as error:
        raise bad_parameter("day", text, "a day like 2025-11-03") from error


def known(found: T | None, request_id: str) -> T:
    """What was asked of a campaign. Raises ProblemError (404) when there is no such campaign."""
    if found is None:
        raise not_found(f"campaign {request_id!r}", "Campaigns lists those of a day.")
    return found


async def campaign_of(request: web.Request) -> Mapping[str, Any]:
    """The campaign of the address, on the day of the address."""
    request_id = request.match_info["id"]
    return known(await request.app[BACKEND].campaign(request_id, day_of(request)), request_id)


async def zone_of(request: web.Request, flow: str) -> str:
    """The time zone of a flow in force; "" when it is there no more."""
    found = await request.app[BACKEND].document("flow", flow)
    return "" if found is None or found.body is None else str(found.body.get("timezone", ""))


async def part(asked: Awaitable[T]) -> tuple[T | None, str]:
    """(what was asked, "") or (None, why it can't be told now): a page stands without a part."""
    try:
        return await asked, ""
    except AWAY as error:
        text = str(error)
        return None, f"{text[:1].upper()}{text[1:].rstrip('.')}."
