"""Uploads of this worker, and what others know of theirs."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from agents.told import HEADERS
from agents.uploads.checks import fingerprint
from agents.uploads.folder import KEPT_MS, Folder, Spool
from agents.uploads.progress import RejectedRow
from agents.uploads.uploads import (
    Asked,
    OtherUpload,
    Uploads,
    as_json,
    request_id_of,
    warnings_of,
)
from app.backend import IdempotencyConflict, Unavailable
from app.campaign_shapes import (
    Bytes,
    Json,
    Mistake,
    RefusedFile,
    RefusedUpload,
    Upload,
    Uploaded,
)
from app.cluster.peers import Peers
from app.facade.appends import Appends
from app.facade.campaigns.asking import Asking
from app.facade.campaigns.commands import EVENTS
from app.facade.cursors import cursor_of, place_of
from app.facade.parts import Parts
from app.shapes import Change, Page
from connectors.formats.csv_rows import NotCsv
from connectors.streams.base import Row
from domain.campaigns.described import DescriptionRefused
from domain.campaigns.document import Flow, Flows

FLOW_S = 3.0  # how long a flow that was just applied is waited for
SEEN_S = 5.0  # how long an answer waits until the shard shows the campaign
LOOK_S = 0.05
REJECTIONS, RAW, KEY = "rejections", "rejected_rows", "upload_of_key"
PIECE = 1_000
COLUMNS = ("row", "column", "code", "value")


class UploadsArea:
    """See `CampaignsBackend`, section Uploading."""

    def __init__(
        self, parts: Parts, flows: Flows, appends: Appends, asking: Asking, peers: Peers, crash: Any
    ) -> None:
        self._parts, self._flows, self._appends = parts, flows, appends
        self._asking, self._peers = asking, peers
        folder = Folder(parts.settings.data_dir / "uploads")
        self.uploads = Uploads(folder, self._send, self._flow, crash)
        self.questions = {
            REJECTIONS: self._own_rejections,
            RAW: self._own_raw,
            KEY: self._own_key,
        }

    async def take(self, upload: Upload, change: Change) -> Uploaded:
        spool = await self.uploads.spool(upload.body)
        try:
            asked = await self._asked(upload, change)
            known = await self._elsewhere(spool, asked)
            if known is not None:
                return known
            taken = await self.uploads.take(spool, asked)
        except OtherUpload as error:
            raise IdempotencyConflict(error.key) from error
        except NotCsv as error:
            raise RefusedFile(error.detail) from error
        except DescriptionRefused as error:
            raise refused(error) from error
        finally:
            await asyncio.to_thread(spool.close)
        await self._shown(taken.request_id)
        return Uploaded(taken.request_id, taken.warnings, taken.repeated)

    async def _elsewhere(self, spool: Spool, asked: Asked) -> Uploaded | None:
        """The answer that another worker gave to this key. Raises IdempotencyConflict."""
        key = asked.key
        if key is None or self.uploads.of_key(key, asked.now_ms) is not None:
            return None
        digest = await asyncio.to_thread(spool.sync)
        told = await self._peers.ask(KEY, {"key": key, "now_ms": asked.now_ms})
        found = next((one for one in told.values() if one is not None), None)
        if found is not None:
            if found["fingerprint"] != fingerprint(digest, asked.description):
                raise IdempotencyConflict(key)
            return Uploaded(found["request_id"], found["warnings"], repeated=True)
        # nobody who is here knows the key: who took it may be gone, but its shard is not
        request_id = request_id_of(str(asked.description.get("flow") or ""), key)
        about = await self._asking.of_request("about", request_id)
        if about is None or asked.now_ms - about["created_ms"] > KEPT_MS:
            return None
        if about["digest"] != digest:
            raise IdempotencyConflict(key)
        return Uploaded(request_id, (), repeated=True)

    async def _own_key(self, asked: dict[str, Any]) -> dict[str, Any] | None:
        """The upload that a key stands for at this worker."""
        meta = self.uploads.of_key(asked["key"], asked["now_ms"])
        if meta is None:
            return None
        shown = {"request_id": meta.request_id, "fingerprint": meta.fingerprint}
        return {**shown, "warnings": warnings_of(meta)}

    async def preview(self, upload: Upload) -> Json:
        spool = await self.uploads.spool(upload.body)
        try:
            asked = await self._asked(upload, Change(""))
            flow = asked.description.get("flow")
            mean_s = None
            if isinstance(flow, str) and await self._flow(flow) is not None:
                mean_s = await self._asking.of_flow("mean_seconds", flow, flow=flow)
            fits, rejections = await self.uploads.preview(spool, asked, mean_s)
        except NotCsv as error:
            raise RefusedFile(error.detail) from error
        except DescriptionRefused as error:
            raise refused(error) from error
        finally:
            await asyncio.to_thread(spool.close)
        return {
            "would_create": fits.would_create,
            "rejections": [shown(row) for row in rejections],
            "fits": fits.fits,
        }

    async def _asked(self, upload: Upload, change: Change) -> Asked:
        return Asked(
            await upload.description(),
            upload.filename,
            change.actor,
            change.reason,
            change.idempotency_key,
            self._parts.clock.now_ms(),
        )

    async def _flow(self, name: str) -> Flow | None:
        """The flow in force; one that was applied just now is waited for."""
        clock = asyncio.get_running_loop().time
        until = clock() + FLOW_S
        while True:
            await self._parts.catch_up()
            if self._flows.halted(name):
                raise Unavailable(f"flow {name}", "it, or its contact policy, is out of service")
            flow = self._flows(name)
            if flow is not None or clock() > until:
                return flow
            await asyncio.sleep(LOOK_S)

    async def _send(self, request_id: str, events: Sequence[Mapping[str, Any]]) -> None:
        rows: list[Row] = [(request_id.encode(), as_json(event), None, HEADERS) for event in events]
        await self._appends.append(EVENTS, rows, None)

    async def _shown(self, request_id: str) -> None:
        """Returns when the campaign is there to be read, or a while is over: it is durable."""
        clock = asyncio.get_running_loop().time
        until = clock() + SEEN_S
        while clock() < until:
            if await self._asking.of_request("about", request_id) is not None:
                return
            await asyncio.sleep(LOOK_S)

    # Rejections

    async def _own_rejections(self, asked: dict[str, Any]) -> list[list[Any]] | None:
        """[row, column, code, value] behind `after`, None when the upload isn't this worker's."""
        found = await self.uploads.rejections(asked["request_id"], asked["after"], asked["limit"])
        return None if found is None else [list(row[:4]) for row in found]

    async def _own_raw(self, asked: dict[str, Any]) -> list[Any] | None:
        """[columns, [row, bytes]…] behind `after`."""
        request_id = asked["request_id"]
        found = await self.uploads.rejections(request_id, asked["after"], asked["limit"])
        if found is None:
            return None
        meta = await asyncio.to_thread(self.uploads.folder.meta, request_id)
        columns = [] if meta is None else meta.columns
        return [columns, [[row.row, row.raw] for row in found]]

    async def _told(self, question: str, request_id: str, after: int, limit: int) -> Any:
        asked = {"request_id": request_id, "after": after, "limit": limit}
        told = await self._peers.ask(question, asked)
        return next(iter(told.values()), None)

    async def rejections(
        self, request_id: str, limit: int, cursor: str | None
    ) -> Page[Json] | None:
        after = 0 if cursor is None else place_of(cursor, int)
        found = await self._told(REJECTIONS, request_id, after, limit + 1)
        if found is None:
            return None if await self._without(request_id) is None else Page([])
        items = [dict(zip(COLUMNS, row, strict=True)) for row in found[:limit]]
        return Page(items, cursor_of(items[-1]["row"]) if len(found) > limit else None)

    async def rejected_rows(self, request_id: str) -> Bytes | None:
        first = await self._told(RAW, request_id, 0, PIECE)
        if first is None:
            about = await self._without(request_id)
            if about is None:
                return None
            first = [about["columns"], []]
        return self._raw(request_id, first)

    async def _without(self, request_id: str) -> Mapping[str, Any] | None:
        """What is known of a campaign whose upload nobody tells of; None when there is none of it.
        Raises Unavailable when it has rejected rows: to tell of none would say that all is well."""
        about = await self._asking.of_request("about", request_id)
        if about is not None and about.get("rejected"):
            raise untold(request_id)
        found: Mapping[str, Any] | None = about
        return found

    async def _raw(self, request_id: str, found: Any) -> AsyncIterator[bytes]:
        yield csv_line(found[0])
        while found[1]:
            yield b"".join(ended(raw) for _, raw in found[1] if raw)
            found = await self._told(RAW, request_id, found[1][-1][0], PIECE)
            if found is None:  # else the file would end as if it were whole
                raise untold(request_id)


def refused(error: DescriptionRefused) -> RefusedUpload:
    """As whoever asked is told."""
    return RefusedUpload([Mistake(w.path, w.value, w.expected) for w in error.wrongs])


def untold(request_id: str) -> Unavailable:
    """What whoever asked for rejected rows is told when nobody has them."""
    detail = f"the worker that read the file (uploads/{request_id} in its data directory) is away"
    return Unavailable(f"rejected rows of {request_id}", detail)


def shown(row: RejectedRow) -> dict[str, Any]:
    """A rejected row as it is printed."""
    return {"row": row.row, "column": row.column, "code": row.code, "value": row.value}


def ended(raw: bytes) -> bytes:
    """A row with its line end: the last of a file may have none."""
    return raw if raw.endswith(b"\n") else raw + b"\r\n"


def csv_line(cells: Sequence[str]) -> bytes:
    """A line of a CSV, its cells as they are."""
    return ",".join(map(_quoted, cells)).encode() + b"\r\n"


def _quoted(cell: str) -> str:
    special = any(c in cell for c in ',"\r\n')
    return '"' + cell.replace('"', '""') + '"' if special else cell
