"""Who a request is from. Without users set up that is whoever sits at this machine."""

from aiohttp import web

LOCAL = "local"


def actor_of(request: web.Request) -> str:
    """The name that changes by this request are recorded under."""
    return LOCAL
