"""Acting on open sessions: says how many are meant, wants a reason, then flushes, deletes them or
sets when they are due.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

from aiohttp import web

from app.command_shapes import Commanded
from app.shapes import Change
from app.web.api.aggregators import GROUP
from app.web.api.commands import WAIT_S
from app.web.context import BACKEND
from app.web.pages.shell import Context, Page, render, see_other
from app.web.people import actor_of
from app.web.problems import not_found
from app.web.wire import loads
from config.commands import ACTIONS
from config.documents.base import DocumentError, Problem
from domain.aggregation.numbers import number_from_text


async def build(request: web.Request) -> Context:
    """The sessions that the address means, counted; and what was done, when it says so."""
    return await _shown(request, request.query)


async def _shown(request: web.Request, query: Mapping[str, str]) -> Context:
    name = query.get("aggregator", "")
    asked, title = await _meant(request, name, query)
    counted = None
    if asked:
        counting = Change(actor_of(request), "")
        counted = await request.app[BACKEND].count_command(name, "flush", asked, counting)
    if counted is None:
        raise not_found(f"aggregator {name!r}", "Sessions lists what is open, by aggregator.")
    meant = {key: query[key] for key in query if key in ("aggregator", "key") or _is_group(key)}
    return {
        "name": name,
        "title": title,
        "counted": counted,
        "meant": meant,
        "once": uuid4().hex,
        "back": _back(meant),
        "problems": (),
        "reason": "",
        "due": "",
        "missing_reason": False,
        "done": query.get("done", ""),
        "command_id": query.get("command", ""),
        "touched": query.get("touched", ""),
    }


def _is_group(key: str) -> bool:
    return key.startswith(GROUP)


def _back(meant: Mapping[str, str]) -> str:
    return f"/sessions{'/one' if 'key' in meant else ''}?{urlencode(meant)}"


async def _meant(
    request: web.Request, name: str, query: Mapping[str, str]
) -> tuple[dict[str, object], Mapping[str, object]]:
    """(what a command asks for, field -> value for people)."""
    key = query.get("key")
    if key is not None:
        found = await request.app[BACKEND].session(name, key)
        if found is None:
            raise not_found(f"session {key} of aggregator {name!r}")
        text = found.open.record if found.open else found.flushes[0].record
        record = loads(text)
        record = record.get("data", record) if "specversion" in record else record
        labels = {field: period["label"] for field, period in record["periods"].items()}
        group = {**record["group"], **labels}
        return {"group": group}, group
    texts = {
        key.removeprefix(GROUP): text for key, text in query.items() if _is_group(key) and text
    }
    tests: list[dict[str, object]] = [
        {"field": field, "op": "in", "value": meanings(text)} for field, text in texts.items()
    ]
    if not tests:  # every session: a condition that all of them pass
        tests = [{"field": "meta.count", "op": ">=", "value": 0}]
    return {"filter": {"all": tests}}, texts


def meanings(text: str) -> list[object]:
    """What the text in a search field may stand for: itself, and what it is as JSON."""
    found: list[object] = [text]
    if text in ("true", "false"):
        found.append(text == "true")
    number = number_from_text(text)
    if number is not None:
        found.append(number)
    return found


async def post(request: web.Request, page: Page) -> web.StreamResponse:
    """Does it, or says what is missing."""
    fields = {key: str(value).strip() for key, value in (await request.post()).items()}
    action, reason, due = fields.get("do", ""), fields.get("reason", ""), fields.get("due", "")
    context = await _shown(request, fields)
    context |= {"reason": reason, "due": due, "once": fields.get("once", context["once"])}
    context |= {"done": "", "missing_reason": not reason}
    if reason and action in ACTIONS:
        asked, _ = await _meant(request, context["name"], fields)
        if action == "set-timeout":
            asked["due"] = due
        change = Change(actor_of(request), reason, context["once"])
        try:
            did = await request.app[BACKEND].give_command(
                context["name"], action, asked, change, WAIT_S
            )
        except DocumentError as error:
            context["problems"] = error.problems
        else:
            return see_other(_told(context["meant"], did))
    elif action not in ACTIONS:
        context["problems"] = [Problem("do", action, ", ".join(ACTIONS))]
    return await render(request, page, "act.html", context, 422)


def _told(meant: Mapping[str, str], did: Commanded | None) -> str:
    if did is None:
        return _back(meant)
    told = {"done": did.action if did.done else "running", "command": did.id}
    return f"/sessions/act?{urlencode({**meant, **told, 'touched': str(did.sessions)})}"


def address(name: str, wanted: Mapping[str, Any]) -> str:
    """The page for the sessions with these group texts."""
    texts = {GROUP + field: text for field, text in wanted.items()}
    return f"/sessions/act?{urlencode({'aggregator': name, **texts})}"
