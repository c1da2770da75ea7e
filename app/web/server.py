"""Puts the HTTP API and the console together into one aiohttp application."""

import logging
import time
from pathlib import Path

from aiohttp import web

from app.backend import Backend
from app.people.oidc import Oidc
from app.people.people import People
from app.trail.trail import MemoryTrail, Trail
from app.web import api, audited, guard, limits, masked, pages, problems, security, standby
from app.web.api import reference
from app.web.context import BACKEND, CLOCK, SETTINGS, WebSettings
from app.web.held import HELD, HeldFiles
from app.web.live import HUB, Hub
from app.web.look import LOOK, Look
from app.web.metrics import TRAFFIC, Traffic
from app.web.pages import shell
from app.web.people import OIDC, PEOPLE
from app.web.problems import ProblemError
from app.web.routes import Handler
from app.web.watches import WATCHES, Watches
from domain.clock import Clock
from domain.errors import SluiceError

log = logging.getLogger(__name__)
STATIC = Path(__file__).parent / "static"
STATIC_CACHE = "public, max-age=31536000, immutable"  # addresses carry a digest of the content


def make_web(
    backend: Backend,
    settings: WebSettings,
    clock: Clock,
    people: People | None = None,
    trail: Trail | None = None,
    oidc: Oidc | None = None,
) -> web.Application:
    """The application, ready to be served; it starts nothing of its own before that. `people` None:
    nobody, until somebody is added. `trail` None: changes are remembered as long as it lives.

    Live pages poll `backend.overview` once a second while somebody watches. Stopping the
    application ends open streams.
    """
    app = web.Application(
        middlewares=[
            _count,
            standby.mark,
            masked.mask,
            _problems,
            limits.limit,
            guard.guard,
            audited.audit,
        ],
        client_max_size=limits.FORM_BYTES,
    )
    app[BACKEND] = backend
    app[SETTINGS] = settings
    app[CLOCK] = clock
    app[TRAFFIC] = Traffic()
    app[HUB] = Hub()
    app[WATCHES] = Watches()
    app[HELD] = HeldFiles()
    app[LOOK] = Look()
    app[PEOPLE] = people or People()
    if oidc is not None:
        app[OIDC] = oidc
    app[audited.TRAIL] = trail or MemoryTrail()
    app[shell.TEMPLATES] = lambda: shell.environment(STATIC, pages.PAGES)
    app[reference.DESCRIPTIONS] = reference.describe(api.ROUTES, settings)
    for route in api.ROUTES:
        _mount(app, route.method, route.path, route.handler)
    for page in (*pages.PAGES, *pages.BESIDE):
        for method, path, handler in page.handlers:
            _mount(app, method, path, handler)
    app.router.add_static("/static/", STATIC, append_version=False)
    app.on_response_prepare.append(security.add_headers)
    app.on_response_prepare.append(_cache_static)
    app.on_shutdown.append(_end_streams)
    app.on_cleanup.append(_let_files_go)
    return app


def _mount(app: web.Application, method: str, path: str, handler: Handler) -> None:
    if method == "GET":
        app.router.add_get(path, handler, allow_head=True)
    else:
        app.router.add_route(method, path, handler)


async def _end_streams(app: web.Application) -> None:
    app[HUB].close()


async def _let_files_go(app: web.Application) -> None:
    app[HELD].close()


async def _cache_static(request: web.Request, response: web.StreamResponse) -> None:
    if request.path.startswith("/static/") and response.status in (200, 304):
        named_by_content = "v" in request.query
        response.headers["Cache-Control"] = STATIC_CACHE if named_by_content else "no-cache"


@web.middleware
async def _count(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Counts answers by route for /metrics; process time, not the product's clock."""
    started = time.monotonic()
    status = 500
    try:
        response = await handler(request)
        status = response.status
        return response
    finally:
        resource = request.match_info.route.resource
        path = resource.canonical if resource is not None else "unknown"
        request.app[TRAFFIC].add(request.method, path, status, time.monotonic() - started)


@web.middleware
async def _problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turns errors into problem documents, or into pages where a person looks at them."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        problem = problems.problem_of(error)
    except SluiceError as error:
        problem = problems.problem_of(error)
    except Exception:
        # The log has the traceback, the client learns that it is not its fault.
        log.exception("%s %s failed", request.method, request.path)
        problem = ProblemError(
            500,
            "internal",
            "This is a fault of the product. What you sent may or may not have taken effect; "
            "the worker's log says more.",
        )
    if guard.wants_page(request):
        return await shell.problem_page(request, problem)
    return problems.response(problem)
