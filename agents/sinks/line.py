"""What every line has: a sink at work on one partition of its topic, one batch after the other.

The order, whatever the target: (1) what is refused goes to topic `sink-dead-letters`; (2) the
refusal is written down; (3) the target takes the rest; (4) the position moves on, with the counts.
A kill between any two leaves the position where it was, and the records are delivered again, those
refused excepted: with the same id and content.
"""

import asyncio
import logging
import random
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from agents.sinks.feed import Feed, Piece
from agents.sinks.letters import SinkLetter
from connectors.sinks.base import Refusal
from connectors.streams.base import Log
from domain.clock import Clock
from domain.sinks.backoff import wait_ms
from domain.sinks.document import Sink
from domain.sinks.records import taker
from tables.sinks import Counts, Key, Place, SinkLog
from tables.taken import Index

logger = logging.getLogger(__name__)
WAIT_S = 2.0  # of a read at the end of the topic
SOON_S = 0.2  # of one while something else is waited for, too
Output = tuple[str, bytes | None, bytes]


@dataclass(frozen=True)
class Kit:
    """What a line works with. `physical` is the topic's name on the stream; `at_ms` when the sink
    came into force."""

    log: Log
    lane: SinkLog
    index: Index
    clock: Clock
    send: Callable[[list[Output]], Awaitable[None]]
    physical: str
    partition: int
    at_ms: int


@dataclass(frozen=True)
class Trouble:
    """Why a line does not get on, and how often it has tried since it last did."""

    detail: str
    attempts: int
    since_ms: int


class Line(ABC):
    """See the module. `run` goes on until it is cancelled; what it raises ends the worker."""

    def __init__(self, sink: Sink, kit: Kit) -> None:
        self.sink = sink
        self.kit = kit
        self.key: Key = (sink.name, sink.input, kit.partition)
        self.trouble: Trouble | None = None
        self.sending = 0
        refused = kit.lane.refused.setdefault(self.key, {})
        self.feed = Feed(
            kit.log, kit.physical, sink.input, kit.partition, kit.index, taker(sink), refused
        )

    @property
    def place(self) -> Place | None:
        """Where it stands; None before it began."""
        return self.kit.lane.places.get(self.key)

    @abstractmethod
    async def run(self) -> None:
        """Delivers, for ever."""

    async def begin(self) -> Place:
        """Where to go on. A new sink begins where its document says; one that the topic's retention
        has overtaken goes on with what is left, and counts what is gone."""
        place = self.place
        first = await self.feed.begin()
        if place is None:
            if self.sink.start == "end":
                kit = self.kit
                first = await kit.log.offset_at(kit.physical, kit.partition, kit.at_ms)
            place = Place(first, first)
            await self.kit.lane.put(self.key, place)
        elif place.next < first:
            gone = first - place.next
            logger.error("sink %s, %s partition %d: %d records were deleted first", *self.key, gone)
            place = place.moved(first, Counts(missed=gone))
            await self.kit.lane.put(self.key, place)
        return place

    async def refuse(
        self, pieces: Mapping[int, Piece], refusals: Mapping[int, Refusal], why: str
    ) -> None:
        """Steps 1 and 2: dead letters, then the decision; durable when it returns."""
        now = self.kit.clock.now_ms()
        letters: list[Output] = []
        ids = {}
        for offset, refusal in refusals.items():
            piece = pieces[offset]
            record = piece.record
            ids[offset] = "" if record is None else record.id
            letter = SinkLetter(
                self.sink.name, self.sink.input, self.kit.partition, offset, ids[offset], why,
                refusal.detail, refusal.status, piece.value, now,
            )  # fmt: skip
            letters.append(letter.output())
        await self.kit.send(letters)
        await self.kit.lane.refuse(self.key, ids)

    async def refuse_undecodable(self, pieces: list[Piece]) -> None:
        """What is no record for any target."""
        broken = {piece.offset: piece for piece in pieces if piece.fate == "undecodable"}
        if broken:
            refusals = {offset: Refusal(piece.detail) for offset, piece in broken.items()}
            await self.refuse(broken, refusals, "undecodable")

    async def back_off(self, detail: str, asked_ms: int | None = None) -> None:
        """Waits before the next attempt, longer each time; real time, whatever the product's clock
        does."""
        known = self.trouble
        attempt = 1 if known is None else known.attempts + 1
        since = self.kit.clock.now_ms() if known is None else known.since_ms
        self.trouble = Trouble(detail, attempt, since)
        wait = wait_ms(self.sink.retry, attempt, random.random(), asked_ms)
        if known is None or known.detail != detail:
            logger.warning(
                "sink %s, %s partition %d: %s; again in %.1f s", *self.key, detail, wait / 1000
            )
        await asyncio.sleep(wait / 1000)

    def well(self) -> None:
        """The target did something: what was wrong is over."""
        self.trouble = None


def counted(pieces: list[Piece]) -> Counts:
    """The counts of pieces that are all decided and, if to be sent, taken."""
    fates = [piece.fate for piece in pieces]
    refused = fates.count("refused") + fates.count("undecodable")
    return Counts(fates.count("send"), refused, fates.count("passed"), fates.count("repeated"))
