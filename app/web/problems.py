"""Problem documents (RFC 9457): every error of the HTTP interface in one shape."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus

from aiohttp import web

from app.alert_shapes import DigestRefused
from app.backend import BadCursor, FlushNotFound, IdempotencyConflict, Unavailable
from app.campaign_shapes import RefusedAction, RefusedChange, RefusedFile, RefusedUpload
from app.people.errors import BadPerson, NoSuchPerson, NotNow, TooManyTries, WrongPassword
from app.people.oidc import OidcRefused
from app.source_shapes import BadDelivery, BadSignature, FetchRefused
from app.web.wire import dumps
from config.documents.base import DocumentError, Problem
from connectors.files.base import FilesUnavailable
from connectors.stores.base import StoreUnavailable
from connectors.streams.base import (
    DiskFull,
    MissingKey,
    RecordTooLarge,
    StreamUnavailable,
    UnknownTopic,
)
from domain.errors import SluiceError, Unreachable
from tables.out_of_service import OutOfService

TYPE = "urn:sluice:problem:"
# Something that must be asked is away and comes back by itself.
AWAY = (Unavailable, StreamUnavailable, StoreUnavailable, FilesUnavailable, Unreachable)


class ProblemError(SluiceError):
    """Ends a request with a problem document.

    `code` names the kind of problem (the last part of its `type`), `detail` is a sentence for
    people, `errors` say where in the request: each has a `path`, and more as it fits.
    """

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        errors: Sequence[Mapping[str, object]] = (),
        headers: Mapping[str, str] | None = None,
        more: Mapping[str, object] | None = None,
    ) -> None:
        self.status = status
        self.code = code
        self.detail = detail
        self.errors = list(errors)
        self.headers = dict(headers or {})
        self.more = dict(more or {})
        super().__init__(detail)

    def body(self) -> dict[str, object]:
        """The document's members."""
        return {
            "type": TYPE + self.code,
            "title": self.code.replace("-", " ").capitalize(),
            "status": self.status,
            "detail": self.detail,
            "errors": self.errors,
            **self.more,
        }


def not_found(what: str, advice: str = "") -> ProblemError:
    """404: there is no `what` (a noun phrase)."""
    return ProblemError(404, "not-found", f"There is no {what}.{' ' if advice else ''}{advice}")


def bad_parameter(name: str, value: object, expected: str) -> ProblemError:
    """400: a parameter of the address is not what it can be."""
    return ProblemError(
        400,
        "bad-parameter",
        f"{name}={value!r} is not {expected}.",
        [{"path": name, "value": value, "expected": expected}],
    )


def refused_document(
    problems: Sequence[Problem], more: Mapping[str, object] | None = None
) -> ProblemError:
    """422: a document with all that is wrong in it."""
    errors = [problem.as_json() for problem in problems]
    count = "one problem" if len(errors) == 1 else f"{len(errors)} problems"
    return ProblemError(
        422,
        "refused-document",
        f"The document has {count}; nothing was changed.",
        errors,
        more=more,
    )


def problem_of(error: SluiceError | web.HTTPException) -> ProblemError:
    """The problem document an error becomes."""
    if isinstance(error, ProblemError):
        return error
    if isinstance(error, web.HTTPException):
        return _of_http(error)
    if isinstance(error, DocumentError):
        return refused_document(error.problems)
    if isinstance(error, RefusedUpload):
        errors = [mistake.as_json() for mistake in error.mistakes]
        return ProblemError(422, "refused-upload", _sentence(error), errors)
    if isinstance(error, RefusedChange):
        errors = [mistake.as_json() for mistake in error.mistakes]
        return ProblemError(422, "bad-body", _sentence(error), errors)
    if isinstance(error, RefusedFile):
        return ProblemError(415, "refused-file", _sentence(error), [{"path": "file"}])
    if isinstance(error, RefusedAction):
        return ProblemError(409, "refused-action", _sentence(error), more=error.more())
    if isinstance(error, FetchRefused):
        return ProblemError(422, "refused-fetch", _sentence(error))
    if isinstance(error, DigestRefused):
        return ProblemError(409, "refused-digest", _sentence(error))
    if isinstance(error, BadSignature):
        return ProblemError(401, "bad-signature", _sentence(error))
    if isinstance(error, BadDelivery):
        return ProblemError(400, "bad-body", _sentence(error))
    if isinstance(error, BadPerson):
        at = {"path": error.path, "expected": error.expected}
        return ProblemError(422, "bad-body", _sentence(error), [at])
    if isinstance(error, NoSuchPerson):
        return ProblemError(404, "not-found", _sentence(error))
    if isinstance(error, NotNow):
        return ProblemError(409, "conflict", _sentence(error))
    if isinstance(error, WrongPassword):
        return ProblemError(403, "wrong-password", _sentence(error))
    if isinstance(error, OidcRefused):
        return ProblemError(403, "sign-in-refused", _sentence(error))
    if isinstance(error, TooManyTries):
        retry = {"Retry-After": str(error.retry_after_s)}
        return ProblemError(429, "too-many-tries", _sentence(error), headers=retry)
    if isinstance(error, UnknownTopic):
        return ProblemError(404, "unknown-topic", _sentence(error))
    if isinstance(error, FlushNotFound):
        return ProblemError(404, "not-found", _sentence(error))
    if isinstance(error, RecordTooLarge):
        return ProblemError(413, "too-large", _sentence(error))
    if isinstance(error, MissingKey):
        return ProblemError(422, "missing-key", _sentence(error), [{"path": "key"}])
    if isinstance(error, BadCursor):
        return ProblemError(400, "bad-cursor", _sentence(error), [{"path": "cursor"}])
    if isinstance(error, IdempotencyConflict):
        return ProblemError(
            422, "idempotency-conflict", _sentence(error), [{"path": "Idempotency-Key"}]
        )
    if isinstance(error, DiskFull):
        return ProblemError(507, "disk-full", _sentence(error))
    if isinstance(error, Unavailable):
        retry = {"Retry-After": str(error.retry_after_s)}
        return ProblemError(503, "unavailable", _sentence(error), headers=retry)
    if isinstance(error, OutOfService):
        return ProblemError(503, "out-of-service", _sentence(error))
    if isinstance(error, AWAY):
        return ProblemError(503, "unavailable", _sentence(error), headers={"Retry-After": "2"})
    return ProblemError(500, "internal", _sentence(error))


def _of_http(error: web.HTTPException) -> ProblemError:
    if error.status == 404:
        return ProblemError(
            404, "not-found", "Nothing lives at this address; GET /api/openapi.json lists all."
        )
    if error.status == 405:
        allowed = error.headers.get("Allow", "")
        return ProblemError(
            405,
            "method-not-allowed",
            f"This address takes {allowed.replace(',', ', ')}.",
            headers={"Allow": allowed},
        )
    if error.status == 413:
        return ProblemError(413, "too-large", "The body is larger than what one request may hold.")
    phrase = HTTPStatus(error.status).phrase
    return ProblemError(error.status, phrase.lower().replace(" ", "-"), error.text or phrase)


def _sentence(error: SluiceError) -> str:
    text = str(error)
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")


def response(problem: ProblemError) -> web.Response:
    """The answer that carries the document."""
    return web.Response(
        status=problem.status,
        body=dumps(problem.body()),
        headers=problem.headers,
        content_type="application/problem+json",
    )
