"""Impressions: loads, steps and figures; what a change of the dimension would rewrite."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import msgspec
from aiohttp import web

from app.shapes import Idempotency
from app.web import audited, words
from app.web.api.impressions import plan_of
from app.web.context import BACKEND, CLOCK
from app.web.pages.shell import Context, Page, View, render, see_other
from app.web.params import cursor
from app.web.people import actor_of
from app.web.problems import ProblemError, not_found
from domain.aggregation.instants import parse_instant
from domain.impressions.events import EVENTS, FILE_EXPECTED, is_file
from domain.impressions.layout import JOINED, PARTITIONED, TABLES, UPDATED

ROWS = 50
DAYS = 14  # on the first page
LOADS = 10
STEPS = 12
ADDRESS = "/impressions"
CHANGE = f"{ADDRESS}/change"
CHANGE_TEMPLATE = "impressions_change.html"


async def build(request: web.Request) -> Context:
    """How it stands, the queue, the last days, loads and steps."""
    backend = request.app[BACKEND]
    found = await backend.impressions()
    loads = await backend.impressions_loads(LOADS, None)
    tables = {one["table"]: one for one in found["tables"]}
    newest = next((name for name in (UPDATED, JOINED, PARTITIONED) if name in tables), None)
    days: Sequence[Mapping[str, Any]] = ()
    if newest is not None:
        page = await backend.impressions_figures(newest, None, DAYS, None)
        days = page.items if page is not None else ()
    return {
        "found": found,
        "sentence": sentence(found, tables),
        "main": tables.get(PARTITIONED),
        "newest": newest,
        "shown": tables.get(newest or ""),
        "days": [_line(newest or "", one) for one in days],
        "loads": loads.items,
        "jobs": [job for job in found["jobs"] if job["state"] != "done"],
        "steps": found["steps"][:STEPS],
        "percent": percent,
        "instant": parse_instant,
        "now_ms": request.app[CLOCK].now_ms(),
        "asked": request.query.get("asked", ""),
    }


def sentence(found: Mapping[str, Any], tables: Mapping[str, Any]) -> tuple[str, str]:
    """The page's answer, and its state."""
    missing, main = found["missing"], tables.get(PARTITIONED)
    if missing:
        days = ", ".join(one["day"] for one in missing)
        return f"The impressions of {days} have not come.", "bad"
    failed = [job for job in found["jobs"] if job["state"] == "failed"]
    if main is None:
        return "No impressions have been loaded.", "bad" if failed else ""
    of_days = f" of {words.some(main['days'], 'day')}, up to {main['last']}" if main["days"] else ""
    text = f"{words.some(main['rows'], 'row')}{of_days} are loaded."
    if found["waiting"]:
        return f"{text} {words.some(found['waiting'], 'file')} to go.", ""
    if failed:
        return f"{text} {words.some(len(failed), 'file')} could not be taken.", "warn"
    return text, "good"


def percent(job: Mapping[str, Any]) -> int | None:
    """How far a job's step is; None when that can't be told."""
    return min(100, 100 * job["done"] // job["total"]) if job["total"] else None


def _line(table: str, one: Mapping[str, Any]) -> dict[str, Any]:
    query = urlencode({"table": table, "day": one["day"]})
    return {**one, "link": f"{ADDRESS}/figures?{query}"}


async def build_figures(request: web.Request) -> Context:
    """Figures by day; of a day by campaign."""
    name, day = request.query.get("table", PARTITIONED), request.query.get("day")
    found = await request.app[BACKEND].impressions_figures(name, day, ROWS, cursor(request))
    if found is None:
        raise not_found(f"table {name!r} of impressions", f"The tables are {', '.join(TABLES)}.")
    here = {"table": name} if day is None else {"table": name, "day": day}
    address = f"{ADDRESS}/figures?{urlencode(here)}"
    more = urlencode({**here, "cursor": found.next}) if found.next else ""
    return {
        "table": name,
        "tables": TABLES,
        "day": day,
        "lines": [_line(name, one) for one in found.items],
        "more": f"{ADDRESS}/figures?{more}" if more else "",
        "first": address if cursor(request) else "",
        "json": f"/api{address}",
    }


async def build_loads(request: web.Request) -> Context:
    """All loads, newest first."""
    found = await request.app[BACKEND].impressions_loads(ROWS, cursor(request))
    return {
        "loads": found.items,
        "more": f"{ADDRESS}/loads?{urlencode({'cursor': found.next})}" if found.next else "",
        "first": f"{ADDRESS}/loads" if cursor(request) else "",
        "instant": parse_instant,
        "now_ms": request.app[CLOCK].now_ms(),
    }


async def build_change(request: web.Request) -> Context:
    """The form for a dimension; with a file, what it would rewrite."""
    return await _change(request, request.query)


async def _change(request: web.Request, fields: Mapping[str, str]) -> Context:
    file, plan, problem = fields.get("file", "").strip(), None, ""
    if file and not is_file(file):
        problem = f"{file} is no file; expected {FILE_EXPECTED}"
    elif file:
        try:
            plan = await plan_of(request, file)
        except ProblemError as error:
            problem = error.detail
    return {
        "file": file,
        "plan": plan,
        "problem": problem,
        "once": fields.get("once") or uuid4().hex,
        "reason": fields.get("reason", "").strip(),
        "missing_reason": False,
    }


async def post_change(request: web.Request) -> web.StreamResponse:
    """Asks for the update, with a reason."""
    fields = {key: str(value) for key, value in (await request.post()).items()}
    context = await _change(request, fields)
    context["missing_reason"] = not context["reason"]
    if context["plan"] is None or context["missing_reason"]:
        return await render(request, PAGE, CHANGE_TEMPLATE, context, 422)
    file = context["file"]
    audited.note(request, object=file[:200], after=context["plan"])
    event = {
        "type": "dimension",
        "file": file,
        "actor": actor_of(request),
        "reason": context["reason"],
    }
    body = msgspec.json.encode(event)
    once = Idempotency(context["once"], hashlib.sha256(file.encode()).hexdigest())
    await request.app[BACKEND].append_records(EVENTS, [(file.encode(), body, None, ())], once)
    return see_other(f"{ADDRESS}?{urlencode({'asked': file})}")


PAGE = Page(
    "Impressions",
    "i",
    (
        View(
            ADDRESS,
            "impressions.html",
            build,
            ("answer", "troubles", "figures", "jobs", "tables", "days", "loads", "steps"),
        ),
        View(f"{ADDRESS}/figures", "impressions_figures.html", build_figures),
        View(f"{ADDRESS}/loads", "impressions_loads.html", build_loads, ("rows",), 5),
        View(CHANGE, CHANGE_TEMPLATE, build_change),
    ),
    actions=((CHANGE, post_change),),
)
