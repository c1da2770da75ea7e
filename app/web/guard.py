"""Looks at every request before its handler does: where it comes from, who asks, and whether they
may.
"""

from urllib.parse import urlencode

from aiohttp import web

from app.web import roles, security
from app.web.people import PERSON, identify, unauthorized
from app.web.problems import ProblemError
from app.web.routes import Handler

MACHINES = ("/api/", "/health/", "/metrics", "/static/", "/internal/")
"""Beginnings of the addresses that programs ask for."""


@web.middleware
async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Raises ProblemError (401, 403, 421) instead of calling the handler; leads a person who hasn't
    signed in to where they can.
    """
    security.check(request)
    resource = request.match_info.route.resource
    wanted = roles.needed(request.method, resource.canonical if resource is not None else "")
    person = await identify(request)
    if person is not None:
        request[PERSON] = person
    if wanted == "open":
        return await handler(request)
    if person is None:
        if request.method in security.SAFE and _is_page(request):
            raise web.HTTPSeeOther(f"/login?{urlencode({'next': request.path_qs})}")
        raise unauthorized(
            "Sign in at /login, or send a token: Authorization: Bearer …, made by "
            "`sluice tokens create`."
        )
    security.check_change(request)
    if not roles.is_enough(person.role, wanted):
        raise ProblemError(
            403,
            "forbidden",
            f"{person.name} is {person.role}, and this needs {wanted}. An admin can change that.",
        )
    return await handler(request)


def wants_page(request: web.Request) -> bool:
    """Whether an error is for a person: outside the API, from somebody who takes HTML."""
    accepts = request.headers.get("Accept", "text/html")
    return not request.path.startswith(MACHINES) and "text/html" in accepts


def _is_page(request: web.Request) -> bool:
    """Whether a page was asked for, by whatever program; not what keeps one current."""
    streams = "text/event-stream" in request.headers.get("Accept", "")
    return not request.path.startswith(MACHINES) and not streams
