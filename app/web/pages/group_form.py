"""Forms about one group of an aggregator: what they begin with."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

from aiohttp import web

from app.literals import literal
from app.web.api.aggregators import GROUP
from app.web.context import BACKEND
from app.web.documents_shown import group_fields
from app.web.pages.shell import Context
from app.web.problems import not_found


async def group_form(request: web.Request, query: Mapping[str, str]) -> Context:
    """The aggregator, its group fields with the values of the address, and an empty reason. Raises
    ProblemError (404).
    """
    name = query.get("aggregator", "")
    document = await request.app[BACKEND].document("aggregator", name)
    if document is None:
        raise not_found(f"aggregator {name!r}", "Configuration lists those in force.")
    body: Mapping[str, Any] = document.body or {}
    given = {key.removeprefix(GROUP): text for key, text in query.items() if key.startswith(GROUP)}
    fields = group_fields(body) or list(given)
    periods = (body.get("group") or {}).get("periods") or ()
    return {
        "name": name,
        "back": f"/sessions?{urlencode({'aggregator': name})}",
        "texts": {field: given.get(field, "") for field in fields},
        "labels": {str(period["field"]) for period in periods},
        "once": uuid4().hex,
        "reason": "",
        "missing_reason": False,
        "done": query.get("done", ""),
    }


def group_given(context: Context) -> dict[str, object]:
    """The group values that narrow it; a period's label is text whatever it looks like."""
    found: dict[str, object] = {}
    for field, text in context["texts"].items():
        value = literal(text)
        is_label = field in context["labels"] and not isinstance(value, str)
        if text:
            found[field] = text if is_label else value
    return found
