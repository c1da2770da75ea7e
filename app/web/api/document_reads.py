"""Reading configuration over HTTP: documents in force, their versions and how far they are."""

from collections.abc import Sequence
from typing import Any

import msgspec
from aiohttp import web

from app.shapes import DocumentVersion
from app.web import params
from app.web.context import BACKEND
from app.web.listing import page_of
from app.web.problems import not_found
from app.web.routes import CURSOR, LIMIT, Answer, Param, Route, in_path
from app.web.wire import answer, exact, instant

KIND = in_path("kind", "the document's kind, such as aggregator")
NAME = in_path("name", "the document's name")


class DocumentOut(msgspec.Struct, omit_defaults=True):
    """A version of a document. `document` null: this version removed it. `out_of_service`: why it
    can't be followed, though it is in force; there only then.
    """

    kind: str
    name: str
    version: int
    document: Any
    at: str
    actor: str
    reason: str
    example: bool
    out_of_service: str = ""


class DocumentsOut(msgspec.Struct):
    """A list of documents, or of the versions of one."""

    items: list[DocumentOut]
    next: str | None


class WorkerVersion(msgspec.Struct):
    """The version a worker has in force, 0 for none."""

    worker: str
    version: int


class StatusOut(msgspec.Struct):
    """`version` is the latest; `in_force` when every live worker has it."""

    version: int
    in_force: bool
    workers: list[WorkerVersion]


def shown(version: DocumentVersion) -> DocumentOut:
    """A version as the API prints it."""
    return DocumentOut(
        version.kind,
        version.name,
        version.version,
        exact(version.body),
        instant(version.at_ms) or "",
        version.actor,
        version.reason,
        version.example,
        version.out_of_service,
    )


async def list_documents(request: web.Request) -> web.StreamResponse:
    """The documents in force, by kind and name."""
    found = await request.app[BACKEND].documents(request.query.get("kind"))
    return _page(request, found, lambda item: f"{item.kind}/{item.name}")


async def get_document(request: web.Request) -> web.StreamResponse:
    """The document in force."""
    kind, name = path_of(request)
    found = await request.app[BACKEND].document(kind, name)
    if found is None:
        raise no_document(kind, name)
    return answer(shown(found))


async def list_versions(request: web.Request) -> web.StreamResponse:
    """All versions, the newest first."""
    kind, name = path_of(request)
    found = await request.app[BACKEND].versions(kind, name)
    if not found:
        raise no_document(kind, name)
    return _page(request, found, lambda item: str(item.version))


async def get_status(request: web.Request) -> web.StreamResponse:
    """How far the latest version has come."""
    kind, name = path_of(request)
    status = await request.app[BACKEND].document_status(kind, name)
    if status is None:
        raise no_document(kind, name)
    workers = [WorkerVersion(worker, version) for worker, version in status.workers.items()]
    return answer(StatusOut(status.version, status.in_force, workers))


def path_of(request: web.Request) -> tuple[str, str]:
    """(kind, name) of the address."""
    return request.match_info["kind"], request.match_info["name"]


def no_document(kind: str, name: str) -> Exception:
    """404 for a document."""
    return not_found(f"document {kind}/{name} in force", "GET /api/documents lists all.")


def _page(request: web.Request, found: Sequence[DocumentVersion], key: Any) -> web.StreamResponse:
    page = page_of(found, key, params.limit(request), params.cursor(request))
    return answer(DocumentsOut([shown(item) for item in page.items], page.next))


_NONE = {404: "there is no such document"}

ROUTES = (
    Route(
        "GET",
        "/api/documents",
        list_documents,
        "Lists the documents in force",
        "Configuration",
        {200: Answer("documents by kind and name", DocumentsOut)},
        (Param("kind", "only documents of this kind"), LIMIT, CURSOR),
    ),
    Route(
        "GET",
        "/api/configuration",
        list_documents,
        "The Configuration page as JSON: the documents in force",
        "Pages",
        {200: Answer("documents by kind and name", DocumentsOut)},
        (Param("kind", "only documents of this kind"), LIMIT, CURSOR),
    ),
    Route(
        "GET",
        "/api/documents/{kind}/{name}",
        get_document,
        "Shows the document in force",
        "Configuration",
        {200: Answer("the document with who changed it, when and why", DocumentOut)},
        (KIND, NAME),
        problems=_NONE,
    ),
    Route(
        "GET",
        "/api/documents/{kind}/{name}/versions",
        list_versions,
        "Lists the versions of a document, the newest first",
        "Configuration",
        {200: Answer("the versions, removals too", DocumentsOut)},
        (KIND, NAME, LIMIT, CURSOR),
        problems=_NONE,
    ),
    Route(
        "GET",
        "/api/documents/{kind}/{name}/status",
        get_status,
        "Tells how far the latest version of a document has come",
        "Configuration",
        {200: Answer("the version and who has it in force", StatusOut)},
        (KIND, NAME),
        problems={404: "there is no such document, or its removal is in force everywhere"},
    ),
)
