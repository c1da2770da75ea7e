"""How pages are made and kept current: one template each, rendered whole or by the piece.

A page works as plain HTML. When its script runs, it asks for its own address as an event stream
and gets those pieces of itself that have changed since.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import jinja2
from aiohttp import web

from app import aged
from app.shapes import ClockInfo
from app.web import marks, masked, security
from app.web.bodies import form_of
from app.web.context import BACKEND, CLOCK
from app.web.live import EventStream, stream
from app.web.people import PEOPLE, person_of
from app.web.problems import AWAY, ProblemError
from app.web.routes import Handler
from app.web.watches import OWN_TOKEN, WATCHES, Piece, Round, event, event_of, news
from app.web.wire import dumps

AGED = "aged"  # the piece of every live page that says how old it is
SHAPE_AFTER_S = 1.0  # from here on a person wonders: the page's shape is shown, figures follow
Context = dict[str, Any]
Build = Callable[[web.Request], Awaitable[Context]]

TEMPLATES: Final = web.AppKey[Callable[[], jinja2.Environment]]("templates")


@dataclass(frozen=True)
class View:
    """A page that is looked at.

    `build` makes what the template shows; it may raise ProblemError. `pieces` are blocks of the
    template, each inside an element of that id; they are kept current every `every_s` seconds
    and must need nothing but the context.
    """

    path: str
    template: str
    build: Build
    pieces: tuple[str, ...] = ()
    every_s: float = 2.0


@dataclass(frozen=True)
class Page:
    """An entry of the navigation. `letter` goes there after `g`; `views[0]` is where it leads.

    `actions` are (path, handler) of forms, which POST; `uploads` of forms with a file, whose
    handlers read them by `held.read_form`, which checks the token; `gets` of what is fetched
    beside pages.
    """

    name: str
    letter: str
    views: tuple[View, ...]
    actions: tuple[tuple[str, Handler], ...] = ()
    gets: tuple[tuple[str, Handler], ...] = ()
    uploads: tuple[tuple[str, Handler], ...] = ()

    @property
    def path(self) -> str:
        """Where the navigation leads."""
        return self.views[0].path

    @property
    def handlers(self) -> list[tuple[str, str, Handler]]:
        """(method, path, handler) of all that belongs to the page."""
        found: list[tuple[str, str, Handler]] = []
        for view in self.views:
            found.append(("GET", view.path, _handler(self, view)))
        found += [("GET", path, handler) for path, handler in self.gets]
        found += [("POST", path, _form(handler)) for path, handler in self.actions]
        found += [("POST", path, handler) for path, handler in self.uploads]
        return found


@cache
def environment(static: Path, pages: tuple[Page, ...]) -> jinja2.Environment:
    """The templates with everything they use; addresses of static files carry a digest.

    Made once, for the first page that is asked for.
    """
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent.parent / "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    digests: dict[str, str] = {}

    def static_url(name: str) -> str:
        if name not in digests:
            content = (static / name).read_bytes()
            digests[name] = hashlib.sha256(content).hexdigest()[:12]
        return f"/static/{name}?v={digests[name]}"

    made.filters.update(marks.FILTERS)
    made.globals.update(
        static_url=static_url,
        pages=pages,
        charts=(static / "vendor" / "uPlot.iife.min.js").is_file(),
    )
    made.globals["ui"] = made.get_template("ui.html").module
    return made


def _handler(page: Page, view: View) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        if "text/event-stream" in request.headers.get("Accept", ""):
            return await _stream(request, page, view)
        context = await _soon(request, view)
        return await render(request, page, view.template, {**context, "live": bool(view.pieces)})

    return handle


def _form(handler: Handler) -> Handler:
    """A form's handler behind the check of its token."""

    async def handle(request: web.Request) -> web.StreamResponse:
        fields = await form_of(request)
        security.check_token(request, str(fields.get(security.FIELD, "")))
        return await handler(request)

    return handle


async def _soon(request: web.Request, view: View) -> Context:
    """What the view shows; its shape alone when that takes long and pieces can follow."""
    if not view.pieces:
        return await view.build(request)
    try:
        async with asyncio.timeout(SHAPE_AFTER_S):
            return await view.build(request)
    except TimeoutError:
        return {"loading": True}


