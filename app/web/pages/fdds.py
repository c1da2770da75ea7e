"""FDDs: those of a campaign, one with its story, and those of a person."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from app.web import campaign_words
from app.web.campaign_words import OUTCOMES
from app.web.context import BACKEND
from app.web.pages.campaign_links import (
    campaign_link,
    campaign_of,
    day_of,
    fdd_link,
    known,
    part,
    zone_of,
)
from app.web.pages.one_campaign import line
from app.web.pages.shell import Context
from app.web.params import cursor
from app.web.problems import not_found
from domain.aggregation.instants import parse_instant

ROWS = 50
NAMED = 10  # campaigns of a person that are asked for their name
FIRST_MS = 1_000_000_000_000  # a number from 2001 on in milliseconds; nothing counted is as large
FILTERS = ("slot", "status", "number")


async def build_list(request: web.Request) -> Context:
    """FDDs of a campaign that match the filters of the address."""
    found = await campaign_of(request)
    request_id, day = str(found["request_id"]), day_of(request)
    where = {name: request.query[name].strip() for name in FILTERS if request.query.get(name)}
    if "number" in where:
        where["number"] = spaced(where["number"])
    asked = {**where, "day": day or str(found["day"])}
    page = known(
        await request.app[BACKEND].campaign_fdds(request_id, asked, ROWS, cursor(request)),
        request_id,
    )
    return {
        "found": found,
        "day": asked["day"],
        "where": where,
        "sentence": _sentence(found, asked, len(page.items)),
        "rows": [row(item) for item in page.items],
        "outcomes": OUTCOMES,
        "slots": [item["slot"] for item in found["by_slot"] if item["slot"]],
        "days": [item["day"] for item in found["days_list"]],
        "zone": await zone_of(request, str(found["flow"])),
        "back": campaign_link(request_id, day=day),
        "here": campaign_link(request_id, "fdds"),
        "all": campaign_link(request_id, "fdds", day=day),
        "first": campaign_link(request_id, "fdds", day=day, **where) if cursor(request) else "",
        "more": campaign_link(request_id, "fdds", day=day, **where, cursor=page.next)
        if page.next
        else "",
    }


def spaced(number: str) -> str:
    """A number without what people write between its digits."""
    return "".join(c for c in number if c not in " -.()/\u00a0")


def _sentence(found: Mapping[str, Any], asked: Mapping[str, str], shown: int) -> str:
    """How many match: the campaign's own counts say so, except when a person is looked for."""
    on = f"on {asked['day']}"
    if "number" in asked:
        return f"{shown:,} {'FDD' if shown == 1 else 'FDDs'} of this number {on}."
    lines = [item for item in found["by_slot"] if asked.get("slot") in (None, item["slot"])]
    one = line(found["counts"] if "slot" not in asked else (lines[0]["counts"] if lines else {}))
    keys = dict(zip(OUTCOMES, ("pending", "completed", "partial", "failed", "negative", "revoked"),
                    strict=True))  # fmt: skip
    status = asked.get("status", "")
    number = one[keys.get(status, "created")]
    word = f" {OUTCOMES[status]}" if status in OUTCOMES else ""
    slot = f", {campaign_words.slot(asked['slot'])}" if "slot" in asked else ""
    return f"{number:,} {'FDD' if number == 1 else 'FDDs'}{word} {on}{slot}."


def row(item: Mapping[str, Any]) -> dict[str, Any]:
    """An FDD in a list."""
    return {
        "item": item,
        "link": fdd_link(str(item["id"])),
        "campaign": campaign_link(str(item["request_id"]), day=str(item["date"])),
        "state": campaign_words.state(item),
        "due_ms": parse_instant(item["scheduled_start"]),
        "attempts": sum(1 for one in item["attempts"] if one.get("started_at")),
        "marks": [campaign_words.MARKS.get(m, campaign_words.spoken(m)) for m in item["marks"]],
    }


