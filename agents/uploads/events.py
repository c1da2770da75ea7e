"""Uploads that come as events on `campaign-events`: made durable before the event is passed by.

An event that names no flow's content is one from outside: its rows or its file are put where those
of an HTTP upload are, under the request id that it gives, and its campaign goes the same way from
there. Taken once: a repeat finds the folder.
Negatives with a file, or with many rows, are put on the topic once more in parts that a shard takes
one at a time; a repeat makes the same parts, and the shard carries out each once.
"""

import asyncio
import csv
import io
from collections.abc import AsyncIterator, Mapping, Sequence
from tempfile import TemporaryFile
from typing import Any

import msgspec

from agents.campaign_parcels import DIRECT, Entry
from agents.campaign_route import EVENTS, letter_of
from agents.letters import Letter
from agents.uploads.named_files import NamedFiles
from agents.uploads.number_lists import TooManyNumbers, events_of, list_in, numbers_in
from agents.uploads.uploads import Asked, OtherUpload, Uploads, request_id_of
from connectors.formats.csv_rows import BadHeader, NotCsv
from domain.campaigns.bodies import numbers_of
from domain.campaigns.commands import why_of
from domain.campaigns.described import DescriptionRefused
from domain.campaigns.keys import flow_of_request
from domain.errors import Reject
from tables.stream import Item

_CARRIED = ("rows", "file", "description", "reason", "dry_run")
_decode = msgspec.json.Decoder().decode


def upload_in(body: bytes) -> dict[str, Any] | None:
    """The event when it is an upload from outside; None for anything else."""
    if b'"upload"' not in body:
        return None
    try:
        event = _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    if not isinstance(event, dict) or event.get("command") != "upload":
        return None
    inner = event.get("body")
    own = isinstance(inner, dict) and isinstance(inner.get("flow"), dict)
    return None if own else event


class UploadEvents:
    """Takes them, once `go` has said by what: those that come before wait for it.

    `files` has those that `body.file` names.
    """

    def __init__(self, files: NamedFiles) -> None:
        self._files = files
        self._uploads: Uploads | None = None
        self._ready = asyncio.Event()

    def go(self, uploads: Uploads) -> None:
        """From now on they are taken, by these."""
        self._uploads = uploads
        self._ready.set()

    async def passed(
        self, partition: int, items: Sequence[Item], now_ms: int
    ) -> tuple[list[Item], list[Letter]]:
        """The records of `campaign-events` that are no uploads from outside, and letters of those
        that can't be; the others are durable here, or in parts on the topic, when it returns."""
        left: list[Item] = []
        letters: list[Letter] = []
        for item in items:
            offset, timestamp, key, value, _ = item
            event = upload_in(value or b"")
            listed = list_in(value or b"") if event is None else None
            try:
                if event is not None:
                    await self.take(event, timestamp)
                elif listed is not None:
                    await self.take_list(listed)
                else:
                    left.append(item)
            except Reject as error:
                entry = Entry(DIRECT, EVENTS, partition, offset, timestamp, key, value or b"")
                letters.append(letter_of(entry, error.reason, error.detail, now_ms))
        return left, letters

    async def take(self, event: Mapping[str, Any], now_ms: int) -> None:
        """Returns when the upload is durable here. `now_ms`: when the event came. Raises Reject for
        one that can't be."""
        await self._ready.wait()
        uploads = self._uploads
        if uploads is None:
            raise LookupError("ready without uploads")
        body, ident = event.get("body"), event.get("id") or ""
        if not isinstance(ident, str) or not isinstance(body, dict):
            raise Reject("bad_event", "an upload has an id and an object body")
        reason, dry_run = why_of(event, body)
        if dry_run:
            raise Reject("bad_event", "dry_run true: an upload is tried over HTTP only")
        description = {name: body[name] for name in body.keys() - {*_CARRIED}}
        if isinstance(body.get("description"), dict):
            description = {**body["description"], **description}
        request_id = _request_of(event, description, ident)
        source, name = self._source(body)
        spool = await uploads.spool(source)
        asked = Asked(
            description,
            name,
            str(event.get("actor") or ""),
            reason,
            None,
            now_ms,
            request_id,
            ident,
        )
        try:
            await uploads.take(spool, asked)
        except OtherUpload as error:
            raise Reject("bad_event", f"request_id {request_id} has another upload") from error
        except (DescriptionRefused, NotCsv) as error:
            raise Reject("bad_event", str(error)) from error
        finally:
            await asyncio.to_thread(spool.close)

    async def take_list(self, event: Mapping[str, Any]) -> None:
        """Returns when a list of negatives is on the topic in parts, which are the same ones for
        the same list. Raises Reject for one that can't be."""
        await self._ready.wait()
        if self._uploads is None:
            raise LookupError("ready without uploads")
        request_id, ident, body = event.get("request_id"), event.get("id"), event["body"]
        if not isinstance(request_id, str) or not isinstance(ident, str) or not ident:
            raise Reject("bad_event", "negatives have an id and a request_id")
        rows, file, name = body.get("rows"), body.get("file"), ""
        listed = numbers_of({**body, "rows": [] if rows is None else rows})
        if isinstance(rows, list) and file is None:
            texts = [str(each) for each in listed.rows]
        elif rows is None and isinstance(file, str):
            pieces, name = self._files.read(file)
            try:
                texts = await _numbers(pieces)
            except (NotCsv, BadHeader, TooManyNumbers) as error:
                raise Reject("bad_event", f"body.file {file!r}: {error}") from error
        else:
            raise Reject("bad_event", "negatives have either body.rows or body.file")
        await self._uploads.tell(request_id, events_of(event, texts, name))

    def _source(self, body: Mapping[str, Any]) -> tuple[AsyncIterator[bytes], str]:
        rows, file = body.get("rows"), body.get("file")
        if isinstance(rows, list) and file is None:
            return _listed(rows), ""
        if rows is None and isinstance(file, str):
            return self._files.read(file)
        raise Reject("bad_event", "an upload has either body.rows or body.file")


def _request_of(event: Mapping[str, Any], description: dict[str, Any], ident: str) -> str:
    """The request id that an upload gives, or one made of its own id; with its flow."""
    request_id, flow = event.get("request_id"), description.get("flow")
    if request_id is None and isinstance(flow, str) and ident:
        request_id = request_id_of(flow, f"event {ident}")
    found = flow_of_request(request_id) if isinstance(request_id, str) else ""
    if not found or description.setdefault("flow", found) != found or "/" in str(request_id):
        raise Reject("bad_event", f"request_id {request_id!r}, expected <flow>-<16 hex>, or none")
    return str(request_id)


async def _listed(rows: list[Any]) -> AsyncIterator[bytes]:
    """Rows as objects by column, as a CSV: of the columns of all of them."""
    if not all(isinstance(row, dict) for row in rows):
        raise Reject("bad_event", "body.rows holds objects by column")
    columns = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_cell(row.get(name)) for name in columns])
    yield text.getvalue().encode()


async def _numbers(pieces: AsyncIterator[bytes]) -> list[str]:
    with TemporaryFile() as file:
        async for piece in pieces:
            file.write(piece)
        file.seek(0)
        return await asyncio.to_thread(numbers_in, file)


def _cell(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
