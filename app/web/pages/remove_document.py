"""Removing a document: says what that does first, and wants a reason."""

from aiohttp import web

from app.shapes import Change
from app.web.api.document_reads import no_document, path_of
from app.web.context import BACKEND
from app.web.pages.shell import Build, Page, render, see_other
from app.web.people import actor_of

WAIT_S = 5.0  # as for applying


async def post(request: web.Request, page: Page, build_one: Build) -> web.StreamResponse:
    """The document's page with what removing does, or with `do=remove` and a reason the deed."""
    kind, name = path_of(request)
    fields = await request.post()
    reason = str(fields.get("reason", "")).strip()
    if fields.get("do") == "remove" and reason:
        change = Change(actor_of(request), reason)
        if await request.app[BACKEND].delete_document(kind, name, change, WAIT_S) is None:
            raise no_document(kind, name)
        return see_other("/configuration")
    context = await build_one(request)
    missing = fields.get("do") == "remove"
    context["removal"] = {"missing_reason": missing}
    return await render(request, page, "document.html", context, 422 if missing else 200)
