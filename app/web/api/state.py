"""Backups of keyed state over HTTP."""

import msgspec
from aiohttp import web

from app.web.context import BACKEND
from app.web.problems import bad_parameter
from app.web.routes import Answer, Param, Route
from app.web.wire import answer


class BackupOut(msgspec.Struct):
    """A backup: the folder on the worker's machine, the shards in it, and its size."""

    folder: str
    shards: list[int]
    bytes: int


async def back_up(request: web.Request) -> web.StreamResponse:
    """Backs up the state of the worker that is asked."""
    text = request.query.get("stream", "true")
    if text not in ("true", "false"):
        raise bad_parameter("stream", text, "true or false")
    made = await request.app[BACKEND].back_up(stream=text == "true")
    return answer(BackupOut(made.folder, list(made.shards), made.bytes), 201)


ROUTES = (
    Route(
        "POST",
        "/api/state/backups",
        back_up,
        "Backs up the state of this worker, in a folder below its data directory",
        "State",
        {201: Answer("the backup, durable", BackupOut)},
        (Param("stream", "false leaves the embedded stream out; true", type=bool),),
    ),
)
