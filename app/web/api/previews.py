"""What-ifs over HTTP: a document tried against the records that its topic still has."""

from collections.abc import Mapping
from typing import Any

import msgspec
from aiohttp import web

from app.history_shapes import GroupCompared, Preview, WhatIf
from app.since import EXPECTED, parse_since
from app.web import params
from app.web.bodies import read_document
from app.web.context import BACKEND, CLOCK
from app.web.problems import bad_parameter, not_found
from app.web.routes import JSON, Answer, Param, Route, in_path
from app.web.wire import answer, exact, instant
from domain.aggregation.comparison import Difference


class DifferenceOut(msgspec.Struct):
    """One result over all flushes of a group; `difference` is what_if less now, null where that
    can't be said."""

    now: Any
    what_if: Any
    difference: Any


class GroupOut(msgspec.Struct):
    """A group whose flushes are not the same: `only_now`, `only_what_if`, `differs`, or `moved`
    (the same figures by another rule or at another time). `now` and `what_if` are its first
    flushes of `now_count` and `what_if_count`; `open` the session that would still be open."""

    status: str
    group: dict[str, Any]
    periods: dict[str, Any]
    results: dict[str, DifferenceOut]
    now: list[Any]
    now_count: int
    what_if: list[Any]
    what_if_count: int
    open: Any


class WhatIfOut(msgspec.Struct):
    """What came of it. `left_out`: records of sessions that began before the first record, which
    are passed over, as `flushes_left_out` are on the other side. `items` are the first 1,000 groups
    of those counted in `groups` that are not `same`, `open` the first 100 open sessions."""

    applied: int
    filtered: int
    duplicates: int
    rejected: dict[str, int]
    letters: list[Any]
    left_out: int
    flushes_left_out: int
    flushes_now: int
    flushes_what_if: int
    expired: int
    open_sessions: int
    groups: dict[str, int]
    totals: dict[str, DifferenceOut]
    added: list[str]
    dropped: list[str]
    items: list[GroupOut]
    open: list[Any]


class PreviewOut(msgspec.Struct):
    """A preview: `state` is waiting, running, done, failed (`detail` says why) or stopped; `read`
    of `records` are read. `from` is the first record's timestamp, `now` the time up to which both
    sides are compared; `version_now` the version of the document in force, null without one."""

    id: str
    state: str
    detail: str
    aggregator: str
    topic: str
    output: str
    version_now: int | None
    since: str
    begun: str
    first: str | None = msgspec.field(name="from")
    now: str
    records: int
    read: int
    result: WhatIfOut | None


def shown(preview: Preview) -> PreviewOut:
    """A preview as the API prints it."""
    return PreviewOut(
        preview.id, preview.state, preview.detail, preview.aggregator, preview.topic,
        preview.output, preview.version_now, preview.since, instant(preview.begun_ms) or "",
        instant(preview.from_ms), instant(preview.now_ms) or "", preview.records, preview.read,
        None if preview.result is None else _result(preview.result),
    )  # fmt: skip


def _result(found: WhatIf) -> WhatIfOut:
    return WhatIfOut(
        found.applied, found.filtered, found.duplicates, dict(found.rejected),
        [exact(letter) for letter in found.letters], found.left_out, found.flushes_left_out,
        found.flushes_now, found.flushes_what_if, found.expired, found.open_sessions,
        {str(status): number for status, number in found.groups.items()},
        _differences(found.totals), list(found.added), list(found.dropped),
        [_group(item) for item in found.items], [msgspec.Raw(each) for each in found.open],
    )  # fmt: skip


def _group(item: GroupCompared) -> GroupOut:
    record: Any = exact(item.record)
    return GroupOut(
        item.status, record["group"], record["periods"], _differences(item.results),
        [msgspec.Raw(each) for each in item.now], item.now_count,
        [msgspec.Raw(each) for each in item.what_if], item.what_if_count,
        None if item.open is None else msgspec.Raw(item.open),
    )  # fmt: skip


def _differences(found: Mapping[str, Difference]) -> dict[str, DifferenceOut]:
    return {
        name: DifferenceOut(exact(each.now), exact(each.what_if), exact(each.difference))
        for name, each in found.items()
    }


async def start_preview(request: web.Request) -> web.StreamResponse:
    """Begins to run the records of the document's input topic through it; answers when that is
    over, or with `wait`, 0 unless given, over."""
    text = request.query.get("since", "")
    since = parse_since(text, request.app[CLOCK].now_ms())
    if since is None:
        raise bad_parameter("since", text, EXPECTED)
    wait_s = params.wait_s(request)
    backend = request.app[BACKEND]
    begun = await backend.start_preview(await read_document(request), since, text)
    found = await backend.preview(begun.id, wait_s) or begun
    return answer(shown(found), 200 if found.over else 202)


async def get_preview(request: web.Request) -> web.StreamResponse:
    """How far a preview is, and what came of it."""
    name = request.match_info["preview"]
    found = await request.app[BACKEND].preview(name, params.wait_s(request))
    return answer(shown(known(found, name)))


async def stop_preview(request: web.Request) -> web.StreamResponse:
    """Stops a preview."""
    name = request.match_info["preview"]
    return answer(shown(known(await request.app[BACKEND].stop_preview(name), name)))


def known(found: Preview | None, name: str) -> Preview:
    """The preview. Raises 404 without one."""
    if found is None:
        advice = "The worker that began one tells of it, for half an hour after its end."
        raise not_found(f"preview {name!r} on this worker", advice)
    return found


_SINCE = Param("since", f"from where on: {EXPECTED}")
_WAIT = Param("wait", "seconds to wait for its end; 0: not at all", type=float)
_ID = in_path("preview", "the preview's id")
_NONE = {404: "this worker has no such preview, or no longer"}

ROUTES = (
    Route(
        "POST",
        "/api/documents/preview",
        start_preview,
        "Runs the retained records of a topic through a document, beside what really happened",
        "Configuration",
        {
            200: Answer("it is over", PreviewOut),
            202: Answer("it goes on; ask for it by its id", PreviewOut),
        },
        (_SINCE, _WAIT),
        {JSON: "the bare document, with kind and name"},
        {422: "the document is refused; errors[] says where and why"},
    ),
    Route(
        "GET",
        "/api/documents/preview/{preview}",
        get_preview,
        "Tells how far a preview is and what came of it",
        "Configuration",
        {200: Answer("the preview", PreviewOut)},
        (_ID, _WAIT),
        problems=_NONE,
    ),
    Route(
        "DELETE",
        "/api/documents/preview/{preview}",
        stop_preview,
        "Stops a preview",
        "Configuration",
        {200: Answer("the preview as far as it came", PreviewOut)},
        (_ID,),
        problems=_NONE,
    ),
)
