"""The queue of impressions: loads and dimensions that were asked for, and objects that are known.

`<app>-impressions-changelog`, one partition, one writer. A row a job, under its key; one that says
up to where `impression-events` was taken; one for each day whose file is missed. Everything is in
memory: as much as there are objects in the incoming place, and jobs that wait.

What one call of `put` writes may survive a kill in part, from its beginning: rows that say more
(a position) stand behind those that they rely on.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec

from domain.impressions.jobs import EVENT, FILE, Job
from tables.changelog import Change, Changelog

POSITION: Final = "position"
MISSED: Final = "missed/"

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Job).decode
_decode_number = msgspec.json.Decoder(int).decode


@dataclass
class ImpressionsLog:
    """See the module. `open` first. `applied` is the next offset of `impression-events`; `missed`:
    ISO day -> since when (epoch ms) an alert for it is on."""

    changelog: Changelog
    jobs: dict[str, Job] = field(default_factory=dict)
    applied: int = 0
    missed: dict[str, int] = field(default_factory=dict)
    _one_writer: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def open(self) -> None:
        """Reads everything and claims the partition."""
        async for changes in self.changelog.follow(0):
            self._take(changes)
        self._take(await self.changelog.claim())

    async def still_ours(self) -> bool:
        """Whether nobody else has written since."""
        async with self._one_writer:
            return await self.changelog.end() == self.changelog.next_offset

    @property
    def next_number(self) -> int:
        """The place of the next job in the queue."""
        return 1 + max((job.number for job in self.jobs.values()), default=0)

    async def put(
        self, jobs: Sequence[Job] = (), gone: Iterable[str] = (), applied: int | None = None
    ) -> None:
        """Puts jobs, forgets the keys `gone`, moves the position; durable when it returns. Raises
        Fenced."""
        changes: list[Change] = [(job.key.encode(), _encode(job)) for job in jobs]
        changes += [(key.encode(), None) for key in gone]
        if applied is not None:
            changes.append((POSITION.encode(), _encode(applied)))
        await self._append(changes)

    async def miss(self, day: str, since_ms: int | None) -> None:
        """Notes that a day's file is missed, or (None) no longer."""
        body = None if since_ms is None else _encode(since_ms)
        await self._append([(f"{MISSED}{day}".encode(), body)])

    async def _append(self, changes: list[Change]) -> None:
        """Goes on when its caller is cancelled: what the log has must be known here, too."""
        if changes:
            writing = asyncio.create_task(self._write(changes))
            writing.add_done_callback(_seen)
            await asyncio.shield(writing)

    async def _write(self, changes: list[Change]) -> None:
        async with self._one_writer:
            await self.changelog.append(changes)
            self._take(changes)
            while self.changelog.intruded:  # a straggler wrote these keys: ours must be the last
                keys = list(self.changelog.intruded)
                self.changelog.intruded.clear()
                await self.changelog.append([self._current(key) for key in keys])

    def _current(self, key: bytes) -> Change:
        text = key.decode()
        body: bytes | None = None
        if text == POSITION:
            body = _encode(self.applied)
        elif text.startswith(MISSED):
            since_ms = self.missed.get(text.removeprefix(MISSED))
            body = None if since_ms is None else _encode(since_ms)
        elif text in self.jobs:
            body = _encode(self.jobs[text])
        return key, body

    def _take(self, changes: Iterable[Change]) -> None:
        for key, body in changes:
            text = key.decode()
            if text == POSITION:
                self.applied = 0 if body is None else _decode_number(body)
            elif text.startswith(MISSED):
                day = text.removeprefix(MISSED)
                if body is None:
                    self.missed.pop(day, None)
                else:
                    self.missed[day] = _decode_number(body)
            elif text.startswith((EVENT, FILE)):
                if body is None:
                    self.jobs.pop(text, None)
                else:
                    self.jobs[text] = _decode(body)


def _seen(writing: asyncio.Task[None]) -> None:
    """Whoever waits for it gets what it raised; nobody may."""
    if not writing.cancelled():
        writing.exception()
