"""Configuration: every document in force, its versions, who changed it and what was refused."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode

from aiohttp import web

from app.shapes import DocumentVersion
from app.web.api.document_reads import no_document, path_of
from app.web.context import BACKEND, CLOCK
from app.web.documents_shown import fires_of, yaml_of
from app.web.pages import apply_document, preview_history, remove_document
from app.web.pages.shell import Context, Page, View
from app.web.problems import bad_parameter
from config.documents.diff import diff

REFUSED_ROWS = 10


async def build_list(request: web.Request) -> Context:
    """The documents in force and the latest refused ones."""
    backend = request.app[BACKEND]
    kind = request.query.get("kind", "")
    everything = await backend.documents()
    refused = await backend.dead_letters({"reason": "refused_document"}, REFUSED_ROWS, None)
    return {
        "documents": [item for item in everything if kind in ("", item.kind)],
        "kinds": sorted({item.kind for item in everything}),
        "kind": kind,
        "refused": refused,
        "link": link,
    }


def link(item: DocumentVersion) -> str:
    """The page of a document."""
    return f"/configuration/{quote(item.kind, safe='')}/{quote(item.name, safe='')}"


async def build_one(request: web.Request) -> Context:
    """A document: its text, its versions with what each changed, its next fire times."""
    backend = request.app[BACKEND]
    kind, name = path_of(request)
    versions = await backend.versions(kind, name)
    if not versions:
        raise no_document(kind, name)
    shown = _chosen(request, versions)
    before = next((item for item in versions if item.version < shown.version), None)
    latest = versions[0]
    body = latest.body
    return {
        "kind": kind,
        "name": name,
        "latest": latest,
        "versions": versions,
        "shown": shown,
        "before": before,
        "text": yaml_of(shown.body) if shown.body is not None else "",
        "changes": _changes(before, shown),
        "status": await backend.document_status(kind, name),
        "fires": fires_of(body, request.app[CLOCK].now_ms()) if body is not None else None,
        "totals": await _totals(request, kind, name),
        "removal": None,
        "done": request.query.get("done", ""),
        "edit": f"/configuration/apply?{urlencode({'kind': kind, 'name': name})}",
        "here": link(latest),
    }


def _chosen(request: web.Request, versions: Sequence[DocumentVersion]) -> DocumentVersion:
    text = request.query.get("version")
    if text is None:
        return versions[0]
    found = next((item for item in versions if str(item.version) == text), None)
    if found is None:
        raise bad_parameter("version", text, f"a version from 1 to {versions[0].version}")
    return found


def _changes(before: DocumentVersion | None, shown: DocumentVersion) -> Sequence[Mapping[str, Any]]:
    if before is None:
        return ()
    return [apply_document.change_shown(c) for c in diff(before.body, shown.body)]


async def _totals(request: web.Request, kind: str, name: str) -> object:
    found = await request.app[BACKEND].totals(name) if kind == "aggregator" else ()
    return found[0] if found else None


async def post_remove(request: web.Request) -> web.StreamResponse:
    """Says what removing would do, then removes."""
    return await remove_document.post(request, PAGE, build_one)


async def post_apply(request: web.Request) -> web.StreamResponse:
    """Checks, tries or applies the document of the form."""
    return await apply_document.post(request, PAGE)


PAGE = Page(
    "Configuration",
    "n",
    (
        View(
            "/configuration",
            "configuration.html",
            build_list,
            ("answer", "documents", "refused"),
            5,
        ),
        View("/configuration/apply", "apply.html", apply_document.build),
        View(
            "/configuration/preview/{id}",
            "preview.html",
            preview_history.build,
            ("answer", "result"),
            1,
        ),
        View("/configuration/{kind}/{name}", "document.html", build_one, ("status",), 2),
    ),
    (
        ("/configuration/apply", post_apply),
        ("/configuration/preview/{id}/stop", preview_history.stop),
        ("/configuration/{kind}/{name}/remove", post_remove),
    ),
)
