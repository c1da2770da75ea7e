"""Live pages, made once for all who watch the same, however many they are.

Viewers of one address who may see the same share a watch: one task that builds the page, renders
its pieces and makes the events of those that have changed. Each viewer is sent what it hasn't had.
What is a viewer's own (the token of its forms) is put in on the way out.
"""

import asyncio
import secrets
import string
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from aiohttp import web

from agents.ending import end
from app.web.wire import dumps

OWN_TOKEN: Final = "".join(secrets.choice(string.ascii_letters) for _ in range(32))
"""In the place of the one of each viewer's forms; nobody knows it who could write it elsewhere."""


class Piece(NamedTuple):
    """A piece as it is: `digest` tells whether it has changed, `event` is what is sent of it,
    `numbers` how many phone numbers are seen unmasked in it."""

    digest: str
    event: bytes
    numbers: int = 0


@dataclass(frozen=True)
class Round:
    """A page at one moment. `first` goes to everybody."""

    number: int
    first: bytes
    pieces: Mapping[str, Piece] = field(default_factory=dict)


Make = Callable[[Round | None], Awaitable[Round]]
"""The next round, given the one before."""


class Watch:
    """One page that is watched. `next` raises what the making of a round raised."""

    def __init__(self, make: Make, every_s: float) -> None:
        self._make, self._every_s = make, every_s
        self._latest: Round | None = None
        self._changed = asyncio.Event()
        self.viewers = 0
        self.task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        try:
            while True:
                self._latest = await self._make(self._latest)
                self._tell()
                await asyncio.sleep(self._every_s)
        finally:
            self._tell()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def next(self, seen: int) -> Round:
        """The latest round, once it is a later one than `seen`."""
        while self._latest is None or self._latest.number <= seen:
            if self.task.done():
                self.task.result()  # it ends by what it raises only
            await self._changed.wait()
        return self._latest


class Watches:
    """The pages that are watched now; a watch ends with its last viewer."""

    def __init__(self) -> None:
        self._open: dict[Hashable, Watch] = {}

    @asynccontextmanager
    async def of(self, key: Hashable, make: Make, every_s: float) -> AsyncIterator[Watch]:
        """The watch of all who give an equal key, begun by the first of them."""
        watch = self._open.get(key)
        if watch is None or watch.task.done():
            watch = self._open[key] = Watch(make, every_s)
        watch.viewers += 1
        try:
            yield watch
        finally:
            watch.viewers -= 1
            if not watch.viewers:
                if self._open.get(key) is watch:
                    del self._open[key]
                await end(watch.task)


WATCHES: Final = web.AppKey[Watches]("watches")


def event(name: str, data: object) -> bytes:
    """A server-sent event."""
    return event_of(name, dumps(data))


def event_of(name: str, data: bytes) -> bytes:
    """The same of JSON in one line."""
    return b"event: " + name.encode() + b"\ndata: " + data + b"\n\n"


def news(found: Round, had: dict[str, str], token: str) -> bytes:
    """What a viewer is sent who has had these digests, which are brought up to date."""
    parts = [found.first]
    for name, piece in found.pieces.items():
        if had.get(name) != piece.digest:
            had[name] = piece.digest
            parts.append(piece.event)
    return b"".join(parts).replace(OWN_TOKEN.encode(), token.encode())
