"""How large the body of a request may be, by route. What says that it is larger is refused before a
byte of it is read; what grows as it comes, or as it is unpacked, where it passes the limit.

Bodies are read before it is known who sent them only where everybody may send one, and there they
are small. Files go to disk by the piece, so theirs may be large.
"""

from collections.abc import AsyncIterator

from aiohttp import web

from app.web.context import SETTINGS, WebSettings
from app.web.problems import ProblemError
from app.web.routes import Handler, route_of

FORM_BYTES = 64 << 10  # a name, a password, a token and where to go then
INTERNAL_BYTES = 16 << 20  # what one worker asks another
BATCH_BYTES = 64 << 20  # of records, held in memory while they are looked through
BODY_BYTES = 4 << 20  # a document is a record of `config`; in a form it may take three times that
FORMS = frozenset({"POST /login", "POST /logout"})
HOOK = "POST /hooks/{source}"
INTERNAL = "POST /internal/{question}"
BATCH = "POST /api/topics/{topic}/records"
FILES = frozenset(
    {
        "POST /api/campaigns",
        "POST /api/campaigns/{request_id}/negatives",
        "POST /api/do-not-call",
        "POST /campaigns/upload",
        "POST /campaigns/{id}/negatives",
        "POST /do-not-call",
    }
)
"""Routes that put a file on disk as it comes."""


def limit_of(route: str, settings: WebSettings) -> int:
    """The largest body of a route, in bytes, unpacked."""
    if route in FORMS:
        return FORM_BYTES
    if route == HOOK:
        return settings.max_record_bytes
    if route == INTERNAL:
        return INTERNAL_BYTES
    if route == BATCH:
        return max(BATCH_BYTES, 2 * settings.max_record_bytes)
    if route in FILES:
        return settings.max_upload_bytes
    return max(BODY_BYTES, 4 * settings.max_record_bytes)


@web.middleware
async def limit(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Raises ProblemError (413) instead of calling the handler."""
    most = most_of(request)
    said = request.content_length
    if said is not None and said > most:
        raise too_large(most)
    # aiohttp 3.14 has one limit for an application, and a request's own is private; a clone of the
    # request would have it too, but is another visitor to what the answer's headers are made from
    request._client_max_size = FORM_BYTES if route_of(request) in FILES else most
    return await handler(request)


def most_of(request: web.Request) -> int:
    """The limit of the request's route."""
    return limit_of(route_of(request), request.app[SETTINGS])


async def counted(request: web.Request, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The pieces of a file, up to the limit of the route. Raises ProblemError (413)."""
    most, found = most_of(request), 0
    async for piece in pieces:
        found += len(piece)
        if found > most:
            raise too_large(most)
        yield piece


def too_large(most: int) -> ProblemError:
    """413, with how much would be right."""
    return ProblemError(
        413, "too-large", f"The body is larger than {most:,} bytes, which this address takes."
    )
