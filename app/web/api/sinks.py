"""Sinks over HTTP: totals, what is wrong, and which ids a target has."""

import msgspec
from aiohttp import web

from app.sink_shapes import SinkPart, SinkStatus
from app.web.context import BACKEND
from app.web.problems import bad_parameter, not_found
from app.web.routes import Answer, Param, Route, in_path
from app.web.wire import answer, instant

IDS = 1_000  # of one question


class SinkPartOut(msgspec.Struct):
    """A sink on one partition. `next` is the offset to be delivered next, null when no worker
    delivers the partition; `detail` says what is wrong, since `since`."""

    partition: int
    state: str
    next: int | None
    sent: int
    accepted: int
    refused: int
    waiting: int
    passed: int
    repeated: int
    missed: int
    detail: str
    attempts: int
    since: str | None


class SinkOut(msgspec.Struct):
    """A sink. `sent` = `accepted` + `refused` + those being sent; `waiting` is what the topic has
    behind that; `passed` are records that the sink doesn't take, `repeated` such as its target had
    before, `missed` were deleted from the topic before their turn."""

    name: str
    version: int
    kind: str
    target: str
    input: str
    state: str
    detail: str
    sent: int
    accepted: int
    refused: int
    waiting: int
    passed: int
    repeated: int
    missed: int
    partitions: list[SinkPartOut]


class SinksOut(msgspec.Struct):
    """The sinks in force, by name."""

    items: list[SinkOut]
    next: str | None = None


class SinkLetterOut(msgspec.Struct):
    """What a sink does not deliver. `reason`: refused (by the target), gave_up, undecodable;
    `status`: that of HTTP, or MySQL's error number; `record` the id; `original` base64."""

    id: str
    sink: str
    topic: str
    partition: int
    offset: int
    record: str
    reason: str
    detail: str
    status: int | None
    original: str
    at: str


class TakenOut(msgspec.Struct):
    """What became of an id. `state`: taken, waiting, refused or unknown."""

    id: str
    taken: bool
    state: str
    partition: int | None
    offset: int | None


class AllTakenOut(msgspec.Struct):
    """The ids that were asked for, in order."""

    items: list[TakenOut]
    next: str | None = None


def shown(sink: SinkStatus) -> SinkOut:
    """A sink as the API prints it."""
    trouble = sink.trouble
    return SinkOut(
        sink.name,
        sink.version,
        sink.kind,
        sink.target,
        sink.input,
        sink.state,
        "" if trouble is None else trouble.detail,
        sink.total("sent"),
        sink.total("accepted"),
        sink.total("refused"),
        sink.total("waiting"),
        sink.total("passed"),
        sink.total("repeated"),
        sink.total("missed"),
        [_part(part) for part in sink.parts],
    )


def _part(part: SinkPart) -> SinkPartOut:
    return SinkPartOut(
        part.partition,
        part.state,
        part.next,
        part.sent,
        part.accepted,
        part.refused,
        part.waiting,
        part.passed,
        part.repeated,
        part.missed,
        part.detail,
        part.attempts,
        instant(part.since_ms),
    )


async def list_sinks(request: web.Request) -> web.StreamResponse:
    """Every sink in force."""
    return answer(SinksOut([shown(sink) for sink in await request.app[BACKEND].sinks()]))


async def get_sink(request: web.Request) -> web.StreamResponse:
    """One sink."""
    name = request.match_info["name"]
    for sink in await request.app[BACKEND].sinks():
        if sink.name == name:
            return answer(shown(sink))
    raise _no_sink(name)


async def get_taken(request: web.Request) -> web.StreamResponse:
    """What became of each `id` of the address."""
    name = request.match_info["name"]
    ids = request.query.getall("id", [])
    if not 0 < len(ids) <= IDS:
        raise bad_parameter("id", f"{len(ids)} of them", f"1 to {IDS} ids: ?id=…&id=…")
    found = await request.app[BACKEND].sink_taken(name, ids)
    if found is None:
        raise _no_sink(name)
    items = [
        TakenOut(each.id, each.state == "taken", each.state, each.partition, each.offset)
        for each in found
    ]
    return answer(AllTakenOut(items))


def _no_sink(name: str) -> Exception:
    return not_found(f"sink {name!r}", "GET /api/sinks lists all.")


_NAME = in_path("name", "the sink's name")
_NONE = {404: "there is no such sink"}

ROUTES = (
    Route(
        "GET",
        "/api/sinks",
        list_sinks,
        "Lists the sinks with their totals",
        "Sinks",
        {200: Answer("the sinks by name", SinksOut)},
    ),
    Route(
        "GET",
        "/api/sinks/{name}",
        get_sink,
        "Shows a sink, by partition",
        "Sinks",
        {200: Answer("the sink", SinkOut)},
        (_NAME,),
        problems=_NONE,
    ),
    Route(
        "GET",
        "/api/sinks/{name}/taken",
        get_taken,
        "Tells which ids the target has taken",
        "Sinks",
        {200: Answer("each id in order", AllTakenOut)},
        (_NAME, Param("id", "the id of a record; several may be given", repeated=True)),
        problems=_NONE,
    ),
)
