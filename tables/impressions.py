"""The queue of impressions: loads and dimensions that were asked for, and objects that are known.

`<app>-impressions-changelog`, one partition, one writer. A row a job, under its key; one that says
up to where `impression-events` was taken; one for each day whose file is missed. Everything is in
memory: as much as there are objects in the incoming place, and jobs that wait.

What one call of `put` writes may survive a kill in part, from its beginning: rows that say more
(a position) stand behind those that they rely on.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec

from domain.impressions.jobs import EVENT, FILE, Job
from tables.changelog import Change
from tables.claimed import ClaimedLog

POSITION: Final = "position"
MISSED: Final = "missed/"

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Job).decode
_decode_number = msgspec.json.Decoder(int).decode


@dataclass
class ImpressionsLog(ClaimedLog):
    """See the module. `open` first. `applied` is the next offset of `impression-events`; `missed`:
    ISO day -> since when (epoch ms) an alert for it is on."""

    jobs: dict[str, Job] = field(default_factory=dict)
    applied: int = 0
    missed: dict[str, int] = field(default_factory=dict)

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
