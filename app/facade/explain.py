"""From a flush back to its source records: which of the records in its ranges it was made of.

A range of positions holds records of many sessions. Each is judged once more, by the version of the
document that was in force where it lies (tables/routes.py), and kept when its key is the session's:
a key's records on one partition go to its sessions one after the other, so within the range they
are this session's. Those that the filter passes over and those that were refused are left out by
the same judgement; a duplicate is told by the first sight of its event id.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from agents.letters import Letter
from app.facade.cursors import cursor_of, place_of
from app.facade.documents import shown
from app.facade.flushes import Flushes
from app.facade.history import History
from app.facade.judges import Judged, Judges
from app.facade.letters import Letters
from app.facade.owners import Owners
from app.facade.parts import Parts
from app.facade.routes import Routes
from app.facade.sessions import Sessions
from app.history_shapes import Explained, SourceExplained, SourceRecord, Whereabouts
from app.shapes import Flush, Record
from connectors.streams.base import TP, Item
from domain.aggregation.keys import search
from domain.aggregation.operations import exact_json
from domain.aggregation.rule import Rule
from domain.aggregation.sources import input_partition

PATIENCE_S = 2.0  # of one page; then the cursor says where to go on
PIECE_BYTES = 256 << 10  # judged at a time: some milliseconds in which nothing else runs

Place = tuple[int, int, list[int]]
"""Source, the offset to go on at, records found so far in each source up to that one."""


@dataclass
class _Source:
    """Ranges of one partition, together."""

    topic: str
    partition: int
    count: int
    ranges: list[tuple[int, int]]

    @property
    def first(self) -> int:
        return min(first for first, _ in self.ranges)

    @property
    def last(self) -> int:
        return max(last for _, last in self.ranges)


class Explanations:
    """Explains flushes and open sessions."""

    def __init__(
        self, parts: Parts, owners: Owners, routes: Routes, letters: Letters, sessions: Sessions
    ) -> None:
        self._parts, self._owners, self._routes = parts, owners, routes
        self._letters, self._sessions = letters, sessions
        self._flushes = Flushes(parts)

    async def one(
        self, aggregator: str, flush_id: str, where: Whereabouts, limit: int, cursor: str | None
    ) -> Explained | None:
        """See `Backend.explain`."""
        await self._parts.catch_up()
        rules = self._sessions.rules(aggregator)
        if not rules:
            return None
        key, flush = await self._find(aggregator, rules, flush_id, where)
        record = exact_json(flush.record)
        record = record.get("data", record)
        place: Place = (0, 0, [])
        if cursor is not None:
            place = place_of(cursor, tuple[int, int, list[int]])
        rule = self._parts.documents.rule(aggregator, record["version"])
        judges = Judges(self._parts.documents, await self._routes.latest(), rule)
        page = _Page(self._parts, self._letters, judges, key, sources_of(record))
        await page.read(place, limit)
        page.taken = await self._left(rule.prefix + key, page.taken)
        await self._mark(rule.prefix + key, page.taken)
        page.count()
        version = next(
            (
                each
                for each in self._parts.documents.history.get(("aggregator", aggregator), ())
                if each.version == record["version"]
            ),
            None,
        )
        return Explained(
            flush.record, flush.at_ms or None, None if version is None else shown(version),
            page.explained(), [each.shown() for each in page.taken], page.next_cursor(),
        )  # fmt: skip

    async def _find(
        self, aggregator: str, rules: Sequence[Rule], flush_id: str, where: Whereabouts
    ) -> tuple[bytes, Flush]:
        """(session key, flush); of an open session the record it would flush, with no time."""
        keys = [] if where.key is None else [where.key.encode()]
        for rule in {rule.prefix: rule for rule in rules}.values() if where.group else ():
            found = search(rule, where.group)
            if found is not None and not found.tests:
                keys += [
                    first[len(rule.prefix) :] for first, end in found.ranges if end == first + b"\0"
                ]
        for key in keys:
            session = await self._sessions.opened(rules, key)
            if session is not None and exact_json(session.record)["id"] == flush_id:
                return key, Flush(session.record, 0)
        return await self._flushes.find(rules, flush_id, keys, where.at_ms)

    async def _left(self, row_key: bytes, taken: list["_Taken"]) -> list["_Taken"]:
        """Without the records of what was erased, which some streams still hold."""
        if not taken:
            return taken
        upto: dict[TP, int] = {}
        for _, one in (await self._owners.all("erased", {"row_key": row_key})).values():
            for topic, partition, offset in one["erased"]:
                tp = topic, input_partition(partition)
                upto[tp] = max(offset, upto.get(tp, -1))
        return [
            each
            for each in taken
            if each.record.offset > upto.get((each.topic, each.record.partition), -1)
        ]

    async def _mark(self, row_key: bytes, taken: Sequence["_Taken"]) -> None:
        """Tells duplicates by the first sights of event ids, as far as these are still known."""
        ids = list(dict.fromkeys(each.event_id for each in taken if each.event_id is not None))
        if not ids:
            return
        told = await self._owners.all("seen", {"row_key": row_key, "ids": ids})
        sights = {sight[0]: sight[1:] for _, one in told.values() for sight in one["seen"]}
        for each in taken:
            each.duplicate = _is_duplicate(each, sights.get(each.event_id))


@dataclass
class _Taken:
    """A record of the session, from the `source`-th of its sources."""

    source: int
    topic: str
    record: Record
    rule: Rule
    event_id: bytes | None
    duplicate: bool = False

    def shown(self) -> SourceRecord:
        """As the web layer sees it."""
        return SourceRecord(self.topic, self.record, self.duplicate, self.rule.version)


def _is_duplicate(taken: _Taken, sight: Sequence[Any] | None) -> bool:
    if sight is None:
        return False  # forgotten: so long ago that nobody knows
    record = taken.record
    if list(sight[:3]) == [taken.topic, record.partition, record.offset]:
        return False
    return bool(0 <= record.timestamp_ms - sight[3] < taken.rule.dedup_ms)


def sources_of(record: Any) -> list[_Source]:
    """The sources of a flushed record, those of one partition together."""
    found: dict[tuple[str, int], _Source] = {}
    for each in record["explain"]["sources"]:
        at = each["topic"], each["partition"]
        source = found.setdefault(at, _Source(*at, 0, []))
        source.count += each["count"]
        source.ranges.append((each["first"], each["last"]))
    return list(found.values())


class _Page:
    """Reads on in the sources until enough is found."""

    def __init__(
        self, parts: Parts, letters: Letters, judges: Judges, key: bytes, sources: list[_Source]
    ) -> None:
        self._parts, self._letters, self._judges = parts, letters, judges
        self._key = key
        self._sources = sources
        self._history = History(parts)
        self._found = [0] * len(sources)
        self._whole = [False] * len(sources)
        self.taken: list[_Taken] = []
        self._next: tuple[int, int] | None = None

    async def read(self, place: Place, limit: int) -> None:
        """From `place` on, at most `limit` records."""
        clock = asyncio.get_running_loop().time
        until = clock() + PATIENCE_S
        number, at, found = place
        self._found[: len(found)] = found
        self._whole[:number] = [True] * number
        for i in range(number, len(self._sources)):
            source = self._sources[i]
            at = max(at, source.first)
            while items := await self._items(source, at):
                for item in items:
                    at = item[0] + 1
                    await self._take(i, source, item)
                    if len(self.taken) >= limit:
                        break
                if len(self.taken) >= limit or clock() > until:
                    if at <= source.last:
                        self._next = i, at
                        return
                    break
            self._whole[i], at = True, 0
            if len(self.taken) >= limit and i + 1 < len(self._sources):
                self._next = i + 1, 0
                return

    def count(self) -> None:
        """Counts what was found, when duplicates are told."""
        for each in self.taken:
            self._found[each.source] += not each.duplicate

    def explained(self) -> list[SourceExplained]:
        """The sources, with what was found of them up to here."""
        return [
            SourceExplained(
                source.topic, source.partition, source.first, source.last, source.count, found,
                max(0, source.count - found) if whole else None,
            )
            for source, found, whole in zip(self._sources, self._found, self._whole, strict=True)
        ]  # fmt: skip

    def next_cursor(self) -> str | None:
        """Where to go on; None at the end."""
        return None if self._next is None else cursor_of((*self._next, self._found))

    async def _items(self, source: _Source, at: int) -> list[Item]:
        physical = self._parts.names.topic(source.topic)
        count = await self._parts.partitions(physical)
        if count is None or source.partition >= count:
            return []  # a file, or a topic that is gone
        return await self._history.piece(
            source.topic, source.partition, at, source.last + 1, PIECE_BYTES
        )

    async def _take(self, i: int, source: _Source, item: Item) -> None:
        offset, timestamp, key, value, headers = item
        if not any(first <= offset <= last for first, last in source.ranges):
            return
        tp = source.topic, source.partition
        judged = self._judges.judge(tp, offset, value or b"")
        if judged.key != self._key:
            return
        if judged.refused and not await self._was_replayed(judged, tp, offset):
            return
        record = Record(source.partition, offset, timestamp, key, value, headers)
        self.taken.append(_Taken(i, source.topic, record, judged.rule, judged.event_id))

    async def _was_replayed(self, judged: Judged, tp: TP, offset: int) -> bool:
        """Whether a record that was refused was given to the aggregator again later."""
        name = judged.rule.name
        letter = Letter(tp[0], tp[1], offset, name, "", "", None, None, 0)
        found = await self._letters.one(letter.id)
        return found is not None and found.replayed_at_ms is not None
