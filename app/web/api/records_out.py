"""Records out over HTTP: `GET /api/topics/{topic}/records`, as pages or as a stream."""

from base64 import b64encode
from typing import Any

import msgspec
from aiohttp import web

from app.shapes import Record
from app.web import params
from app.web.context import BACKEND
from app.web.live import EventStream, stream, write_event
from app.web.routes import LIMIT, Answer, Param, Route, in_path
from app.web.wire import answer, dumps

KEEP_ALIVE_S = 15.0  # shorter than the idle timeouts of common proxies


class Bytes(msgspec.Struct):
    """Bytes that are no text."""

    base64: str


class RecordOut(msgspec.Struct):
    """A record; `timestamp` in whole epoch milliseconds. `value` is the JSON it holds, else its
    text, else its bytes."""

    partition: int
    offset: int
    timestamp: int
    key: str | Bytes | None
    value: Any
    headers: dict[str, str | Bytes]


class RecordsOut(msgspec.Struct):
    """`next` is where to go on, the same again at the end."""

    records: list[RecordOut]
    next: str


async def get_records(request: web.Request) -> web.StreamResponse:
    """A page of records of all partitions, or all from there on as server-sent events."""
    topic = request.match_info["topic"]
    start = request.headers.get("Last-Event-ID") or request.query.get("from") or "beginning"
    limit = params.limit(request)
    if "text/event-stream" in request.headers.get("Accept", ""):
        return await _follow(request, topic, start, limit)
    page = await request.app[BACKEND].read_records(topic, start, limit, params.wait_s(request))
    return answer(RecordsOut([record_shown(record) for record in page.records], page.next))


async def _follow(request: web.Request, topic: str, start: str, limit: int) -> web.StreamResponse:
    """Sends each record as an event; the last of a page carries the cursor to go on from."""
    backend = request.app[BACKEND]
    page = await backend.read_records(topic, start, limit, 0.0)  # errors before the stream begins

    async def send(response: EventStream) -> None:
        nonlocal page
        while True:
            for record in page.records:
                last = record is page.records[-1]
                data = dumps(record_shown(record))
                await write_event(response, data, event_id=page.next if last else None)
            if not page.records:
                await response.write(b": still here\n\n")
            page = await backend.read_records(topic, page.next, limit, KEEP_ALIVE_S)

    return await stream(request, send)


def record_shown(record: Record) -> RecordOut:
    return RecordOut(
        record.partition,
        record.offset,
        record.timestamp_ms,
        None if record.key is None else _text(record.key),
        None if record.value is None else value_shown(record.value),
        {name: _text(value) for name, value in record.headers},
    )


def value_shown(value: bytes) -> Any:
    """The JSON that the bytes are, untouched; else their text; else the bytes."""
    try:
        msgspec.json.decode(value)
        value.decode()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _text(value)
    # A line feed between tokens would end an event of a stream: only then it is written anew.
    return msgspec.Raw(value if b"\n" not in value else msgspec.json.format(value, indent=-1))


def _text(value: bytes) -> str | Bytes:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return Bytes(b64encode(value).decode())


ROUTES = (
    Route(
        "GET",
        "/api/topics/{topic}/records",
        get_records,
        "Reads records of a topic; with Accept: text/event-stream, follows it",
        "Topics",
        {200: Answer("a page of records", RecordsOut)},
        (
            in_path("topic", "the topic's name"),
            Param("from", "beginning (the default), end, or the `next` of an earlier answer"),
            LIMIT,
            Param("wait", "seconds to wait for records at the end", type=float),
        ),
        problems={400: "the cursor is not one of this topic's", 404: "there is no such topic"},
    ),
)
