"""Rollups made again from the archive, over HTTP."""

from dataclasses import asdict

import msgspec
from aiohttp import web

from app.web import params
from app.web.context import BACKEND
from app.web.problems import not_found
from app.web.routes import Answer, Param, Route, in_path
from app.web.wire import answer


class RebuildOut(msgspec.Struct):
    """A rebuild that was asked for. `state`: running, done or failed; `records` are in the archive,
    each key once; `changed` of them gave something else before; `dropped` are those that the
    archive does not have; `told` counts buckets that differ."""

    id: str
    source: str
    state: str
    detail: str
    records: int
    changed: int
    dropped: int
    told: int


async def post_rebuild(request: web.Request) -> web.StreamResponse:
    """Begins."""
    name = request.match_info["name"]
    found = await request.app[BACKEND].rebuild_source(name)
    if found is None:
        raise not_found(f"source {name!r}", "GET /api/metrics/sources lists all.")
    return answer(RebuildOut(**asdict(found)), status=202)


async def get_rebuild(request: web.Request) -> web.StreamResponse:
    """How it is doing."""
    name, rebuild_id = request.match_info["name"], request.match_info["id"]
    wait_s = params.wait_s(request)
    found = await request.app[BACKEND].rebuild_of_source(name, rebuild_id, wait_s)
    if found is None:
        raise not_found(f"rebuild {rebuild_id!r} of source {name!r}", "Its worker may have ended.")
    return answer(RebuildOut(**asdict(found)))


_NAME = in_path("name", "the source's name")

ROUTES = (
    Route(
        "POST",
        "/api/metrics/sources/{name}/rebuild",
        post_rebuild,
        "Makes the rollups of a source again from its archive",
        "Metrics",
        {202: Answer("the rebuild, which goes on", RebuildOut)},
        (_NAME,),
        problems={404: "there is no such source", 503: "no worker has its rollups open now"},
    ),
    Route(
        "GET",
        "/api/metrics/sources/{name}/rebuilds/{id}",
        get_rebuild,
        "Tells how a rebuild is doing",
        "Metrics",
        {200: Answer("the rebuild", RebuildOut)},
        (
            _NAME,
            in_path("id", "the id that asking for it answered"),
            Param("wait", "seconds to wait for its end", type=float),
        ),
        problems={404: "there is no such rebuild, or its worker has ended"},
    ),
)
