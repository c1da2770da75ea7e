"""Alerts about metrics and sources: which have started; one is seen to, or silent for a time."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote
from uuid import uuid4

from aiohttp import web

from app.alert_shapes import AlertStatus
from app.backend import IdempotencyConflict
from app.charts.figures import figure
from app.web.context import BACKEND, CLOCK
from app.web.pages.shell import Context, Page, render, see_other
from app.web.people import actor_of
from app.web.problems import not_found
from app.web.words import some
from domain.metrics.moments import moment_ms

HOUR_MS = 3_600_000
SPANS = {"1h": ("an hour", HOUR_MS), "8h": ("8 hours", 8 * HOUR_MS), "1d": ("a day", 24 * HOUR_MS),
         "7d": ("a week", 168 * HOUR_MS)}  # fmt: skip
OTHER, NOT = "until", "now"


def link(name: str) -> str:
    """The page of an alert."""
    return f"/alerts/{quote(name, safe='')}"


async def build(request: web.Request) -> Context:
    """All of them, those that have started first; and the digests."""
    found = await request.app[BACKEND].metric_alerts()
    now_ms = request.app[CLOCK].now_ms()
    ordered = sorted(found, key=lambda one: (not one.started, -one.since_ms, one.name))
    return {
        "alerts": [_row(one, now_ms) for one in ordered],
        "digests": await request.app[BACKEND].digests(),
        "sentence": sentence(found),
        "sign": "bad" if any(one.started for one in found) else "good" if found else "",
    }


def sentence(found: Sequence[AlertStatus]) -> str:
    """How the alerts are, together."""
    started = sum(one.started for one in found)
    if not found:
        return "No alert about metrics yet."
    if not started:
        return f"Nothing is wrong: {some(len(found), 'alert')}, none has started."
    seen = sum(one.started and bool(one.acknowledged_by) for one in found)
    verb = "has" if started == 1 else "have"
    told = f"{started:,} of {some(len(found), 'alert')} {verb} started"
    return f"{told}; {seen:,} seen to." if seen else f"{told}."


def _row(one: AlertStatus, now_ms: int) -> dict[str, Any]:
    state, sign = ("started", "bad") if one.started else ("quiet", "good")
    if one.started and one.acknowledged_by:
        sign = "warn"
    return {
        "it": one,
        "id": f"{one.name}-{one.subject}",
        "link": link(one.name),
        "state": state,
        "sign": sign,
        "value": figure(one.value),
        "mark": figure(one.mark),
        "silent": one.silent_until_ms > now_ms,
    }


async def build_one(request: web.Request) -> Context:
    """An alert with all it is about, and the forms."""
    name, now_ms = request.match_info["name"], request.app[CLOCK].now_ms()
    rows = [
        _row(one, now_ms) for one in await request.app[BACKEND].metric_alerts() if one.name == name
    ]
    if not rows:
        raise not_found(f"alert {name!r}", "Alerts lists those in force.")
    started = [row["it"] for row in rows if row["it"].started]
    return {
        "name": name,
        "rows": rows,
        "sentence": _one_sentence(started),
        "sign": "bad" if started else "good",
        "started": bool(started),
        "silent": any(row["silent"] for row in rows),
        "spans": {key: words for key, (words, _) in SPANS.items()},
        "here": link(name),
        "once": uuid4().hex,
        "given": {"for": "1h", "until": ""},
        "wrong": "",
        "done": request.query.get("done", ""),
    }


def _one_sentence(started: Sequence[AlertStatus]) -> str:
    if not started:
        return "It is quiet."
    if len(started) > 1:
        return f"It has started for {some(len(started), 'source')}."
    return f"{started[0].text or 'It has started'}."


async def post_acknowledge(request: web.Request, page: Page) -> web.StreamResponse:
    """Somebody sees to it."""
    changes = {"acknowledged_by": actor_of(request)}
    return await _change(request, page, changes, await request.post(), "seen")


async def post_silence(request: web.Request, page: Page) -> web.StreamResponse:
    """Nobody is told for a time; until now ends that."""
    fields, now_ms = await request.post(), request.app[CLOCK].now_ms()
    chosen, text = str(fields.get("for", "")), str(fields.get("until", "")).strip()
    until_ms = moment_ms(text) if chosen == OTHER else None
    if chosen == NOT:
        until_ms = now_ms
    elif chosen in SPANS:
        until_ms = now_ms + SPANS[chosen][1]
    if until_ms is None or (until_ms <= now_ms and chosen != NOT):
        told = {
            "given": {"for": chosen, "until": text},
            "wrong": "a date like 2026-01-31 or an instant like 2026-01-31T12:00:00Z, to come",
        }
        return await _again(request, page, told)
    done = "heard" if chosen == NOT else "silent"
    return await _change(request, page, {"silent_until_ms": until_ms}, fields, done)


async def _change(
    request: web.Request,
    page: Page,
    changes: Mapping[str, str | int],
    fields: Mapping[str, Any],
    done: str,
) -> web.StreamResponse:
    name, once = request.match_info["name"], str(fields.get("once", ""))[:64]
    try:
        known = await request.app[BACKEND].change_alert(name, changes, once or None)
    except IdempotencyConflict:  # the form was sent before, by its button or "back"
        return see_other(link(name))
    if not known:
        raise not_found(f"alert {name!r}", "It was removed meanwhile.")
    return see_other(f"{link(name)}?done={done}")


async def _again(request: web.Request, page: Page, told: Context) -> web.StreamResponse:
    context = {**await build_one(request), **told, "live": False}
    return await render(request, page, "alert.html", context, status=422)
