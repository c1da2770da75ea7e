"""Sources over HTTP: how far each is, and fetches asked for."""

from typing import Any

import msgspec
from aiohttp import web

from app.source_shapes import Fetch, SourceStatus
from app.web import params
from app.web.context import BACKEND
from app.web.problems import ProblemError, not_found
from app.web.routes import Answer, Param, Route, in_path
from app.web.wire import answer, instant, read_as
from domain.metrics.moments import moment_ms


class MetricSourceOut(msgspec.Struct):
    """A source. `cursor` is what follows the last page archived; `last_fetch` when the last good
    fetch ended; `last_error` why the last one failed, null after a good one; `next_run` by its
    schedule; `quota_left` the calls left as the service tells, null when it does not."""

    name: str
    connector: str
    cursor: dict[str, Any] | None
    last_fetch: str | None
    last_error: str | None
    next_run: str | None
    running: bool
    quota_left: int | None


class MetricSourcesOut(msgspec.Struct):
    """The sources in force, by name."""

    items: list[MetricSourceOut]
    next: str | None = None


class StoredOut(msgspec.Struct):
    """A record as it would be stored."""

    key: str
    ts: str | None
    attributes: dict[str, Any]


class FetchOut(msgspec.Struct):
    """A fetch that was asked for. `state`: waiting, running, done or failed; `status` is that of
    the HTTP call that failed; `sample` holds records of a test."""

    id: str
    source: str
    state: str
    detail: str
    status: int | None
    pages: int
    records: int
    sample: list[StoredOut]


class Asked(msgspec.Struct, forbid_unknown_fields=True):
    """What is to be fetched again: both, or none. Dates or instants; `to` is exclusive."""

    from_: str | None = msgspec.field(default=None, name="from")
    to: str | None = None


def shown(source: SourceStatus) -> MetricSourceOut:
    """A source as the API prints it."""
    return MetricSourceOut(
        source.name,
        source.connector,
        None if source.cursor is None else dict(source.cursor),
        instant(source.last_fetch_ms),
        source.last_error,
        instant(source.next_run_ms),
        source.running,
        source.quota_left,
    )


def _fetch(fetch: Fetch) -> FetchOut:
    sample = [
        StoredOut(each["key"], instant(each["ts_ms"]), dict(each["attributes"]))
        for each in fetch.sample
    ]
    return FetchOut(
        fetch.id, fetch.source, fetch.state, fetch.detail, fetch.status, fetch.pages,
        fetch.records, sample,
    )  # fmt: skip


async def list_sources(request: web.Request) -> web.StreamResponse:
    """Every source in force."""
    found = await request.app[BACKEND].metric_sources()
    return answer(MetricSourcesOut([shown(source) for source in found]))


async def get_source(request: web.Request) -> web.StreamResponse:
    """One source."""
    name = request.match_info["name"]
    for source in await request.app[BACKEND].metric_sources():
        if source.name == name:
            return answer(shown(source))
    raise _no_source(name)


async def post_fetch(request: web.Request) -> web.StreamResponse:
    """Asks for a fetch."""
    return await _ask(request, trial=False)


async def post_test(request: web.Request) -> web.StreamResponse:
    """Makes one call."""
    return await _ask(request, trial=True)


async def _ask(request: web.Request, *, trial: bool) -> web.StreamResponse:
    name = request.match_info["name"]
    first, end = await _window(request)
    found = await request.app[BACKEND].fetch_source(name, first, end, trial=trial)
    if found is None:
        raise _no_source(name)
    return answer(_fetch(found), status=202)


async def _window(request: web.Request) -> tuple[int | None, int | None]:
    body = await request.read()
    try:
        asked = read_as(body, Asked) if body.strip() else Asked()
    except msgspec.DecodeError as error:
        raise ProblemError(400, "bad-body", f"The body can't be read: {error}.") from error
    if asked.from_ is None and asked.to is None:
        return None, None
    first, end = moment_ms(asked.from_), moment_ms(asked.to)
    for path, text, at in (("from", asked.from_, first), ("to", asked.to, end)):
        if at is None:
            expected = "a date like 2024-01-31 or an instant; both, or none"
            problem = {"path": path, "value": text, "expected": expected}
            raise ProblemError(422, "bad-body", f"{path} is not {expected}.", [problem])
    if first is not None and end is not None and end <= first:
        problem = {"path": "to", "value": asked.to, "expected": f"a time behind {asked.from_}"}
        detail = f"to={asked.to!r} is not a time behind {asked.from_}: there is nothing to fetch."
        raise ProblemError(422, "bad-body", detail, [problem])
    return first, end


async def get_fetch(request: web.Request) -> web.StreamResponse:
    """How a fetch is doing."""
    name, fetch_id = request.match_info["name"], request.match_info["id"]
    wait_s = params.wait_s(request)
    found = await request.app[BACKEND].fetch_of_source(name, fetch_id, wait_s)
    if found is None:
        raise not_found(f"fetch {fetch_id!r} of source {name!r}", "Its worker may have ended.")
    return answer(_fetch(found))


def _no_source(name: str) -> Exception:
    return not_found(f"source {name!r}", "GET /api/metrics/sources lists all.")


_NAME = in_path("name", "the source's name")
_NONE = {404: "there is no such source"}
_ASKING = {
    **_NONE,
    422: "the times can't be read, or the connector has no history",
    503: "no worker has the source open now",
}
_BODY = {"application/json": '`{"from", "to"}` of what to fetch again; empty: from the cursor on'}

ROUTES = (
    Route(
        "GET",
        "/api/metrics/sources",
        list_sources,
        "Lists the sources",
        "Metrics",
        {200: Answer("the sources by name", MetricSourcesOut)},
    ),
    Route(
        "GET",
        "/api/metrics/sources/{name}",
        get_source,
        "Shows a source",
        "Metrics",
        {200: Answer("the source", MetricSourceOut)},
        (_NAME,),
        problems=_NONE,
    ),
    Route(
        "POST",
        "/api/metrics/sources/{name}/fetch",
        post_fetch,
        "Fetches now, behind the fetch under way",
        "Metrics",
        {202: Answer("the fetch that was asked for", FetchOut)},
        (_NAME,),
        _BODY,
        _ASKING,
    ),
    Route(
        "POST",
        "/api/metrics/sources/{name}/test",
        post_test,
        "Makes one call and stores nothing",
        "Metrics",
        {202: Answer("the test that was asked for", FetchOut)},
        (_NAME,),
        _BODY,
        _ASKING,
    ),
    Route(
        "GET",
        "/api/metrics/sources/{name}/fetches/{id}",
        get_fetch,
        "Tells how a fetch is doing",
        "Metrics",
        {200: Answer("the fetch", FetchOut)},
        (
            _NAME,
            in_path("id", "the id that asking for it answered"),
            Param("wait", "seconds to wait for its end", type=float),
        ),
        problems={404: "there is no such fetch, or its worker has ended"},
    ),
)
