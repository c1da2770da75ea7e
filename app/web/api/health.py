"""Is it alive, can it serve, how is it doing: for supervisors and Prometheus."""

import msgspec
from aiohttp import web

from app.web.context import BACKEND
from app.web.metrics import TRAFFIC, exposition
from app.web.people import LOCAL, person_of
from app.web.problems import ProblemError
from app.web.routes import Answer, Route
from app.web.security import from_loopback
from app.web.wire import answer


class Live(msgspec.Struct):
    """The process answers."""

    live: bool


class Ready(msgspec.Struct):
    """Whether it can serve, with a sentence for each reason why not."""

    ready: bool
    reasons: list[str]


async def get_live(request: web.Request) -> web.StreamResponse:
    """Answers as long as the event loop runs."""
    return answer(Live(live=True))


async def get_ready(request: web.Request) -> web.StreamResponse:
    """200 when it can serve, else 503 with reasons."""
    found = await request.app[BACKEND].ready()
    return answer(Ready(found.ready, list(found.reasons)), status=200 if found.ready else 503)


async def get_metrics(request: web.Request) -> web.StreamResponse:
    """All metrics in Prometheus's text format: by a token, or from this machine."""
    if person_of(request) in (None, LOCAL) and not from_loopback(request):
        raise ProblemError(
            403,
            "forbidden",
            "From other machines, metrics need a token: `sluice tokens create NAME --role viewer`.",
        )
    samples = [*await request.app[BACKEND].metrics(), *request.app[TRAFFIC].samples()]
    return web.Response(
        body=exposition(samples).encode(),
        headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"},
    )


ROUTES = (
    Route(
        "GET",
        "/health/live",
        get_live,
        "Answers while the process lives",
        "Health",
        {200: Answer("it lives", Live)},
    ),
    Route(
        "GET",
        "/health/ready",
        get_ready,
        "Tells whether this worker can serve",
        "Health",
        {200: Answer("it can serve", Ready), 503: Answer("it can't, with reasons", Ready)},
    ),
    Route(
        "GET",
        "/metrics",
        get_metrics,
        "Metrics for Prometheus",
        "Health",
        {200: Answer("metrics in the text format", media="text/plain")},
        problems={403: "asked from another machine without a token"},
    ),
)
