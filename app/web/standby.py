"""Answers that standby copies had a part in say how old they are: a header, and a field of JSON.

An answer without them is the owners', as of their last commits.
"""

import msgspec
from aiohttp import web

from app import aged
from app.web.routes import Handler

HEADER = "X-Sluice-Standby-Age"
"""Seconds since the state was complete that the oldest part of the answer is from."""
StandbyAge = float | msgspec.UnsetType


def standby_age() -> StandbyAge:
    """The age of the answer that is being made, UNSET when it is the owners'."""
    found = aged.age_s()
    return msgspec.UNSET if found is None else found


@web.middleware
async def mark(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Sets the header; what tells that something is not there has it, too."""
    with aged.noted():
        response = await handler(request)
        found = aged.age_s()
    if found is not None and not response.prepared:
        response.headers[HEADER] = f"{found:.1f}"
        response.headers["Cache-Control"] = "no-store"
    return response
