"""The topics of the installation over HTTP."""

import msgspec
from aiohttp import web

from app.web.context import BACKEND
from app.web.routes import Answer, Route
from app.web.wire import answer


class TopicOut(msgspec.Struct):
    """A topic; `records` null when that is not known."""

    name: str
    partitions: int
    purpose: str
    records: int | None
    internal: bool


class TopicsOut(msgspec.Struct):
    """The topics by name."""

    items: list[TopicOut]
    next: str | None = None


async def list_topics(request: web.Request) -> web.StreamResponse:
    """Every topic of this installation."""
    found = await request.app[BACKEND].topics()
    items = [TopicOut(t.name, t.partitions, t.purpose, t.records, t.internal) for t in found]
    return answer(TopicsOut(items))


ROUTES = (
    Route(
        "GET",
        "/api/topics",
        list_topics,
        "Lists the topics",
        "Topics",
        {200: Answer("the topics by name", TopicsOut)},
    ),
)
