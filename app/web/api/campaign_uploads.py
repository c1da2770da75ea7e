"""Uploading a file over HTTP: multipart, read as a stream."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import msgspec
from aiohttp import BodyPartReader, MultipartReader, web

from app.campaign_shapes import Mistake, RefusedUpload, Upload
from app.shapes import Change
from app.web import audited, params
from app.web.api import campaign_outs as outs
from app.web.api.campaign_bodies import REASON_MAX, wrong
from app.web.bodies import BROKEN
from app.web.context import BACKEND
from app.web.limits import counted
from app.web.people import actor_of
from app.web.problems import ProblemError
from app.web.routes import DRY_RUN, IDEMPOTENCY_KEY, REASON, Answer, Route
from app.web.wire import answer, loads

PIECE_BYTES = 256 * 1024
DESCRIPTION_BYTES = 64 * 1024  # a description has a dozen short members


async def upload(request: web.Request) -> web.StreamResponse:
    """Takes a file with its description; answers when both are durable."""
    dry_run = params.dry_run(request)
    reason = request.query.get("reason", "")
    if len(reason) > REASON_MAX:
        raise wrong("reason", reason, f"text of at most {REASON_MAX} characters")
    change = Change(actor_of(request), reason, params.idempotency_key(request))
    form = Form(request)
    backend = request.app[BACKEND]
    if dry_run:
        return answer(await backend.preview_upload(await form.upload()))
    done = await backend.upload_campaign(await form.upload(), change)
    audited.note(request, object=done.request_id)
    headers = {"Location": f"/api/campaigns/{done.request_id}"}
    return answer({"request_id": done.request_id, "warnings": done.warnings}, 202, headers)


class Form:
    """The parts `file` and `description` of a multipart body, in either order.

    Only one is read at a time and none is held but the description. `fields` are the texts of
    other parts that `texts` names, known once the body is read. Used by the console's form too.
    """

    def __init__(self, request: web.Request, texts: frozenset[str] = frozenset()) -> None:
        if request.content_type != "multipart/form-data":
            raise ProblemError(
                415,
                "unsupported-media-type",
                "An upload is multipart/form-data with the parts file and description, "
                f"not {request.content_type}.",
                [{"path": "Content-Type", "value": request.content_type}],
            )
        self._request = request
        self._texts = texts
        self._reader: MultipartReader | None = None
        self._described: Mapping[str, Any] | None = None
        self.fields: dict[str, str] = {}

    async def upload(self) -> Upload:
        """The file, its first byte not yet read. Raises RefusedUpload when there is none."""
        part = await self._next("file")
        if part is None:
            raise RefusedUpload([Mistake("file", None, "a multipart part with the CSV file")])
        pieces = counted(self._request, _pieces(part))
        return Upload(self.description, part.filename or "", pieces)

    async def description(self) -> Mapping[str, Any]:
        """See `Upload.description`."""
        if self._described is None:
            await self._next("")
        if self._described is None:
            expected = "a multipart part with the JSON description"
            raise RefusedUpload([Mistake("description", None, expected)])
        return self._described

    async def _next(self, wanted: str) -> BodyPartReader | None:
        """The part of that name; takes the others on the way. None at the end."""
        try:
            if self._reader is None:
                self._reader = await self._request.multipart()
            while (part := await self._reader.next()) is not None:
                if not isinstance(part, BodyPartReader):
                    raise wrong(part.headers.get("Content-Type", ""), "multipart", "a plain part")
                if part.name == wanted:
                    return part
                await self._take(part)
        except BROKEN as error:
            raise ProblemError(
                400, "bad-multipart", f"The multipart body can't be read: {error}."
            ) from error
        return None

    async def _take(self, part: BodyPartReader) -> None:
        name = part.name or ""
        if name == "file":
            raise RefusedUpload([Mistake("file", part.filename, "one file")])
        if name != "description" and name not in self._texts:
            raise RefusedUpload([Mistake(name, None, "only the parts file and description")])
        text = bytearray()
        while piece := await part.read_chunk(DESCRIPTION_BYTES):
            text += piece
            if len(text) > DESCRIPTION_BYTES:
                raise RefusedUpload([Mistake(name, len(text), f"{DESCRIPTION_BYTES:,} bytes")])
        if name == "description":
            self._described = _described(bytes(text))
        else:
            self.fields[name] = text.decode("utf-8", "replace")


def _described(text: bytes) -> Mapping[str, Any]:
    try:
        found = loads(text)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RefusedUpload([Mistake("description", str(error), "a JSON object")]) from error
    if not isinstance(found, dict):
        raise RefusedUpload([Mistake("description", type(found).__name__, "a JSON object")])
    return found


async def _pieces(part: BodyPartReader) -> AsyncIterator[bytes]:
    while piece := await part.read_chunk(PIECE_BYTES):
        yield part.decode(piece)


ROUTES = (
    Route(
        "POST",
        "/api/campaigns",
        upload,
        "Uploads a file of records to be contacted",
        "Campaigns",
        {
            200: Answer(
                "with `dry_run`: what it would make; nothing is kept", outs.UploadPreviewOut
            ),
            202: Answer("the file is durable and will be read", outs.UploadedOut),
        },
        (
            DRY_RUN,
            REASON,
            IDEMPOTENCY_KEY,
        ),
        {
            "multipart/form-data": "`file`: a CSV, plain or .gz; `description`: JSON with `flow` "
            "and, as wanted, `name`, `number_column`, `schedule_column`, `slots`, `days`, "
            "`start_date`, `duplicates` (allow, first or reject)"
        },
        {
            415: "the first 64 KiB are not UTF-8 text, or no readable gzip; nothing is kept",
            422: "the description or the header is not accepted (errors[] says where), or the key "
            "stands for another request; nothing is kept",
        },
    ),
)
