"""Records in over HTTP: `POST /api/topics/{topic}/records`."""

from hashlib import blake2b

import msgspec
from aiohttp import web

from app.shapes import Idempotency
from app.web import ingest, params
from app.web.context import BACKEND, SETTINGS
from app.web.people import person_of
from app.web.problems import ProblemError
from app.web.routes import IDEMPOTENCY_KEY, Answer, Param, Route, in_path
from app.web.wire import answer
from app.web.written import is_written
from config.names import Names
from connectors.streams.base import Row


class RejectedRecord(msgspec.Struct):
    """A record that was not taken. `index` counts the records of the request from 0."""

    index: int
    reason: str
    detail: str


class Accepted(msgspec.Struct):
    """How many records the stream has durably, and those that were turned away at the door."""

    accepted: int
    rejected: list[RejectedRecord]


async def post_records(request: web.Request) -> web.StreamResponse:
    """Appends the records of the body; answers once the stream has them durably."""
    topic = request.match_info["topic"]
    settings = request.app[SETTINGS]
    if Names(settings.app_id, settings.topic_prefix).is_internal(topic):
        raise ProblemError(403, "internal-topic", f"Topic {topic} is written by workers only.")
    _check_role(request, topic)
    body = await request.read()
    keys = request.query.getall("key", [])
    form = ingest.form_of(_media_type(request), request.headers)
    limit_bytes = settings.max_record_bytes
    intake = ingest.take(body, form, request.headers, keys, topic, limit_bytes)
    if intake.single and intake.turned and intake.turned[0].reason == "too_large":
        detail = intake.turned[0].detail
        raise ProblemError(413, "too-large", f"The record has {detail}.", [{"path": ""}])
    key = params.idempotency_key(request)
    idempotency = None
    if key is not None:
        idempotency = Idempotency(key, _fingerprint(topic, form, keys, intake))
    rows: list[Row] = [(taken.key, taken.value, None, taken.headers) for taken in intake.taken]
    accepted = 0
    if rows:
        appended = await request.app[BACKEND].append_records(topic, rows, idempotency)
        accepted = appended.accepted
    rejected = [RejectedRecord(t.index, t.reason, t.detail) for t in intake.turned]
    return answer(Accepted(accepted, rejected), status=202)


def _check_role(request: web.Request, topic: str) -> None:
    """What decides, and what the product itself tells, is an admin's to write: with a document or a
    forged letter an operator would be one. Raises ProblemError (403).
    """
    person = person_of(request)
    if person is not None and person.role != "admin" and is_written(request.app[BACKEND], topic):
        raise ProblemError(
            403, "forbidden", f"Topic {topic} is written by the product and by admins only."
        )


def _media_type(request: web.Request) -> str:
    return request.headers.get("Content-Type", "").partition(";")[0].strip().lower()


def _fingerprint(topic: str, form: str, keys: list[str], intake: ingest.Intake) -> str:
    """A digest of what the request asks for; a repeat of it has the same."""
    digest = blake2b(repr((topic, form, keys)).encode(), digest_size=16)
    for taken in intake.taken:
        digest.update(b"%d:" % len(taken.value) + taken.value)
    for turned in intake.turned:
        digest.update(repr(turned).encode())
    return digest.hexdigest()


ROUTES = (
    Route(
        "POST",
        "/api/topics/{topic}/records",
        post_records,
        "Appends records to a topic",
        "Topics",
        {202: Answer("the stream has the accepted records durably", Accepted)},
        (
            in_path("topic", "the topic's name"),
            Param(
                "key",
                "path of the value that becomes the record's key; several make a JSON array",
                repeated=True,
            ),
            IDEMPOTENCY_KEY,
        ),
        {
            "application/json": "one record, or an array of records",
            "application/x-ndjson": "a record a line",
            "application/cloudevents+json": "one structured CloudEvent",
            "application/cloudevents-batch+json": "an array of structured CloudEvents",
            "application/octet-stream": "one record, taken byte by byte as it is",
        },
        {
            403: "the topic is one of the product's own",
            404: "there is no such topic",
            413: "the one record is larger than a record may be, or the body than a request may",
            422: "the Idempotency-Key stands for another request",
            503: "the stream does not answer now",
            507: "no room on the stream's disk",
        },
    ),
)
