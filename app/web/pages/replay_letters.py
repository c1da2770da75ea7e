"""Replaying dead letters: what it would do first, then with a reason the deed."""

from collections.abc import Mapping
from urllib.parse import urlencode
from uuid import uuid4

from aiohttp import web

from app.shapes import Change, DeadLetter, Replay
from app.web.api.dead_letter_replay import FILTERS, meant
from app.web.context import BACKEND
from app.web.explanations import explanation
from app.web.pages.shell import Context, Page, render, see_other
from app.web.people import actor_of

WAIT_S = 5.0  # then the list is shown, which goes on by itself
PATH = "/dead-letters/replay"


async def build(request: web.Request) -> Context:
    """What replaying the letters that the address chooses would do."""
    where = {name: request.query[name] for name in FILTERS if request.query.get(name)}
    return await _context(request, where)


async def _context(request: web.Request, where: dict[str, str]) -> Context:
    backend = request.app[BACKEND]
    change = Change(actor_of(request))
    trial = await backend.replay_dead_letters(await meant(request, where), change, True, 0.0)
    letter: DeadLetter | None = None
    if "id" in where:
        letter = await backend.dead_letter(where["id"])
    return {
        "where": where,
        "letter": letter,
        "trial": trial,
        "explain": explanation,
        "back": _back(where),
        "once": uuid4().hex,
        "missing_reason": False,
    }


def _back(where: Mapping[str, str]) -> str:
    shown = {name: value for name, value in where.items() if name != "id"}
    return f"/dead-letters?{urlencode(shown)}" if shown else "/dead-letters"


def address(where: Mapping[str, str]) -> str:
    """The page for letters chosen like this."""
    chosen = {name: value for name, value in where.items() if name in FILTERS}
    return f"{PATH}?{urlencode(chosen)}" if chosen else PATH


async def post(request: web.Request, page: Page) -> web.StreamResponse:
    """Replays; a form sent twice is one command. Without a reason it is shown again."""
    fields = await request.post()
    where = {name: str(fields[name]) for name in FILTERS if fields.get(name)}
    reason = str(fields.get("why", "")).strip()
    once = str(fields.get("once", ""))
    if not reason or not once.isalnum():
        context = await _context(request, where)
        context["missing_reason"] = True
        return await render(request, page, "replay.html", context, 422)
    change = Change(actor_of(request), reason, f"form-{once}")
    chosen = await meant(request, where)
    done = await request.app[BACKEND].replay_dead_letters(chosen, change, False, WAIT_S)
    return see_other(f"/dead-letters?{urlencode({'done': _told(done)})}")


def _told(done: Replay) -> str:
    return f"{done.replayed}.{done.refused}.{done.waiting}.{done.command}"


def result(text: str | None) -> dict[str, int | str] | None:
    """What `_told` put into the address; None for anything else."""
    parts = (text or "").split(".")
    if len(parts) != 4 or not all(part.isascii() and part.isdigit() for part in parts[:3]):
        return None
    replayed, refused, waiting = map(int, parts[:3])
    return {
        "replayed": replayed,
        "refused": refused,
        "waiting": waiting,
        "command": parts[3] if parts[3].isalnum() else "",
    }
