"""Finds an event that was counted, reads it where it lies, and asks its shard to take it back.

The first sights of events are kept under a hash of their session's key, so an id is looked for
among all that are remembered; the record itself tells which session and aggregator it was.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from agents.retractions import KEY, Retraction, encode
from app.backend import RetractionRefused
from app.day_shapes import Retractable, Retracted
from app.facade.owners import Owners, page
from app.facade.parts import Parts
from app.facade.sessions import Sessions
from app.shapes import Change
from connectors.formats.json import JsonDecoder
from connectors.streams.murmur2 import partition_for
from domain.aggregation.conditions import same
from domain.aggregation.extract import placer
from domain.aggregation.flush import group_of
from domain.aggregation.numbers import canonical
from domain.aggregation.operations import exact_json
from domain.aggregation.retract import event_key, flush_id_of, negative_of, obstacles
from domain.aggregation.rule import Rule
from domain.aggregation.sights import SIGHT
from domain.errors import Reject
from tables.layout import SEEN, seen_key

WAIT_S = 5.0  # for the shard to do it; after that it is told as under way
LOOK_S = 0.05
PAGE = 100


@dataclass(frozen=True)
class Counted:
    """An event as it was counted: its session's rule and key, itself with the sign turned, and its
    record."""

    rule: Rule
    key: bytes
    sight: list[Any]
    accumulators: list[Any]
    value: bytes

    @property
    def flush_id(self) -> str:
        """The id of the flush that takes it back."""
        return flush_id_of(self.rule, self.key, self.sight)

    @property
    def withdrawn(self) -> bool:
        """Whether it has been taken back."""
        return len(self.sight) > SIGHT


class Retractions:
    """Takes events back."""

    def __init__(self, parts: Parts, owners: Owners, sessions: Sessions) -> None:
        self._parts = parts
        self._owners = owners
        self._sessions = sessions

    async def event(
        self, aggregator: str, event_id: object, group: Mapping[str, object], change: Change
    ) -> Retracted | None:
        """See `Backend.retract_event`."""
        counted = await self._allowed(aggregator, event_id, group)
        if counted is None:
            return None
        flush_id, key = counted.flush_id, counted.key.decode()
        if counted.withdrawn:
            return Retracted(flush_id, aggregator, key, True, True)
        await self._ask(counted, event_id, flush_id, change)
        done = await self._done(counted, event_id)
        return Retracted(flush_id, aggregator, key, done)

    async def find(
        self, aggregator: str, event_id: object, group: Mapping[str, object]
    ) -> Retractable | None:
        """See `Backend.find_retractable`."""
        counted = await self._allowed(aggregator, event_id, group)
        if counted is None:
            return None
        topic, partition, offset = counted.sight[:3]
        session_id, records = await self._flushed_first(counted)
        return Retractable(
            counted.flush_id, aggregator, counted.key.decode(), topic, partition, offset,
            counted.value, counted.withdrawn, session_id, records,
        )  # fmt: skip

    async def _flushed_first(self, counted: Counted) -> tuple[str | None, int]:
        """(id of the flush, records) of the open session that counted the event, if it is open."""
        session = None
        if not counted.withdrawn:
            session = await self._sessions.opened([counted.rule], counted.key)
        record = {} if session is None else exact_json(session.record)
        record = record.get("data", record)
        topic, partition, offset = counted.sight[:3]
        for each in record["explain"]["sources"] if record else ():
            where = each["topic"], each["partition"]
            if where == (topic, partition) and each["first"] <= offset <= each["last"]:
                return record["id"], record["meta"]["count"]
        return None, 0

    async def _allowed(
        self, aggregator: str, event_id: object, group: Mapping[str, object]
    ) -> Counted | None:
        """The event, which may be taken back or has been; None for an aggregator nobody has heard
        of. Raises RetractionRefused.
        """
        await self._parts.catch_up()
        growth = self._parts.documents.growths.latest
        if growth is not None and not growth.finished:
            raise RetractionRefused(
                f"partitions are growing from {growth.before} to {growth.after}: the event may be "
                "on its way between two of them; ask again when `sluice topics grow` is done"
            )
        rules = self._parts.documents.rules
        versions = [rules[at] for at in sorted(rules, reverse=True) if at[0] == aggregator]
        if not versions:
            return None
        if versions[0].document.event_id is None:
            raise RetractionRefused(f"{aggregator} has no event_id, so it knows no event by one")
        counted = await self._counted(versions, event_id, group)
        barred = obstacles(counted.rule)
        if barred:
            raise RetractionRefused(
                f"nothing negative can correct {', '.join(barred)}: "
                "only sum, count, average and stddev are taken back"
            )
        if counted.withdrawn:
            return counted
        where = {"row_key": counted.rule.prefix + counted.key, "position": counted.sight[:3]}
        told = await self._owners.all("withdrawn", where)
        if any(one["withdrawn"] for _, one in told.values()):
            raise RetractionRefused(
                "its session was deleted or expired: billing never received the event"
            )
        return counted

    async def _counted(
        self, versions: list[Rule], event_id: object, group: Mapping[str, object]
    ) -> Counted:
        try:
            hashed = event_key(event_id)
        except Reject as error:
            raise RetractionRefused(f"event_id: {error.detail}") from error
        found: list[Counted] = []
        gone = 0
        for key, sight in await self._sights(hashed):
            value = await self._source(*sight[:3])
            if value is None:
                gone += 1
                continue
            counted = _as_counted(versions, hashed, SEEN + key, sight, value)
            if counted is not None and _in(counted, group):
                found.append(counted)
        if not found:
            detail = "no event of that id is remembered"
            if gone:
                detail = "the source record is no longer on its topic, so what it was is not known"
            raise RetractionRefused(f"{versions[0].name}: {detail}")
        if len(found) > 1:
            keys = ", ".join(sorted(each.key.decode() for each in found))
            raise RetractionRefused(
                f"several sessions counted an event of that id ({keys}): say which by group values"
            )
        return found[0]

    async def _sights(self, hashed: bytes) -> list[tuple[bytes, list[Any]]]:
        """(key behind SEEN, first sight) of that id, under whatever sessions. A shard that gave a
        session away and lost its disk meanwhile may still have its sights, as of then."""
        found: dict[bytes, list[Any]] = {}
        after: bytes | None = None
        while True:
            asked = {"event_id": hashed, "exact": None, "after": after, "limit": PAGE}
            rows, after = page(await self._owners.all("sights", asked), PAGE)
            for _, _, (key, sight) in rows:
                found[key] = max(found.get(key, []), sight, key=len)
            if after is None:
                return list(found.items())

    async def _source(self, topic: str, partition: int, offset: int) -> bytes | None:
        physical = self._parts.names.topic(topic)
        begin = (await self._parts.log.begin_offsets([(physical, partition)]))[physical, partition]
        if offset < begin:
            return None
        items = (await self._parts.log.read(physical, partition, offset)).items
        return items[0][3] if items and items[0][0] == offset else None

    async def _ask(self, counted: Counted, event_id: object, flush_id: str, change: Change) -> None:
        shard = partition_for(placer(counted.rule.document)(counted.key), self._parts.placed)
        asked = Retraction(
            id=sha256(f"event_retracted {flush_id}".encode()).hexdigest(),
            aggregator=counted.rule.name,
            version=counted.rule.version,
            revision=self._parts.documents.revision,
            key=counted.key,
            event_id=event_key(event_id),
            event=event_id if isinstance(event_id, str) else canonical(event_id).decode(),
            sight=counted.sight[:3],
            accumulators=counted.accumulators,
            actor=change.actor,
            reason=change.reason,
            at=self._parts.clock.now_ms(),
        )
        row = (KEY, encode(asked), None, ())
        await self._parts.log.append(self._parts.names.sessions_in, shard, [row])

    async def _done(self, counted: Counted, event_id: object) -> bool:
        key = seen_key(counted.rule.prefix + counted.key, event_key(event_id))
        asked = {"event_id": event_key(event_id), "exact": key, "after": None, "limit": 1}
        until = self._parts.monotonic_s() + WAIT_S
        while self._parts.monotonic_s() < until:
            rows, _ = page(await self._owners.all("sights", asked), 1)
            if any(len(row[1]) > SIGHT for _, _, row in rows):
                return True
            await asyncio.sleep(LOOK_S)
        return False


def _as_counted(
    versions: list[Rule], hashed: bytes, key: bytes, sight: list[Any], value: bytes
) -> Counted | None:
    """The event by the newest version whose session it is in; None when it is another
    aggregator's.
    """
    for rule in versions:

        def view_of(paths: Mapping[str, Any]) -> Any:
            decoder = JsonDecoder(paths)
            return decoder.attributes, decoder.decode(value)

        try:
            found = negative_of(rule, view_of)
        except Reject:
            continue
        if found is not None and seen_key(rule.prefix + found[0], hashed) == key:
            return Counted(rule, found[0], sight, found[1], value)
    return None


def _in(counted: Counted, group: Mapping[str, object]) -> bool:
    values, periods = group_of(counted.rule, counted.key)
    values |= {name: each["label"] for name, each in periods.items()}
    return all(name in values and same(values[name], wanted) for name, wanted in group.items())
