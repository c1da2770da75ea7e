"""How far every source is, and what is under way.

`<app>-sources-changelog`, one partition (a *lane*) one writer, holds one row a source. A page moves
a source on in this order:

    1. the row says which files the page will be (`pending`), with the cursor that follows it
    2. the files, one after the other; the page is whole with the last one
    3. its records on topic `source-events`, acknowledged
    4. the row moves on to that cursor; with the last page of a fetch, the fetch is over

A kill before the last file is in place leaves files that are removed, and the page is fetched again
from the same cursor; after it, the page is read back from the archive and goes on with 3. So a page
that was archived is never asked for again; its events may be sent again, with the same content.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from tables.changelog import Change
from tables.claimed import ClaimedLog


class Pending(msgspec.Struct, frozen=True, array_like=True):
    """A page that is being archived: its number is the place's and one. `names`: its files. Of the
    last page of a fetch, `ends_ms` is up to when the schedule is then seen to."""

    epoch: int
    attempt: int
    names: list[str]
    cursor: dict[str, Any] | None
    ends_ms: int | None = None


class Trouble(msgspec.Struct, frozen=True, array_like=True):
    """Why the last fetch failed. `status`: that of HTTP, if it got one; `since_ms`: when the first
    failed in a row that no good one ended."""

    detail: str
    status: int | None
    at_ms: int
    since_ms: int


class Place(msgspec.Struct, frozen=True, array_like=True):
    """`number` is that of the last page archived, `cursor` what follows it. `scheduled_ms`: up to
    when the schedule is seen to; `fetched_ms`: when the last good fetch ended. `pages` and
    `records` count what was archived."""

    number: int = 0
    cursor: dict[str, Any] | None = None
    scheduled_ms: int = 0
    fetched_ms: int | None = None
    trouble: Trouble | None = None
    pending: Pending | None = None
    pages: int = 0
    records: int = 0


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Place).decode


@dataclass
class SourceLog(ClaimedLog):
    """One lane. `open` first; appends of several tasks follow each other."""

    places: dict[str, Place] = field(default_factory=dict)

    async def put(self, source: str, place: Place) -> None:
        """Moves a source on; durable when it returns. Raises Fenced."""
        await self._append([(source.encode(), _encode(place))])

    def _current(self, key: bytes) -> Change:
        place = self.places.get(key.decode())
        return key, None if place is None else _encode(place)

    def _take(self, changes: Iterable[Change]) -> None:
        for key, body in changes:
            if body is None:
                self.places.pop(key.decode(), None)
            else:
                self.places[key.decode()] = _decode(body)