async def render(
    request: web.Request, page: Page | None, template: str, context: Context, status: int = 200
) -> web.Response:
    """The whole page."""
    found = request.app[TEMPLATES]().get_template(template)
    common = await _common(request, page)
    marks.MASKING.set(masked.masker_of(request))
    text = found.render({"loading": False, "live": False, **common, **context})
    response = web.Response(status=status, text=text, content_type="text/html")
    security.set_cookie(request, response)
    return response


async def _common(request: web.Request, page: Page | None) -> Context:
    clock = await _clock(request)
    return {
        "page": page,
        "clock": clock,
        "now_ms": clock.now_ms,
        "csrf": security.csrf_token(request),
        "nonce": security.nonce(request),
        "visitor": person_of(request),
        "query": request.query,
        "path": request.path,
        "path_qs": request.path_qs,
        "aged_s": aged.age_s(),
    }


async def _clock(request: web.Request) -> ClockInfo:
    try:
        return await request.app[BACKEND].clock_info()
    except AWAY:
        # The page that says what is wrong needs a time, too.
        return ClockInfo(request.app[CLOCK].now_ms())


def see_other(address: str) -> web.Response:
    """Leads on after a form: going back or loading again does not send it once more."""
    return web.Response(status=303, headers={"Location": address})


async def problem_page(request: web.Request, problem: ProblemError) -> web.Response:
    """The page for what went wrong: what happened, what it means, what to do."""
    response = await render(
        request, None, "problem.html", {"problem": problem}, status=problem.status
    )
    response.headers.update(problem.headers)
    return response


async def _stream(request: web.Request, page: Page, view: View) -> web.StreamResponse:
    """Sends pieces as they change: {"id","html"}; and `now`, which relative times count from.

    They are made once for all who look at this address and may see the same (`watches.py`).
    """
    own_token = security.csrf_token(request)
    person = person_of(request)
    sees = None if person is None else (person.role, person.rights)
    key = (request.path_qs, sees, request.app[PEOPLE].any_users)

    async def make(before: Round | None) -> Round:
        return await _round(request, page, view, before)

    async def send(response: EventStream) -> None:
        had: dict[str, str] = {}
        seen = 0
        async with request.app[WATCHES].of(key, make, view.every_s) as watch:
            while True:
                found = await watch.next(seen)
                seen = found.number
                numbers = sum(one.numbers for one in found.pieces.values())
                if numbers:
                    await masked.tell_seen(request, numbers)
                await response.write(news(found, had, own_token))

    return await stream(request, send)


async def _round(request: web.Request, page: Page, view: View, before: Round | None) -> Round:
    """What there is to be sent now. `request` is that of whoever looked first."""
    number = 1 if before is None else before.number + 1
    pieces = {} if before is None else dict(before.pieces)
    try:
        with aged.noted():
            built = await view.build(request)
            context = {**await _common(request, page), **built}
    except AWAY as error:
        return Round(number, event("failed", {"detail": str(error)}))
    context["csrf"] = OWN_TOKEN
    clock: ClockInfo = context["clock"]
    now = {"now_ms": clock.now_ms, "speed": clock.speed if clock.trial else 1}
    template = request.app[TEMPLATES]().get_template(view.template)
    masker = masked.fresh_masker_of(request)
    marks.MASKING.set(masker)
    base = request.app[TEMPLATES]().get_template("base.html")
    for name in (*view.pieces, AGED):
        counted = 0 if masker is None else masker.found
        html = piece(base if name == AGED else template, name, context)
        if name == AGED and not html and name not in pieces:
            continue  # as the page has it already
        digest = marks.without_relative(html)
        known = pieces.get(name)
        if known is None or known.digest != digest:
            data = {"id": name, "html": html if masker is None else masker.html(html)}
            text = dumps(data)
            if masker is not None:
                text = masker.json(text.decode()).encode()
            numbers = 0 if masker is None or not masker.only_counts else masker.found - counted
            pieces[name] = Piece(digest, event_of("piece", text), numbers)
    return Round(number, event("now", now), pieces)


def piece(template: jinja2.Template, name: str, context: Mapping[str, Any]) -> str:
    """One block of a template, rendered alone."""
    made = template.new_context({"loading": False, **context})
    return "".join(template.blocks[name](made)).strip()
