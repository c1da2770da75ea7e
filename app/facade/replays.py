"""Replays of dead letters on somebody's command.

    1. the command: a record on `aggregates.audit`, with the ends of `dead-letters` up to which it
       reaches; acknowledged. A repeat with its Idempotency-Key finds it there.
    2. an Ask for each letter, on the stream of the shard that decides about it; acknowledged

Killed before 2 is done, a repeat does the rest: a letter that was asked for by the same command
isn't tried again. What the shards do with it: `agents/replays.py`.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from hashlib import blake2b
from uuid import uuid4

import msgspec

from agents.chunks import PARCEL_BYTES, Parcel, encode_parcel
from agents.letters import TOPIC, Letter
from agents.replay_decisions import Decider
from agents.replay_messages import Ask, encode, home_of
from app.facade import asked
from app.facade.appends import Appends
from app.facade.letters import Letters
from app.facade.parts import Parts
from app.shapes import Change, DeadLetter, Idempotency, Replay
from config.topics import AUDIT
from domain.aggregation.instants import parse_instant, print_instant

PIECE = 200  # letters read at a time
EXAMINED = 10_000  # letters a dry run looks at: a second or two
LOOK_S = 0.1


class Command(msgspec.Struct, frozen=True):
    """As on the audit topic. `letters`: how many it was for, as far as its worker knew; `ends` of
    the partitions of `dead-letters`."""

    id: str
    kind: str
    command: str
    at: str
    actor: str
    reason: str
    filter: dict[str, str]
    letters: int
    ends: dict[int, int]

    @property
    def at_ms(self) -> int:
        return parse_instant(self.at) or 0


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Command).decode


class Replays:
    """Carries commands out."""

    def __init__(self, parts: Parts, letters: Letters, appends: Appends) -> None:
        self._parts = parts
        self._letters = letters
        self._appends = appends

    async def tried(self, where: Mapping[str, str]) -> Replay:
        """What a replay would do; whether a session takes a record without a timeout of its own
        is not known beforehand: it counts as refused.
        """
        selection = uuid4().hex
        await self._parts.catch_up()
        decider = Decider(
            self._parts.documents,
            self._parts.engine.shards_now,
            self._parts.settings.max_record_bytes,
        )
        now = self._parts.clock.now_ms()
        examined = replayed = 0
        reasons: dict[str, int] = {}
        try:
            letters = await self._select(selection, where, await self._ends())
            async for part in self._pieces(selection):
                for letter in part:
                    decision = decider.decide(letter, now)
                    reason = "" if decision.stays is None else decision.stays.reason
                    if any(chunk.originals for _, chunk in decision.takes):
                        reason = "no_timeout"
                    if reason:
                        reasons[reason] = reasons.get(reason, 0) + 1
                    else:
                        replayed += 1
                examined += len(part)
                if examined >= EXAMINED:
                    break
        finally:
            await self._letters.view.run(asked.forget, selection)
        refused = examined - replayed
        return Replay("", True, letters, replayed, refused, 0, examined, reasons)

    async def replay(self, where: Mapping[str, str], change: Change, wait_s: float) -> Replay:
        """See `Backend.replay_dead_letters`."""
        command, repeated = await self._commanded(where, change)
        selection = uuid4().hex
        try:
            letters = await self._select(selection, command.filter, command.ends)
            async for part in self._pieces(selection):
                await self._ask(part, command)
            answered = await self._answered(selection, command, wait_s)
        finally:
            await self._letters.view.run(asked.forget, selection)
        replayed, reasons, waiting = answered
        refused = sum(reasons.values())
        return Replay(
            command.id, False, letters, replayed, refused, waiting, letters, reasons, repeated
        )

    async def _commanded(self, where: Mapping[str, str], change: Change) -> tuple[Command, bool]:
        """Step 1."""
        selection = uuid4().hex
        ends = await self._ends()
        try:
            letters = await self._select(selection, where, ends)
        finally:
            await self._letters.view.run(asked.forget, selection)
        command = Command(
            uuid4().hex, "command", "replay", print_instant(self._parts.clock.now_ms()),
            change.actor, change.reason, dict(where), letters, ends,
        )  # fmt: skip
        idempotency = None
        if change.idempotency_key is not None:
            content = _encode([sorted(where.items()), change.actor, change.reason])
            digest = blake2b(content, digest_size=16).hexdigest()
            idempotency = Idempotency(change.idempotency_key, digest)
        row = (TOPIC.encode(), _encode(command), None, ())
        done = await self._appends.append(AUDIT, [row], idempotency)
        if not done.repeated:
            return command, False
        ((partition, offset),) = done.last.items()
        audit = self._parts.names.topic(AUDIT)
        found = await self._parts.log.read(audit, partition, offset, max_bytes=1)
        return _decode(found.items[0][3] or b""), True

    async def _ends(self) -> dict[int, int]:
        topic = self._parts.names.topic(TOPIC)
        count = await self._parts.partitions(topic)
        ends = await self._parts.log.end_offsets((topic, at) for at in range(count or 0))
        return {partition: end for (_, partition), end in ends.items()}

    async def _select(
        self, selection: str, where: Mapping[str, str], ends: Mapping[int, int]
    ) -> int:
        await self._letters.catch_up()
        return await self._letters.view.run(asked.select, selection, where, ends)

    async def _pieces(self, selection: str) -> AsyncIterator[list[Letter]]:
        before = 1 << 62
        while True:
            rows = await self._letters.view.run(asked.piece, selection, before, PIECE)
            if not rows:
                return
            before = rows[-1][0]
            yield [_letter(DeadLetter(*row[1:])) for row in rows]

    async def _ask(self, letters: list[Letter], command: Command) -> None:
        """Step 2, for some of the letters."""
        waiting: dict[int, list[bytes]] = {}
        for letter in letters:
            home = home_of(letter.id, self._parts.placed)
            mine = waiting.setdefault(home, [])
            mine.append(encode(Ask(letter, command.id, command.at_ms)))
            if sum(map(len, mine)) > PARCEL_BYTES:
                await self._send(home, waiting.pop(home))
        await asyncio.gather(*(self._send(home, messages) for home, messages in waiting.items()))

    async def _send(self, home: int, messages: list[bytes]) -> None:
        parcel = encode_parcel(Parcel(self._parts.documents.revision, [], [], replays=messages))
        sessions_in = self._parts.names.sessions_in
        await self._parts.log.append(sessions_in, home, [(None, parcel, None, ())])

    async def _answered(
        self, selection: str, command: Command, wait_s: float
    ) -> tuple[int, dict[str, int], int]:
        """(replayed, refused by reason, waiting) when none waits or the time is over."""
        until = self._parts.monotonic_s() + wait_s
        while True:
            await self._letters.catch_up()
            found = await self._letters.view.run(asked.results, selection, command.at_ms)
            if not found[2] or self._parts.monotonic_s() > until:
                return found
            await asyncio.sleep(LOOK_S)


def _letter(shown: DeadLetter) -> Letter:
    return Letter(
        shown.topic, shown.partition, shown.offset, shown.aggregator, shown.reason,
        shown.detail, shown.original, shown.version, shown.at_ms,
    )  # fmt: skip
