"""What services push to sources: `POST /hooks/{source}`."""

import msgspec
from aiohttp import web

from app.web.context import BACKEND
from app.web.problems import not_found
from app.web.routes import Answer, Param, Route, in_path
from app.web.wire import answer


class Receipt(msgspec.Struct):
    """What became of a delivery: taken, repeated, or ping."""

    receipt: str


async def post_hook(request: web.Request) -> web.StreamResponse:
    """Takes a delivery; answers once it is durable."""
    name = request.match_info["source"]
    body = await request.read()
    receipt = await request.app[BACKEND].receive_hook(name, request.headers, body)
    if receipt is None:
        raise not_found(f"source {name!r} that is pushed to")
    return answer(Receipt(receipt), status=202 if receipt == "taken" else 200)


ROUTES = (
    Route(
        "POST",
        "/hooks/{source}",
        post_hook,
        "Takes what GitHub pushes to a source",
        "Metrics",
        {
            202: Answer("the delivery is durable", Receipt),
            200: Answer("a repeat of a delivery of the last 30 days, or a ping", Receipt),
        },
        (
            in_path("source", "the name of a source with connector github_webhook"),
            Param("X-Hub-Signature-256", "sha256= and the HMAC of the body", where="header"),
            Param("X-GitHub-Delivery", "the delivery's id", where="header"),
            Param("X-GitHub-Event", "what happened", where="header"),
        ),
        {"application/json": "the event as GitHub sends it"},
        {
            400: "no JSON object, or a header is missing",
            401: "not signed with a secret of the source",
            404: "there is no such source, or it is not pushed to",
            413: "the delivery is larger than a record may be",
            503: "the stream does not answer, or the secret is not set here",
        },
    ),
)
