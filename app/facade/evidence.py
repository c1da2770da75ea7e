"""What is kept of an account beside its sessions: dead letters, and the source records behind
explanations. Counting it, and erasing it.

Every step can be done again: what is gone is not found, and what was left by a kill is. The order
in which a letter's home hears of it (`Forget`) and of replays decides: one that is under way is
carried out and told to nobody, its session is erased by the command that follows.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

from agents.chunks import Parcel, encode_parcel
from agents.replay_messages import Forget, encode, home_of
from app.backend import Unavailable
from app.facade import asked
from app.facade.appends import Appends
from app.facade.letters import Letters
from app.facade.parts import Parts
from app.facade.purge import purge
from app.shapes import Change, DeadLetter
from config.topics import AUDIT, USAGE
from connectors.formats.cloudevents import from_kafka
from connectors.formats.json import JsonDecoder
from connectors.streams.base import TP, Item
from domain.aggregation.belonging import Belongs, belonging, tells_of
from domain.aggregation.flush import to_json
from domain.aggregation.instants import print_instant
from domain.aggregation.rule import Rule
from domain.errors import Reject
from tables.layout import gone_key

PAGE = 500  # letters read at a time
PIECE_BYTES = 256 << 10  # records judged at a time: some milliseconds in which nothing else runs
WAIT_S = 10.0  # for the homes of letters, and for the positions of what was just applied
LOOK_S = 0.05


class Evidence:
    """Of the sessions that `group` (values by field) names, by all versions of an aggregator."""

    def __init__(self, parts: Parts, letters: Letters, appends: Appends) -> None:
        self._parts = parts
        self._letters = letters
        self._appends = appends
        self.questions = {"erased": self.erased}

    # Dead letters

    async def letters(self, rules: Sequence[Rule], group: Mapping[str, Any]) -> list[DeadLetter]:
        """Those of the aggregator that belong there, and those of no one aggregator that do or,
        where nothing can be read, hold the values."""
        belongs = belonging(rules, group, JsonDecoder)
        inputs = sorted({rule.document.input for rule in rules})
        await self._letters.catch_up()
        found: list[DeadLetter] = []
        before = 1 << 62
        while True:
            rows = await self._letters.view.run(asked.about, rules[0].name, inputs, before, PAGE)
            for row in rows:
                letter = DeadLetter(*row[1:])
                if _holds(belongs, group, letter.original):
                    found.append(letter)
            if len(rows) < PAGE:
                return found
            before = rows[-1][0]

    async def forget_letters(
        self, rules: Sequence[Rule], group: Mapping[str, Any], change: Change
    ) -> int:
        """Erases them: returns how many when none is left on the topic. Raises Unavailable."""
        found = await self.letters(rules, group)
        if found:
            now = self._parts.clock.now_ms()
            await self._audit(rules[0].name, group, change, len(found), now)
            by_home: dict[int, list[bytes]] = {}
            for each in found:
                home = home_of(each.id, self._parts.placed)
                message = encode(Forget(each.id, each.aggregator, each.topic, now))
                by_home.setdefault(home, []).append(message)
            for home, messages in sorted(by_home.items()):
                for at in range(0, len(messages), PAGE):
                    await self._send(home, messages[at : at + PAGE])
            await self._gone({each.id for each in found})
        await purge(self._parts)
        return len(found)

    async def _send(self, home: int, messages: list[bytes]) -> None:
        parcel = encode_parcel(Parcel(self._parts.documents.revision, [], [], replays=messages))
        await self._parts.log.append(
            self._parts.names.sessions_in, home, [(None, parcel, None, ())]
        )

    async def _gone(self, ids: set[str]) -> None:
        """Returns when the homes have said so of all of them."""
        until = self._parts.monotonic_s() + WAIT_S
        while True:
            await self._letters.catch_up()
            left = await self._letters.view.run(asked.still_there, sorted(ids))
            if not left:
                return
            if self._parts.monotonic_s() > until:
                raise Unavailable(
                    f"the home of {left} dead letters",
                    "no worker has it open; erase again once it is recovered",
                )
            await asyncio.sleep(LOOK_S)

    async def _audit(
        self, name: str, group: Mapping[str, Any], change: Change, letters: int, now: int
    ) -> None:
        told = {
            "id": uuid4().hex,
            "kind": "command",
            "command": "erase-dead-letters",
            "aggregator": name,
            "at": print_instant(now),
            "actor": change.actor,
            "reason": change.reason,
            "fields": sorted(group),
            "letters": letters,
        }
        await self._appends.append(AUDIT, [(name.encode(), to_json(told), None, ())], None)

    # Source records

    async def records(
        self, rules: Sequence[Rule], group: Mapping[str, Any], *, count_s: float | None = None
    ) -> int | None:
        """Erases source records on inputs; returns how many there were, or None where the stream
        can't: they go with the topic's retention.

        With `count_s` they are counted only, those that are found in so many seconds. Only what is
        applied, and nothing on topics that carry what the product itself puts out.
        """
        log, total = self._parts.log, 0
        until = None if count_s is None else self._parts.monotonic_s() + count_s
        for topic in self._inputs(rules):
            physical = self._parts.names.topic(topic)
            count = await self._parts.partitions(physical)
            if not count:
                continue
            if not await log.erase(physical, 0, ()):
                return None
            mine = [rule for rule in rules if rule.document.input == topic]
            belongs = belonging(mine, group, JsonDecoder)
            tps = [(physical, partition) for partition in range(count)]
            ends = await (log.end_offsets(tps) if until is not None else self._applied(tps))
            for tp, end in ends.items():
                total += await self._of(tp, end, belongs, group, until)
        return total

    def _inputs(self, rules: Sequence[Rule]) -> list[str]:
        documents = self._parts.documents
        own = {self._parts.names.public(topic.name) for topic in self._parts.topics.all()} - {USAGE}
        own |= {rule.document.output.topic for rule in documents.rules.values()}
        return sorted({rule.document.input for rule in rules} - own)

    async def _applied(self, tps: list[TP]) -> dict[TP, int]:
        """Up to where each partition's records are applied, when that is their present end or some
        seconds are over."""
        log, group = self._parts.log, self._parts.names.group
        ends = await log.end_offsets(tps)
        until = self._parts.monotonic_s() + WAIT_S
        while True:
            committed = await log.committed(group, tps)
            found = {tp: min(ends[tp], committed[tp] or 0) for tp in tps}
            if found == ends or self._parts.monotonic_s() > until:
                return found
            await asyncio.sleep(LOOK_S)

    async def _of(
        self, tp: TP, end: int, belongs: Belongs, group: Mapping[str, Any], until: float | None
    ) -> int:
        log, at, total = self._parts.log, 0, 0
        while at < end and (until is None or self._parts.monotonic_s() < until):
            piece = await log.read(*tp, at, max_bytes=PIECE_BYTES)
            offsets = [
                item[0]
                for item in piece.items
                if item[0] < end and _holds(belongs, group, _value(item))
            ]
            total += len(offsets)
            if offsets and until is None:
                await log.erase(*tp, offsets)
            if piece.next_offset <= at:
                break
            at = piece.next_offset
            await asyncio.sleep(0)
        return total

    async def erased(self, asked: dict[str, Any]) -> dict[int, dict[str, Any]]:
        """Up to which positions, [[topic, partition, offset]], what was applied to the row of
        `row_key` is erased."""
        key = gone_key(asked["row_key"])
        found = {}
        for number, one in self._parts.engine.shards.open_ones().items():
            changelog, gone = one.shard.changelog, one.shard.gone.get(key)
            epoch = 0 if changelog is None else changelog.epoch
            found[number] = {"epoch": epoch, "erased": [] if gone is None else gone[1]}
        return found


def _holds(belongs: Belongs, group: Mapping[str, Any], data: bytes) -> bool:
    found = belongs(data)
    return tells_of(data, group) if found is None else found


def _value(item: Item) -> bytes:
    try:
        return from_kafka(item[3], item[4]) or b""
    except Reject:
        return item[3] or b""
