"""Where a flush comes from, over HTTP: rule, document, positions, and the records themselves."""

from typing import Any

import msgspec
from aiohttp import web

from app.history_shapes import Explained, Whereabouts
from app.web import params
from app.web.api.aggregators import group_filter
from app.web.api.document_reads import DocumentOut
from app.web.api.document_reads import shown as document_shown
from app.web.api.records_out import RecordOut, record_shown
from app.web.context import BACKEND
from app.web.problems import bad_parameter, not_found
from app.web.routes import CURSOR, LIMIT, Answer, Param, Route, in_path
from app.web.wire import answer, instant, loads
from domain.aggregation.instants import parse_instant


class SourceExplainedOut(msgspec.Struct):
    """Positions `first` to `last` of one partition hold `count` records of the session: `found` up
    to this page; `gone` are no longer retained (null: not known before the last page)."""

    topic: str
    partition: int
    first: int
    last: int
    count: int
    found: int
    gone: int | None


class SourceRecordOut(msgspec.Struct):
    """A record the session was made of. `duplicate`: recognised as one, and not counted. `version`
    of the document decided about it."""

    topic: str
    record: RecordOut
    duplicate: bool
    version: int


class ExplainedOut(msgspec.Struct):
    """A flush (`flushed` null: a session that is still open), why it was due, the document version
    in force with its last record, and a page of its records in the order of positions."""

    flush: Any
    flushed: str | None
    rule: str
    due: str | None
    document: DocumentOut | None
    sources: list[SourceExplainedOut]
    records: list[SourceRecordOut]
    next: str | None


async def explain(request: web.Request) -> web.StreamResponse:
    """The flush with that id, back to its source records."""
    name = request.match_info["name"]
    found = await request.app[BACKEND].explain(
        name, request.match_info["flush"], whereabouts(request), params.limit(request),
        params.cursor(request),
    )  # fmt: skip
    if found is None:
        raise not_found(f"aggregator {name!r}", "GET /api/documents?kind=aggregator lists all.")
    return answer(shown(found))


def whereabouts(request: web.Request) -> Whereabouts:
    """What the address tells of where the flush is."""
    text = request.query.get("at")
    at_ms = None if text is None else parse_instant(text)
    if text is not None and at_ms is None:
        raise bad_parameter("at", text, "an instant such as 2025-11-03T04:30:00Z")
    return Whereabouts(request.query.get("key"), group_filter(request), at_ms)


def shown(found: Explained) -> ExplainedOut:
    """An explanation as the API prints it."""
    record = plain(found)
    return ExplainedOut(
        msgspec.Raw(found.record), instant(found.at_ms), record["explain"]["rule"],
        record["explain"]["due"],
        None if found.document is None else document_shown(found.document),
        [SourceExplainedOut(s.topic, s.partition, s.first, s.last, s.count, s.found, s.gone)
         for s in found.sources],
        [SourceRecordOut(each.topic, record_shown(each.record), each.duplicate, each.version)
         for each in found.records], found.next,
    )  # fmt: skip


def plain(found: Explained) -> Any:
    """The flushed record, out of its CloudEvent where it is in one."""
    record = loads(found.record)
    return record["data"] if "specversion" in record else record


ROUTES = (
    Route(
        "GET",
        "/api/aggregators/{name}/flushes/{flush}/explain",
        explain,
        "Leads from a flush back to its source records",
        "Sessions",
        {200: Answer("the flush and a page of its records", ExplainedOut)},
        (
            in_path("name", "the aggregator's name"),
            in_path("flush", "the flush's id; with its key or all group values, an open session's"),
            Param(
                "key", "the session key as canonical JSON array: one partition is looked through"
            ),
            Param("group.FIELD", "group values as text; all of them do what `key` does"),
            Param("at", "about when it was flushed (an instant): looked at first"),
            LIMIT,
            CURSOR,
        ),
        problems={404: "there is no such aggregator, or no such flush among those looked through"},
    ),
)
