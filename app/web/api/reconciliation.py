"""The daily reconciliation, and flushes that are sent again, over HTTP."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any, Literal

import msgspec
from aiohttp import web
from msgspec.structs import asdict

from app.backend import RetractionRefused
from app.day_shapes import DayTotals
from app.shapes import Change
from app.web import params
from app.web.context import BACKEND
from app.web.people import actor_of
from app.web.problems import ProblemError, bad_parameter, not_found
from app.web.routes import DRY_RUN, IDEMPOTENCY_KEY, JSON, Answer, Param, Route, in_path
from app.web.wire import answer, exact, instant, loads
from config.documents.base import nearest
from domain.aggregation.instants import print_instant

REASON_MAX = 500


class DayFlushesOut(msgspec.Struct):
    """What went out on the day with one flush type."""

    flushType: str
    flushes: int
    records: int
    sums: dict[str, float]


class DayTotalsOut(msgspec.Struct):
    """One aggregator on the day. `count`: opening + in = flushed + duplicates + rejected + expired
    + deleted + open; each of `sums`: opening + in = flushed + expired + deleted + open."""

    aggregator: str
    count: dict[str, int]
    sums: dict[str, dict[str, float]]
    flushes: list[DayFlushesOut]
    balanced: bool


class DayOut(msgspec.Struct):
    """The reconciliation of a UTC day, between the cuts `from` and `to`."""

    day: str
    to: str
    items: list[DayTotalsOut]
    balanced: bool
    from_: str = msgspec.field(name="from", default="")


class RetractedOut(msgspec.Struct):
    """An event that is taken back by the flush `id` (`state`: done, or accepted and durable). `key`
    are the group values of its session; `repeated`: it had been taken back before."""

    id: str
    aggregator: str
    key: list[Any]
    state: str
    repeated: bool


class WouldFlush(msgspec.Struct):
    """A flush that taking an event back sends: `flush` of the open session that counted it, then
    the `correction`."""

    id: str
    what: Literal["flush", "correction"]
    records: int


class RetractableOut(msgspec.Struct):
    """What taking an event back would do (`dry_run`): the flush `id` corrects its session `key`.
    `touched` are sessions; `counts` the flushes that go out and the records they are about;
    `source` is where the event lies. `repeated`: it has happened, and nothing would go out."""

    id: str
    aggregator: str
    key: list[Any]
    state: Literal["done"]
    dry_run: bool
    repeated: bool
    touched: int
    counts: dict[str, int]
    flushes: list[WouldFlush]
    source: dict[str, Any]


class ResentOut(msgspec.Struct):
    """A flush that was sent again, and where its newest copy lies."""

    id: str
    topic: str
    partition: int
    offset: int
    repeated: bool


async def get_day(request: web.Request) -> web.StreamResponse:
    """What came in on a day, where it is now, and what was flushed, by aggregator."""
    backend = request.app[BACKEND]
    text = request.match_info["day"]
    try:
        day = date.fromisoformat(text).isoformat()
    except ValueError:
        raise bad_parameter("day", text, "a day like 2024-09-03") from None
    today = print_instant((await backend.clock_info()).now_ms)[:10]
    if day > today:
        raise bad_parameter("day", text, f"a day up to today, which is {today} (UTC)")
    name = request.query.get("aggregator") or None
    found = await backend.day_totals(day, name)
    if name is not None and not found.items:
        raise not_found(f"aggregator {name!r}")
    return answer(
        {
            "day": found.day,
            "from": instant(found.from_ms),
            "to": instant(found.to_ms),
            "items": [shown(item) for item in found.items],
            "balanced": found.balanced,
        }
    )


def shown(item: DayTotals) -> object:
    """One aggregator as the API prints it, numbers exact."""
    flushes = [
        {"flushType": f.type, "flushes": f.flushes, "records": f.records, "sums": f.sums}
        for f in item.flushes
    ]
    return exact(
        {
            "aggregator": item.aggregator,
            "count": item.count,
            "sums": item.sums,
            "flushes": flushes,
            "balanced": item.balanced,
        }
    )


async def retract(request: web.Request) -> web.StreamResponse:
    """Takes one event back."""
    name = request.match_info["name"]
    body = await body_of(request, "event_id", "event_source", "group", "reason", "dry_run")
    event_id, group = body.get("event_id"), body.get("group", {})
    source = body.get("event_source")
    if isinstance(event_id, str) and isinstance(source, str):
        event_id = f"{source}\0{event_id}"
    problems = []
    if not isinstance(event_id, bool | int | str | Decimal):
        problems.append({"path": "event_id", "expected": "the event's id, a single value"})
    if not isinstance(group, dict):
        problems.append({"path": "group", "expected": "an object of group values"})
    if problems:
        raise ProblemError(422, "no-event", "Which event is meant is not said.", problems)
    dry = body.get("dry_run", False)
    if not isinstance(dry, bool):
        expected = [{"path": "dry_run", "expected": "true or false"}]
        raise ProblemError(422, "no-event", "Whether it is a dry run is not said.", expected)
    if params.dry_run(request, dry):
        return await _would_retract(request, name, event_id, group)
    change = Change(actor_of(request), reason_in(body), params.idempotency_key(request))
    try:
        found = await request.app[BACKEND].retract_event(name, event_id, group, change)
    except RetractionRefused as refused:
        raise ProblemError(422, "retraction-refused", f"{refused.detail}.") from None
    if found is None:
        raise not_found(f"aggregator {name!r}")
    state = "done" if found.done else "accepted"
    out = RetractedOut(found.id, found.aggregator, loads(found.key.encode()), state, found.repeated)
    return answer(exact(asdict(out)), 200 if found.done else 202)


async def _would_retract(
    request: web.Request, name: str, event_id: object, group: Mapping[str, object]
) -> web.StreamResponse:
    try:
        found = await request.app[BACKEND].find_retractable(name, event_id, group)
    except RetractionRefused as refused:
        raise ProblemError(422, "retraction-refused", f"{refused.detail}.") from None
    if found is None:
        raise not_found(f"aggregator {name!r}")
    flushes: list[WouldFlush] = []
    if not found.repeated:
        if found.session_id is not None:
            flushes.append(WouldFlush(found.session_id, "flush", found.session_records))
        flushes.append(WouldFlush(found.id, "correction", 1))
    counts = {
        "sessions": int(not found.repeated),
        "flushes": len(flushes),
        "records": int(not found.repeated),
    }
    source = {"topic": found.topic, "partition": found.partition, "offset": found.offset}
    out = RetractableOut(
        found.id, found.aggregator, loads(found.key.encode()), "done", True, found.repeated,
        counts["sessions"], counts, flushes, source,
    )  # fmt: skip
    told = {**asdict(out), "flushes": [asdict(each) for each in flushes]}
    return answer(exact(told))


async def resend(request: web.Request) -> web.StreamResponse:
    """Sends a flush again, byte for byte."""
    flush_id = request.match_info["id"]
    reason = reason_in(await body_of(request, "reason"))
    change = Change(actor_of(request), reason, params.idempotency_key(request))
    found = await request.app[BACKEND].resend_flush(flush_id, change)
    if found is None:
        raise not_found(f"flush {flush_id!r} on an output topic", "It may be too old to be kept.")
    return answer(ResentOut(found.id, found.topic, found.partition, found.offset, found.repeated))


async def body_of(request: web.Request, *known: str) -> dict[str, Any]:
    """The body, a JSON object with exact numbers; empty for what is none. Raises ProblemError
    (422) for a member it can't have, rather than do something else than was asked for.
    """
    try:
        body = loads(await request.read() or b"{}")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    if not isinstance(body, dict):
        return {}
    unknown = [
        {"path": name, "expected": f"a member that is {nearest(name, known)}"}
        for name in body.keys() - {*known}
    ]
    if unknown:
        raise ProblemError(
            422, "bad-body", "There is a member that this can't have; nothing was changed.", unknown
        )
    return body


def reason_in(body: Mapping[str, Any]) -> str:
    """The `reason` of a body; raises ProblemError (422) without."""
    reason = body.get("reason")
    if isinstance(reason, str) and 0 < len(reason.strip()) <= REASON_MAX:
        return reason.strip()
    expected = f"text of 1 to {REASON_MAX} characters: why, for the audit"
    raise ProblemError(
        422,
        "reason-missing",
        "It is done with a reason only.",
        [{"path": "reason", "expected": expected}],
    )


ROUTES = (
    Route(
        "GET",
        "/api/totals/{day}",
        get_day,
        "Shows the daily reconciliation",
        "Sessions",
        {200: Answer("the day by aggregator", DayOut)},
        (in_path("day", "a UTC day like 2024-09-03"), Param("aggregator", "only this aggregator")),
        problems={404: "there is no such aggregator"},
    ),
    Route(
        "POST",
        "/api/flushes/{id}/resend",
        resend,
        "Sends a flush again, with the same id and the same bytes",
        "Sessions",
        {200: Answer("it is on its topic again, durably", ResentOut)},
        (in_path("id", "the flush's id"), IDEMPOTENCY_KEY),
        {JSON: "an object with the `reason`"},
        {404: "no output topic has such a flush", 422: "there is no reason"},
    ),
    Route(
        "POST",
        "/api/aggregators/{name}/events/retract",
        retract,
        "Takes one event back by its id: a flush of its own, everything negative",
        "Sessions",
        {
            200: Answer("it is taken back; with `dry_run` RetractableOut", RetractedOut),
            202: Answer("it is durable that it will be", RetractedOut),
        },
        (in_path("name", "the aggregator's name"), DRY_RUN),
        {
            JSON: "`event_id`, `reason`; `event_source` of a CloudEvent, `group` to narrow; "
            "`dry_run` true only tells which session and flushes, and needs no reason"
        },
        {404: "there is no such aggregator", 422: "it can't be taken back; the detail says why"},
    ),
)
