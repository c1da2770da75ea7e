"""A line that writes files.

A file is (1) written under a temporary name and made durable, (2) decided on: its range of offsets
is written down, (3) renamed into place, (4) the position moves behind it. A kill before 2 leaves a
temporary file that is thrown away; one between 2 and 4 ends with exactly that file, found in place
or written again with the same name and content. So a complete file is never followed by one that
has a record of it again, and none is left out.
"""

import asyncio
from contextlib import suppress

from agents.sinks.feed import Piece
from agents.sinks.line import SOON_S, WAIT_S, Kit, Line, counted
from connectors.sinks.base import Refusal
from connectors.sinks.files import Folder, Part
from domain.errors import Invariant
from domain.sinks.columns import NoFit
from domain.sinks.document import Files, Sink
from domain.sinks.rotation import Filled, complete, stem
from tables.sinks import Counts, Place


class Filing(Line):
    """See the module."""

    def __init__(self, sink: Sink, kit: Kit, owner: str) -> None:
        super().__init__(sink, kit)
        if not isinstance(sink.target, Files):
            raise Invariant("a line fits its sink", f"{sink.name} has {sink.target.kind}")
        self._rotate = sink.target.rotate
        beginning = stem(sink.name, sink.input, kit.partition)
        self._folder = Folder(sink.target, beginning, owner)
        self._part: Part | None = None
        self._begun_ms = 0

    async def run(self) -> None:
        """See `Line`."""
        try:
            while True:
                try:
                    await self._from_the_place()
                except OSError as error:
                    await self._drop()
                    await self.back_off(f"{self._folder.path}: {error.strerror or error}")
        finally:
            await self._drop()

    async def _drop(self) -> None:
        part, self._part = self._part, None
        if part is not None:
            with suppress(OSError):  # what is left of it is thrown away at the next start
                await asyncio.to_thread(part.drop)

    async def _from_the_place(self) -> None:
        place = await self.begin()
        await asyncio.to_thread(self._folder.prepare)
        await asyncio.to_thread(self._folder.clean)
        if place.closing >= 0:
            place = await self._finish(place)
        pieces: list[Piece] = []
        at, counts = place.next, Counts()
        while True:
            if self._part is not None and complete(self._rotate, self._filled(), self._now()):
                place, counts = await self._close(place, at, counts), Counts()
            if not pieces:
                wait = WAIT_S if self._part is None else SOON_S
                pieces, following = await self.feed.read(at, place, wait)
                if not pieces:
                    at = max(at, following)
            taken, pieces = await self._fill(pieces, whole=False)
            if taken:
                counts = counts.plus(counted(taken))
                at = pieces[0].offset if pieces else following
            if self._part is None and at > place.next:
                place, counts = place.moved(at, counts), Counts()
                await self.kit.lane.put(self.key, place)

    def _now(self) -> int:
        return self.kit.clock.now_ms()

    def _filled(self) -> Filled:
        part = self._part
        if part is None:
            return Filled(0, 0, 0)
        return Filled(part.bytes, part.records, self._begun_ms)

    async def _fill(self, pieces: list[Piece], *, whole: bool) -> tuple[list[Piece], list[Piece]]:
        """(those that are in the file or decided otherwise, those left). Unless it is `whole`, it
        stops when the file is complete."""
        await self.refuse_undecodable(pieces)
        if any(piece.fate == "send" for piece in pieces) and self._part is None:
            self._part = await asyncio.to_thread(self._folder.begin)
            self._begun_ms = self._now()
        taken, refusals = await asyncio.to_thread(self._add, pieces, whole, self._now())
        if refusals:
            by_offset = {piece.offset: piece for piece in taken}
            await self.refuse(by_offset, refusals, "refused")
            taken = [
                Piece(p.offset, "refused", p.record, p.value) if p.offset in refusals else p
                for p in taken
            ]
        part = self._part
        if part is not None and part.records == 0:
            await self._drop()
        return taken, pieces[len(taken) :]

    def _add(
        self, pieces: list[Piece], whole: bool, now_ms: int
    ) -> tuple[list[Piece], dict[int, Refusal]]:
        taken: list[Piece] = []
        refusals: dict[int, Refusal] = {}
        for piece in pieces:
            taken.append(piece)
            if piece.fate != "send" or piece.record is None or self._part is None:
                continue
            try:
                self._part.add(piece.record)
            except NoFit as error:
                refusals[piece.offset] = Refusal(str(error))
            if not whole and complete(self._rotate, self._filled(), now_ms):
                break
        return taken, refusals

    async def _close(self, place: Place, end: int, counts: Counts) -> Place:
        part, self._part = self._part, None
        if part is None:
            return place
        await asyncio.to_thread(part.finish)
        decided = Place(place.next, place.start, place.counts, end, counts)
        await self.kit.lane.put(self.key, decided)
        await asyncio.to_thread(self._folder.complete, place.next, end)
        return await self._behind(decided)

    async def _behind(self, decided: Place) -> Place:
        place = decided.moved(decided.closing, decided.closed)
        await self.kit.lane.put(self.key, place)
        self.well()
        return place

    async def _finish(self, decided: Place) -> Place:
        """The file that was decided on is put in place, unless it is there."""
        first, end = decided.next, decided.closing
        if not await asyncio.to_thread(self._folder.has, first, end):
            at = first
            while at < end:
                pieces, following = await self.feed.read(at, decided, 0.0)
                await self._fill([p for p in pieces if p.offset < end], whole=True)
                if following <= at:
                    break
                at = following
            part, self._part = self._part, None
            if part is not None:
                await asyncio.to_thread(part.finish)
                await asyncio.to_thread(self._folder.complete, first, end)
        return await self._behind(decided)
