"""The descriptions of the HTTP interface and of the topics, made from the code."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Final

from aiohttp import web

from app.web import asyncapi, openapi
from app.web.context import WebSettings
from app.web.routes import JSON, Answer, Route
from app.web.wire import dumps
from config.names import Names

# path -> makes the description's JSON
DESCRIPTIONS: Final = web.AppKey[Mapping[str, Callable[[], bytes]]]("descriptions")


def describe(routes: Sequence[Route], settings: WebSettings) -> Mapping[str, Callable[[], bytes]]:
    """Both descriptions; each is made once, for the first who asks for it."""
    names = Names(settings.app_id, settings.topic_prefix)
    return {
        "/api/openapi.json": cache(lambda: dumps(openapi.build(routes))),
        "/api/asyncapi.json": cache(lambda: dumps(asyncapi.build(names))),
    }


async def get_description(request: web.Request) -> web.StreamResponse:
    """The description that lives at this address."""
    return web.Response(body=request.app[DESCRIPTIONS][request.path](), content_type=JSON)


ROUTES = (
    Route(
        "GET",
        "/api/openapi.json",
        get_description,
        "This description (OpenAPI 3.1)",
        "Reference",
        {200: Answer("the description", media=JSON)},
    ),
    Route(
        "GET",
        "/api/asyncapi.json",
        get_description,
        "The description of the topics (AsyncAPI 3.0)",
        "Reference",
        {200: Answer("the description", media=JSON)},
    ),
)
