"""The topics of the installation over HTTP."""

import msgspec
from aiohttp import web

from app.shapes import TopicInfo
from app.web.context import BACKEND
from app.web.problems import bad_parameter
from app.web.routes import Answer, Param, Route
from app.web.wire import answer


class TopicOut(msgspec.Struct, omit_defaults=True):
    """A topic; `records` null when that is not known. `config`: how it is set, where that was asked
    for.
    """

    name: str
    partitions: int
    purpose: str
    records: int | None
    internal: bool
    config: dict[str, str] | None = None


class TopicsOut(msgspec.Struct):
    """The topics by name."""

    items: list[TopicOut]
    next: str | None = None


async def list_topics(request: web.Request) -> web.StreamResponse:
    """Every topic of this installation."""
    asked = request.query.get("config", "false")
    if asked not in ("true", "false"):
        raise bad_parameter("config", asked, "true or false")
    found = await request.app[BACKEND].topics(asked == "true")
    return answer(TopicsOut([_shown(topic) for topic in found]))


def _shown(topic: TopicInfo) -> TopicOut:
    config = None if topic.config is None else dict(topic.config)
    return TopicOut(
        topic.name, topic.partitions, topic.purpose, topic.records, topic.internal, config
    )


ROUTES = (
    Route(
        "GET",
        "/api/topics",
        list_topics,
        "Lists the topics",
        "Topics",
        {200: Answer("the topics by name", TopicsOut)},
        (Param("config", "true: also how each is set; left out: false"),),
        problems={400: "a parameter is wrong"},
    ),
)
