"""What a route of the HTTP API is: its handler and all that its description needs.

`server.py` mounts routes and `openapi.py` describes them, from the same objects. Each file of
`app/web/api` offers `ROUTES`; a new area is one file and one line in `app/web/api/__init__.py`.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
JSON = "application/json"


@dataclass(frozen=True)
class Param:
    """A parameter. `type` is what `msgspec.json.schema` makes a schema of."""

    name: str
    help: str
    where: Literal["path", "query", "header"] = "query"
    type: Any = str
    repeated: bool = False


@dataclass(frozen=True)
class Answer:
    """An answer. `type` None: no JSON of a known shape; `media` says what it is then."""

    help: str
    type: Any = None
    media: str = JSON


@dataclass(frozen=True)
class Route:
    """One method on one path, and what a client must know of it.

    `body` maps the media types it takes to a sentence about each. `problems` maps the status of
    each error of its own to when it comes.
    """

    method: Literal["GET", "POST", "PUT", "DELETE"]
    path: str
    handler: Handler
    summary: str
    tag: str
    answers: Mapping[int, Answer]
    params: tuple[Param, ...] = ()
    body: Mapping[str, str] = field(default_factory=dict)
    problems: Mapping[int, str] = field(default_factory=dict)


def in_path(name: str, help: str) -> Param:
    """A parameter that is part of the path."""
    return Param(name, help, where="path")


LIMIT = Param("limit", "how many, 1 to 1,000", type=int)
CURSOR = Param("cursor", "`next` of the answer before; left out at the beginning")
WAIT = Param(
    "wait", "seconds to wait until every live worker has it in force; 0: not at all", type=float
)
DRY_RUN = Param("dry_run", "true: say what would happen, change nothing", type=bool)
REASON = Param("reason", "why, for the audit trail")
IDEMPOTENCY_KEY = Param(
    "Idempotency-Key",
    "the same key with the same request within 24 h changes nothing again",
    where="header",
)


def route_of(request: web.Request) -> str:
    """The route that a request goes to: `PUT /api/users/{name}`."""
    resource = request.match_info.route.resource
    return f"{request.method} {resource.canonical if resource is not None else ''}"
