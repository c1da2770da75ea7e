"""A line to a target that takes records as they come: HTTP, MySQL."""

import logging
from asyncio import get_running_loop
from collections import deque
from dataclasses import replace

from agents.sinks.feed import Piece
from agents.sinks.line import SOON_S, WAIT_S, Kit, Line, counted
from connectors.sinks.base import Outcome, Refusal, Target, TryLater
from domain.sinks.document import Batch, Http, MySql, Sink
from tables.sinks import Place

logger = logging.getLogger(__name__)
WINDOW = Batch(100, 0.0)  # records that a webhook without batches has on the way, and no more
AHEAD = 10_000  # pieces read ahead at most


class _Moved(Exception):
    """The target stands elsewhere: what was read ahead is of no use."""


class Delivery(Line):
    """See `Line`. Owns the target."""

    def __init__(self, sink: Sink, kit: Kit, target: Target) -> None:
        super().__init__(sink, kit)
        self._target = target
        document = sink.target
        batch = document.batch if isinstance(document, Http | MySql) else None
        self._batch = batch or WINDOW
        self._pending: deque[Piece] = deque()
        self._read_at = 0
        self._adopted = 0  # the target has what stands before this offset

    async def run(self) -> None:
        """See `Line`."""
        try:
            while True:
                try:
                    await self._from_the_place()
                except _Moved:
                    continue
        finally:
            await self._target.close()

    async def _from_the_place(self) -> None:
        place = await self._agree(await self.begin())
        self._pending.clear()
        self._read_at = place.next
        while True:
            pieces, end = await self._gather(place)
            await self.refuse_undecodable(pieces)
            if end > self._adopted:
                pieces = await self._deliver(pieces, place, end)
            place = place.moved(end, counted(pieces))
            await self.kit.lane.put(self.key, place)

    async def _agree(self, place: Place) -> Place:
        """The target's own word on the position counts, if it keeps one."""
        while True:
            try:
                known = await self._target.position(place.next)
            except TryLater as later:
                await self.back_off(later.detail, later.asked_ms)
                continue
            self.well()
            if known is None or known == place.next:
                return place
            return await self._stand(place, known)

    async def _stand(self, place: Place, known: int) -> Place:
        if known > place.next:  # a kill came between the target's commit and ours
            self._adopted = known
            return place
        logger.warning(
            "sink %s, %s partition %d: the target is at %d, not %d (was it restored?): "
            "it is given what is missing again", *self.key, known, place.next,
        )  # fmt: skip
        place = Place(known, min(place.start, known), place.counts)
        await self.kit.lane.put(self.key, place)
        return place

    async def _gather(self, place: Place) -> tuple[list[Piece], int]:
        """The next batch: full, or waited for long enough. At least one piece, or a gap passed."""
        clock, product = get_running_loop().time, self.kit.clock
        began_s, began_ms = clock(), product.now_ms()
        linger = self._batch.seconds
        while True:
            ready = sum(piece.fate == "send" for piece in self._pending)
            waited_s = max(clock() - began_s, (product.now_ms() - began_ms) / 1000)
            if self._pending and (
                ready == 0
                or ready >= self._batch.records
                or len(self._pending) >= AHEAD
                or waited_s >= linger
            ):
                return self._cut(place)
            wait = min(SOON_S, max(0.01, linger - waited_s)) if self._pending else WAIT_S
            pieces, following = await self.feed.read(self._read_at, place, wait)
            if not self._pending:
                began_s, began_ms = clock(), product.now_ms()
            if not pieces and not self._pending and following > self._read_at:
                self._read_at = following
                return [], following
            self._pending.extend(pieces)
            self._read_at = max(self._read_at, following)

    def _cut(self, place: Place) -> tuple[list[Piece], int]:
        taken: list[Piece] = []
        ready = 0
        adopting = place.next < self._adopted
        while self._pending and ready < self._batch.records:
            if adopting and self._pending[0].offset >= self._adopted:
                break
            piece = self._pending.popleft()
            ready += piece.fate == "send"
            taken.append(piece)
        if self._pending:
            end = self._pending[0].offset
            return taken, min(end, self._adopted) if adopting else end
        end = self._read_at
        return taken, min(end, self._adopted) if adopting and taken else end

    async def _deliver(self, pieces: list[Piece], place: Place, end: int) -> list[Piece]:
        """Until every one is taken or refused; returns them with their fates."""
        by_offset = {piece.offset: piece for piece in pieces}
        left = {p.offset: p.record for p in pieces if p.fate == "send" and p.record is not None}
        attempts = dict.fromkeys(left, 0)
        while True:
            self.sending = len(left)
            outcome = await self._target.deliver(list(left.values()), place.next, end)
            if outcome.moved is not None:
                self._pending.clear()
                await self._stand(place, outcome.moved)
                raise _Moved
            for offset in outcome.taken:
                left.pop(offset, None)
            why = "refused"
            if outcome.later is not None:
                for offset in outcome.tried:
                    attempts[offset] += 1
                given_up = self._given_up(outcome, attempts)
                if given_up:
                    why, outcome.refused = "gave_up", {**outcome.refused, **given_up}
            if outcome.refused:
                await self.refuse(by_offset, outcome.refused, why)
                for offset in outcome.refused:
                    left.pop(offset, None)
                    by_offset[offset] = replace(by_offset[offset], fate="refused")
            if outcome.taken or outcome.refused:
                self.well()
            if outcome.later is not None:
                await self.back_off(outcome.later.detail, outcome.later.asked_ms)
            elif not outcome.refused:
                self.sending = 0
                self.well()
                return list(by_offset.values())

    def _given_up(self, outcome: Outcome, attempts: dict[int, int]) -> dict[int, Refusal]:
        times = self.sink.retry.times
        if times is None or outcome.later is None:
            return {}
        detail = f"given up after {times} attempts: {outcome.later.detail}"
        return {o: Refusal(detail) for o in outcome.tried if attempts[o] >= times}
