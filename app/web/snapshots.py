"""What a change is about, as it is at the moment: for the trail, before and after it."""

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from app.web.context import BACKEND
from app.web.people import PEOPLE
from app.web.problems import AWAY
from app.web.wire import exact

SESSIONS_SHOWN = 20  # of those that a command is for


async def of(request: web.Request, route: str, fields: Mapping[str, Any]) -> Any:
    """Plain data, None where there is nothing or it can't be told now: a change doesn't wait for
    its trail to be pretty.
    """
    try:
        return await _of(request, route, fields)
    except AWAY:
        return None


async def _of(request: web.Request, route: str, fields: Mapping[str, Any]) -> Any:
    match, backend = request.match_info, request.app[BACKEND]
    if route.endswith(("/documents/{kind}/{name}", "/configuration/{kind}/{name}/remove")):
        document = await backend.document(match["kind"], match["name"])
        return (
            None
            if document is None
            else {"version": document.version, "document": exact(document.body)}
        )
    if route.endswith("/users/{name}") or route == "POST /api/users":
        user = request.app[PEOPLE].book.users.get(match.get("name") or str(fields.get("name")))
        return None if user is None else {"role": user.role, "rights": list(user.rights)}
    if route.endswith("/tokens/{name}") or route == "POST /api/tokens":
        token = request.app[PEOPLE].book.tokens.get(match.get("name") or str(fields.get("name")))
        return None if token is None else {"role": token.role, "rights": list(token.rights)}
    if "/campaigns/{" in route:
        return await _campaign(request, match.get("request_id") or match["id"])
    if "/do-not-call/{number}" in route:
        found = await backend.listed_not_to_call(match["number"])
        return None if found is None else dict(found)
    if "/aggregators/{name}/sessions/" in route and not route.endswith("/erase"):
        return await _sessions(request, match["name"], fields.get("group"))
    return None


async def _campaign(request: web.Request, request_id: str) -> Any:
    found = await request.app[BACKEND].campaign(request_id, None)
    if found is None:
        return None
    names = ("status", "flags", "scheduled_timestamp", "day", "counts")
    return {name: found[name] for name in names if name in found}


async def _sessions(request: web.Request, aggregator: str, group: Any) -> Any:
    if not isinstance(group, dict):
        return None
    texts = {str(name): str(value) for name, value in group.items()}
    page = await request.app[BACKEND].sessions(aggregator, texts, SESSIONS_SHOWN, None)
    if page is None:
        return None
    return {
        "sessions": [{"key": row.key, "due_ms": row.due_ms} for row in page.items],
        "more": page.next is not None,
    }