async def build_one(request: web.Request) -> Context:
    """An FDD: what became of it, its attempts, and every rule that was asked."""
    backend, fdd_id = request.app[BACKEND], request.match_info["id"]
    found = await backend.fdd(fdd_id)
    if found is None:
        raise not_found(f"FDD {fdd_id!r}", "A campaign's page leads to its own.")
    request_id, day = str(found["request_id"]), str(found["date"])
    why, why_failed = await part(backend.fdd_why(fdd_id))
    campaign, _ = await part(backend.campaign(request_id, day))
    flow = str(campaign["flow"]) if campaign else request_id.rpartition("-")[0]
    return {
        "fdd": found,
        "row": row(found),
        "sentence": campaign_words.fdd_sentence(found),
        "name": campaign["name"] if campaign else request_id,
        "zone": await zone_of(request, flow),
        "back": campaign_link(request_id, "fdds", day=day),
        "attempts": [_attempt(one) for one in found["attempts"]],
        "start_ms": parse_instant(found["slot_start"]),
        "end_ms": parse_instant(found["slot_end"]),
        "rules": [_rule(one) for one in why["rules"]] if why else [],
        "why_failed": why_failed,
        "negatives": campaign_link(request_id, "negatives", fdd=fdd_id)
        if found["state"] == "NEGATIVE" and campaign and "negatives" in campaign["allowed_actions"]
        else "",
    }


def _attempt(one: Mapping[str, Any]) -> dict[str, Any]:
    begun, ended = parse_instant(one["started_at"]), parse_instant(one["finished_at"])
    outcome = one["outcome"]
    text = campaign_words.STATES.get(outcome, campaign_words.spoken(outcome)) if outcome else ""
    because = campaign_words.reason(one["reason"]) if outcome else ""
    return {
        "item": one,
        "begun_ms": begun,
        "ended_ms": ended,
        "seconds": (ended - begun) / 1000 if begun is not None and ended is not None else None,
        "outcome": f"{text}, {because}" if text and because else text or "no result yet",
    }


def _instant(value: object) -> int | None:
    """The instant that a value of a rule is, as text or in milliseconds."""
    if isinstance(value, int) and not isinstance(value, bool) and value > FIRST_MS:
        return value
    return parse_instant(value)


def _rule(one: Mapping[str, Any]) -> dict[str, Any]:
    name = str(one["rule"])
    decided = str(one["decided"])
    saw = {
        campaign_words.spoken(key): (value, _instant(value), "number" in key)
        for key, value in (one.get("saw") or {}).items()
        if value is not None
    }
    return {
        "name": name,
        "title": campaign_words.RULES.get(name, campaign_words.spoken(name).capitalize()),
        "at_ms": parse_instant(one["at"]),
        "passed": decided == "pass",
        "decided": "ordered"
        if (name, decided) == ("lease", "pass")
        else campaign_words.decided(decided),
        "saw": saw,
    }


async def build_found(request: web.Request) -> Context:
    """The FDDs of a person over all campaigns: by `?number=`, or the person of FDD `?like=`.

    Links to it carry an FDD, so that numbers are in no address but those that somebody typed.
    """
    backend, like = request.app[BACKEND], request.query.get("like", "")
    typed = request.query.get("number", "").strip()
    known_fdd = await backend.fdd(like) if like else None
    number = str(known_fdd["number"]) if known_fdd else spaced(typed)
    page = await backend.fdds_by_number(number, ROWS, cursor(request)) if number else None
    rows = [row(item) for item in page.items] if page else []
    here = {"like": like} if known_fdd else {"number": number}
    return {
        "names": await _names(request, [str(each["item"]["request_id"]) for each in rows]),
        "number": typed,
        "person": number if known_fdd else "",
        "asked": bool(number),
        "international": number.startswith("+"),
        "rows": rows,
        "first": f"/fdds?{urlencode(here)}" if cursor(request) else "",
        "more": f"/fdds?{urlencode({**here, 'cursor': page.next})}" if page and page.next else "",
    }


async def _names(request: web.Request, ids: Sequence[str]) -> Mapping[str, str]:
    """The names of the first of these campaigns, as far as they can be told now."""
    backend, some = request.app[BACKEND], list(dict.fromkeys(ids))[:NAMED]
    told = await asyncio.gather(*(part(backend.campaign(each, None)) for each in some))
    return {each: str(found["name"]) for each, (found, _) in zip(some, told, strict=True) if found}
