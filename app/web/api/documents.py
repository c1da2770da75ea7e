"""Changing configuration over HTTP: a control message on topic `config` for each change."""

import msgspec
from aiohttp import web

from app.shapes import Change, Changed
from app.web import params
from app.web.api.document_reads import KIND, NAME, no_document, path_of
from app.web.bodies import named, read_document
from app.web.context import BACKEND
from app.web.people import actor_of
from app.web.problems import refused_document
from app.web.routes import IDEMPOTENCY_KEY, JSON, REASON, WAIT, Answer, Route
from app.web.wire import answer


class ChangedOut(msgspec.Struct):
    """What a change became. `in_force` is as seen when the answer was written."""

    kind: str
    name: str
    version: int
    in_force: bool


class Valid(msgspec.Struct):
    """A document that would be taken."""

    valid: bool
    errors: list[str]


async def put_document(request: web.Request) -> web.StreamResponse:
    """Applies the document in the body; answers when that is durable, or with `wait` in force."""
    kind, name = path_of(request)
    wait_s = params.wait_s(request)
    body = named(await read_document(request), kind, name)
    backend = request.app[BACKEND]
    changed = await backend.put_document(kind, name, body, _change(request), wait_s)
    return _changed(kind, name, changed)


async def delete_document(request: web.Request) -> web.StreamResponse:
    """Removes the document; its open sessions run out under its last version."""
    kind, name = path_of(request)
    wait_s = params.wait_s(request)
    backend = request.app[BACKEND]
    changed = await backend.delete_document(kind, name, _change(request), wait_s)
    if changed is None:
        raise no_document(kind, name)
    return _changed(kind, name, changed)


async def validate(request: web.Request) -> web.StreamResponse:
    """Says what is wrong with a document, changing nothing."""
    found = await request.app[BACKEND].validate(await read_document(request))
    if found:
        raise refused_document(found, {"valid": False})
    return answer(Valid(valid=True, errors=[]))


def _change(request: web.Request) -> Change:
    reason = request.query.get("reason", "")
    return Change(actor_of(request), reason, params.idempotency_key(request))


def _changed(kind: str, name: str, changed: Changed) -> web.StreamResponse:
    status = 200 if changed.in_force else 202
    return answer(ChangedOut(kind, name, changed.version, changed.in_force), status)


_ANSWERS = {
    200: Answer("the change is in force on every live worker", ChangedOut),
    202: Answer("the change is durable and comes into force", ChangedOut),
}

ROUTES = (
    Route(
        "PUT",
        "/api/documents/{kind}/{name}",
        put_document,
        "Applies a document",
        "Configuration",
        _ANSWERS,
        (KIND, NAME, WAIT, REASON, IDEMPOTENCY_KEY),
        {JSON: "the bare document"},
        {422: "the document is refused; errors[] says where and why"},
    ),
    Route(
        "DELETE",
        "/api/documents/{kind}/{name}",
        delete_document,
        "Removes a document",
        "Configuration",
        _ANSWERS,
        (KIND, NAME, WAIT, REASON, IDEMPOTENCY_KEY),
        problems={404: "there is no such document"},
    ),
    Route(
        "POST",
        "/api/documents/validate",
        validate,
        "Validates a document without applying it",
        "Configuration",
        {200: Answer("the document would be taken", Valid)},
        body={JSON: "the bare document, with kind and name"},
        problems={422: "it would be refused; errors[] says where"},
    ),
)
