"""The uploads of this worker: taken, made durable, read, and told of.

    1. the file and what it is, durable in the data directory (`folder.py`): the answer goes out
    2. the `upload` event, acknowledged by the stream
    3. chunk by chunk: its `rows` events, acknowledged; then how far the file is read, here
    4. the `rows_end` event, acknowledged; the file is removed

Killed anywhere, the next start goes on: an event that may be out already is sent again with the
same id and content, and the shard passes it over.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from hashlib import blake2b
from typing import Any, NamedTuple
from uuid import uuid4

import msgspec

from agents.ending import end
from agents.uploads import checks
from agents.uploads.folder import KEPT_MS, Folder, Meta, Spool
from agents.uploads.progress import Progress, RejectedRow
from agents.uploads.reading import Reading, first_event, last_event
from connectors.streams.base import StreamUnavailable
from domain.campaigns.days import day_text
from domain.campaigns.described import Description, described, warnings
from domain.campaigns.document import Flow, flow_json, flow_of
from domain.errors import SluiceError

logger = logging.getLogger(__name__)
AT_A_TIME = 2  # files read side by side; more would wait for the same disk and stream
RETRY_S = 1.0  # between two tries of a stream that is away

Send = Callable[[str, Sequence[Mapping[str, Any]]], Awaitable[None]]
"""Appends events of a request, in order; returns when they are durable."""
FlowOf = Callable[[str], Awaitable[Flow | None]]
_to_json = msgspec.json.Encoder().encode


class OtherUpload(SluiceError):
    """The Idempotency-Key stands for another file or description."""

    def __init__(self, key: str) -> None:
        self.key = key
        super().__init__(f"Idempotency-Key {key!r} was used for another upload")


class Asked(NamedTuple):
    """How an upload is asked for. `request_id` when it is given (in an event), else None;
    `command`: the event's id."""

    description: Mapping[str, Any]
    filename: str
    actor: str
    reason: str
    key: str | None
    now_ms: int
    request_id: str | None = None
    command: str = ""


class Taken(NamedTuple):
    """`repeated`: the same upload was taken before."""

    request_id: str
    warnings: list[dict[str, str]]
    repeated: bool


class UnderWay(NamedTuple):
    """An upload that is being read: how much of the file's bytes, how many rows."""

    meta: Meta
    share: float
    row: int


