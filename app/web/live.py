"""Server-sent events: opening, writing and, when the application stops, ending streams."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from typing import Final

from aiohttp import web

from agents.ending import end
from app.web import masked
from app.web.people import still_allowed

LOOK_S = 1.0  # how soon a stream ends after who reads it has signed out


class EventStream(web.StreamResponse):
    """A stream of events to who asked by `request`."""

    def __init__(self, request: web.Request) -> None:
        super().__init__(
            headers={
                "Content-Type": "text/event-stream; charset=utf-8",
                "Cache-Control": "no-store",
                "X-Accel-Buffering": "no",
            }
        )
        self.request = request


Send = Callable[[EventStream], Coroutine[None, None, None]]


class Hub:
    """Knows the open streams, so that a stopping server ends them instead of waiting."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[object]] = set()

    def add(self, task: asyncio.Task[object]) -> None:
        """A stream begins in this task."""
        self._tasks.add(task)

    def remove(self, task: asyncio.Task[object]) -> None:
        """The stream of this task is over."""
        self._tasks.discard(task)

    def close(self) -> None:
        """Ends all streams; clients connect again to whoever serves next."""
        for task in tuple(self._tasks):
            task.cancel()


HUB: Final = web.AppKey[Hub]("hub")


async def stream(request: web.Request, send: Send) -> web.StreamResponse:
    """Answers with an event stream that `send` writes, until it returns, the client goes or the
    application stops."""
    response = EventStream(request)
    task = asyncio.current_task()
    hub = request.app[HUB]
    if task is not None:
        hub.add(task)
    try:
        with contextlib.suppress(ConnectionResetError):
            await response.prepare(request)
            await _while_allowed(request, send(response))
    finally:
        if task is not None:
            hub.remove(task)
    return response


async def _while_allowed(request: web.Request, work: Coroutine[None, None, None]) -> None:
    """Does the work until it ends, or until who asked may not any more."""
    task = asyncio.create_task(work)
    try:
        while still_allowed(request):
            done, _ = await asyncio.wait((task,), timeout=LOOK_S)
            if done:
                return task.result()
    finally:
        await end(task)


async def write_event(
    response: EventStream,
    data: bytes,
    event: str | None = None,
    event_id: str | None = None,
) -> None:
    """Writes one event; `data` must be JSON in one line. Phone numbers in it are masked for who may
    not see them.
    """
    masker = masked.masker_of(response.request)
    if masker is not None:
        data = masker.json(data.decode()).encode()
        await masked.tell(response.request)
    head = b""
    if event is not None:
        head += b"event: " + event.encode() + b"\n"
    if event_id is not None:
        head += b"id: " + event_id.encode() + b"\n"
    await response.write(head + b"data: " + data + b"\n\n")
