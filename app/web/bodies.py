"""Bodies of requests that carry a document."""

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from app.web.problems import ProblemError
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
