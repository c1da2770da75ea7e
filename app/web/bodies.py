"""Bodies of requests that carry a document."""

from collections.abc import Mapping
from typing import Any

import msgspec
from aiohttp import web
from aiohttp.http_exceptions import BadHttpMessage

from app.web.problems import ProblemError
from app.web.wire import loads
from config.documents.base import DocumentError, Problem
from config.documents.reading import parse_documents


async def read_document(request: web.Request) -> dict[str, Any]:
    """The one document of the body, JSON or YAML, numbers exact.

    Raises DocumentError for a body that can't be read or doesn't hold exactly one.
    """
    body = await request.read()
    yaml = "yaml" in request.headers.get("Content-Type", "")
    try:
        return one_document(body.decode("utf-8-sig"), "body.yaml" if yaml else "body.json")
    except UnicodeDecodeError as error:
        piece = error.object[error.start : error.end].hex()
        raise DocumentError([Problem("", piece, "UTF-8 text")]) from error


def one_document(text: str, source: str) -> dict[str, Any]:
    """The one document that the text holds. Raises DocumentError."""
    found = parse_documents(text, source)
    if len(found) > 1:
        problem = Problem("", f"{len(found)} documents", "one document at a time")
        raise DocumentError([problem], found[1][1])
    return found[0][0]


def named(body: Mapping[str, Any], kind: str, name: str) -> dict[str, Any]:
    """The body with kind and name filled in from the address.

    Raises ProblemError (422) when it says something else than the address.
    """
    errors = [
        {"path": path, "value": str(body[path]), "expected": f"{wanted!r}, as in the address"}
        for path, wanted in (("kind", kind), ("name", name))
        if path in body and body[path] != wanted
    ]
    if errors:
        raise ProblemError(
            422, "refused-document", "The document and the address name different things.", errors
        )
    return {"kind": kind, "name": name, **body}


BROKEN = (ValueError, LookupError, BadHttpMessage)
"""What aiohttp makes of a body whose text or parts can't be read."""


async def form_of(request: web.Request) -> Mapping[str, Any]:
    """The fields of a form. Raises ProblemError (400) for a body that is none."""
    try:
        return await request.post()
    except (*BROKEN, RuntimeError) as error:  # the latter of an encoding nobody knows
        raise ProblemError(400, "bad-body", f"The form can't be read: {error}.") from error


async def read_fields(request: web.Request, **wanted: Any) -> dict[str, Any]:
    """The fields of a JSON object. `wanted`: its type for one that must be there, else (type, what
    stands for it when it is left out). A list holds texts. Raises ProblemError (400, 422) with all
    that is wrong.
    """
    try:
        body = loads(await request.read())
    except msgspec.DecodeError as error:
        raise ProblemError(400, "bad-body", f"The body is no JSON: {error}.") from error
    if not isinstance(body, dict):
        raise ProblemError(400, "bad-body", f"The body is a JSON object of {', '.join(wanted)}.")
    errors = [
        {"path": name, "expected": f"one of {', '.join(wanted)}"} for name in body.keys() - wanted
    ]
    found: dict[str, Any] = {}
    for name, kind in wanted.items():
        kind, *otherwise = kind if isinstance(kind, tuple) else (kind,)
        value = body.get(name)
        if value is None and otherwise:
            found[name] = otherwise[0]
        elif isinstance(value, kind) and (
            kind is not list or all(isinstance(v, str) for v in value)
        ):
            found[name] = value
        else:
            errors.append({"path": name, "expected": _WORDS[kind]})
    if errors:
        told = "; ".join(f"{each['path']}: expected {each['expected']}" for each in errors)
        raise ProblemError(422, "bad-body", f"The body is wrong: {told}.", errors)
    return found


_WORDS = {str: "text", list: "a list of texts"}