class Uploads:
    """See the module. `crash` hears of a reading that failed. Safe to use by several tasks."""

    def __init__(
        self,
        folder: Folder,
        send: Send,
        flow_of: FlowOf,
        crash: Callable[[BaseException], None],
    ) -> None:
        self.folder = folder
        self._send, self._flow_of, self._crash = send, flow_of, crash
        self._keys: dict[str, Meta] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._live: dict[str, tuple[Meta, Reading]] = {}
        self._turn = asyncio.Semaphore(AT_A_TIME)
        self._keeping = asyncio.Lock()

    async def start(self) -> None:
        """Goes on with what is not read to its end."""
        for meta in await asyncio.to_thread(self.folder.start):
            if meta.key is not None:
                self._keys[meta.key] = meta
            if (self.folder.home(meta.request_id) / "file").exists():
                self._read(meta)

    async def stop(self) -> None:
        """Stops reading; what is durable stays, and the next start goes on."""
        await end(*self._tasks.values())

    async def spool(self, body: AsyncIterator[bytes]) -> Spool:
        """The file, on disk. `close` it in any case; what was not taken is removed by that."""
        spool = await asyncio.to_thread(self.folder.spool)
        try:
            async for piece in body:
                await asyncio.to_thread(spool.write, piece)
        except BaseException:
            await asyncio.to_thread(spool.close)
            raise
        return spool

    async def take(self, spool: Spool, asked: Asked) -> Taken:
        """Checks an upload and makes it durable; its rows are read from then on.

        Raises NotCsv, DescriptionRefused, OtherUpload; then nothing is kept.
        """
        digest = await asyncio.to_thread(spool.sync)
        mark = checks.fingerprint(digest, asked.description)
        async with self._keeping:
            known = self._known(asked)
            if known is not None:
                if known.fingerprint != mark:
                    raise OtherUpload(asked.key or known.request_id)
                return Taken(known.request_id, warnings_of(known), repeated=True)
            description, flow = await self.described(asked.description, asked.now_ms)
            head = await asyncio.to_thread(checks.checked_head, spool, description)
            meta = Meta(
                request_id=asked.request_id or self._new_id(flow.name, asked.key),
                description=given(asked.description, description),
                flow=flow_json(flow),
                now_ms=asked.now_ms,
                filename=asked.filename,
                digest=digest,
                fingerprint=mark,
                key=asked.key,
                actor=asked.actor,
                reason=asked.reason,
                size=spool.size,
                columns=head.columns,
                rows_at=head.rows_at,
                command=asked.command,
                last_day=description.last_day,
            )
            await asyncio.to_thread(self.folder.keep, spool, meta)
            if meta.key is not None:
                self._keys[meta.key] = meta
        self._read(meta)
        return Taken(meta.request_id, warnings(description), repeated=False)

    async def preview(
        self, spool: Spool, asked: Asked, mean_s: float | None
    ) -> tuple[checks.Fits, Sequence[RejectedRow]]:
        """What an upload would make, and the first of its rejections. `mean_s`: of the flow's last
        executions, for flows that don't say it themselves. Raises as `take` does."""
        await asyncio.to_thread(spool.sync)
        description, flow = await self.described(asked.description, asked.now_ms)
        head = await asyncio.to_thread(checks.checked_head, spool, description)
        looked = await asyncio.to_thread(checks.looked_through, spool, head, description, flow)
        if flow.executor == "simulated" and flow.simulated is not None:
            mean_s = sum(flow.simulated.seconds) / 2
        fits = checks.would_fit(description, flow, looked.records, mean_s, asked.now_ms)
        return fits, looked.rejections

    async def described(self, data: Mapping[str, Any], now_ms: int) -> Any:
        """See `domain.campaigns.described.described`; the flow is waited for a moment."""
        name = data.get("flow")
        flow = await self._flow_of(name) if isinstance(name, str) else None
        given = {name: value for name, value in data.items() if value is not None}
        return described(given, lambda _: flow, now_ms)

    def of_key(self, key: str, now_ms: int) -> Meta | None:
        """The upload that an Idempotency-Key stands for here, as long as keys are kept."""
        known = self._keys.get(key)
        if known is not None and now_ms - known.now_ms > KEPT_MS:
            del self._keys[key]
            return None
        return known

    def _known(self, asked: Asked) -> Meta | None:
        """The upload that this is a repeat of, or that stands in its way."""
        if asked.request_id is not None:
            return self.folder.meta(asked.request_id)
        return None if asked.key is None else self.of_key(asked.key, asked.now_ms)

    def _new_id(self, flow: str, key: str | None) -> str:
        if key is not None:
            made = request_id_of(flow, key)
            if not self.folder.home(made).exists():
                return made  # else the key stood for another one, more than a week ago
        return f"{flow}-{uuid4().hex[:16]}"

    # Reading

    def _read(self, meta: Meta) -> None:
        task = asyncio.create_task(self._reading(meta))
        self._tasks[meta.request_id] = task

        def ended(task: asyncio.Task[None]) -> None:
            self._tasks.pop(meta.request_id, None)
            error = None if task.cancelled() else task.exception()
            if error is not None:
                self._crash(error)

        task.add_done_callback(ended)

    async def _reading(self, meta: Meta) -> None:
        async with self._turn:
            description, flow = described_again(meta)
            home = self.folder.home(meta.request_id)
            reading = await asyncio.to_thread(Reading, meta, description, flow, home)
            self._live[meta.request_id] = meta, reading
            try:
                await self._sent(meta, [first_event(meta)])
                while (chunk := await asyncio.to_thread(reading.next)) is not None:
                    await self._sent(meta, [chunk.event])
                    await asyncio.to_thread(reading.done, chunk)
                await self._sent(meta, [last_event(meta, reading.reached)])
                await asyncio.to_thread(reading.finish)
            finally:
                del self._live[meta.request_id]
                await asyncio.shield(asyncio.to_thread(reading.close))

    async def _sent(self, meta: Meta, events: Sequence[Mapping[str, Any]]) -> None:
        await self.tell(meta.request_id, events)

    async def tell(self, request_id: str, events: Sequence[Mapping[str, Any]]) -> None:
        """Appends events about a request; returns when they are durable, however long the stream
        is away."""
        while True:
            try:
                return await self._send(request_id, events)
            except StreamUnavailable as error:
                logger.warning("events of %s wait for the stream: %s", request_id, error)
                await asyncio.sleep(RETRY_S)

    def reading(self) -> list[str]:
        """The uploads that are being read here, or wait for it."""
        return sorted(self._tasks)

    def under_way(self) -> list[UnderWay]:
        """The uploads that are being read here now."""
        return [
            UnderWay(meta, reading.share, reading.reached.row)
            for _, (meta, reading) in sorted(self._live.items())
        ]

    async def read_to_end(self, request_id: str) -> None:
        """Returns when an upload is read; at once when it isn't being read here."""
        task = self._tasks.get(request_id)
        if task is not None:
            await asyncio.wait([task])

    # What is told

    def progress(self, request_id: str) -> Progress | None:
        """How an upload is read and what was rejected; to be closed. None when it isn't here."""
        home = self.folder.home(request_id)
        if not (home / "upload.json").exists():
            return None
        return Progress(home / "reading.sqlite")

    async def rejections(self, request_id: str, after: int, limit: int) -> list[RejectedRow] | None:
        """Rejected rows behind that one; None when the upload isn't here."""

        def look() -> list[RejectedRow] | None:
            progress = self.progress(request_id)
            if progress is None:
                return None
            try:
                return progress.rejections(after, limit)
            finally:
                progress.close()

        return await asyncio.to_thread(look)


def request_id_of(flow: str, key: str) -> str:
    """The request id of an upload with that Idempotency-Key."""
    return f"{flow}-{blake2b(key.encode(), digest_size=8).hexdigest()}"


def described_again(meta: Meta) -> Any:
    """The description and flow of an upload that was taken."""
    flow = flow_of(meta.flow)
    return described(meta.description, lambda _: flow, meta.now_ms, meta.last_day)


def warnings_of(meta: Meta) -> list[dict[str, str]]:
    """What was said when it was taken."""
    return warnings(described_again(meta)[0])


def as_json(event: Mapping[str, Any]) -> bytes:
    """An event as it goes onto the stream."""
    return _to_json(event)


def given(data: Mapping[str, Any], description: Description) -> dict[str, Any]:
    """A description as it is kept: what is null left out, today said."""
    found = {name: value for name, value in data.items() if value is not None}
    return found | {"start_date": day_text(description.start_day)}
