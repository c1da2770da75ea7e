"""Retained records once more through a rule, on a shard of its own: nothing that runs is touched.

The same routing, folding and flushing as on the stream, without a changelog and without outputs
that go anywhere. Records come in the order of their timestamps, so time passes as they tell: a
session that is due before a record is flushed before it, and what is due by `end` at the end.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from heapq import merge
from itertools import groupby
from operator import itemgetter
from typing import Any

from msgspec.structs import replace

from agents.aggregate import ROUTED, ShardProcessor
from agents.chunks import Chunk
from agents.folds import Folds
from agents.letters import TOPIC as LETTERS
from agents.letters import Letter
from agents.route import Router
from domain.aggregation.flush import to_json
from domain.aggregation.fold import AUDIT
from domain.aggregation.operations import exact_json
from domain.aggregation.rule import Rule
from tables.changes import Changes, Output
from tables.layout import decode_any, encode
from tables.shard import Shard
from tables.store import KeyedStore
from tables.stream import Item

PIECE_ROWS = 50  # due sessions of one commit: some milliseconds in which nothing else runs
TICK_RECORDS = 20_000  # between two looks at what is due, as long as when that is changes nothing
LOOK_MS = 60_000  # the same once sessions may expire: then it does, and a minute is near enough
BEGUN = b"c"
"""BEGUN + session key: {partition: offset}, what belongs to a session that began earlier."""

Pause = Callable[[], Awaitable[None]]
Slice = Mapping[int, Sequence[Item]]
"""Records by partition, each in order: all there are between two instants."""


class Replay:
    """One run. `flushed` takes each flush (session key, JSON) as it is decided; `pause` is awaited
    every few milliseconds of work. The store belongs to the run.
    """

    def __init__(
        self,
        rule: Rule,
        store: KeyedStore,
        *,
        max_record_bytes: int,
        flushed: Callable[[bytes, bytes], None],
        pause: Pause,
        shown_letters: int = 20,
    ) -> None:
        self.rule = rule
        self.store = store
        self.records = self.filtered = self.left_out = self.expired = 0
        self.rejected: dict[str, int] = {}
        self.letters: list[dict[str, Any]] = []
        """The first rejected records, as dead letters."""
        self._shown_letters = shown_letters
        self._flushed = flushed
        self._pause = pause
        # one shard for all keys, and no partition that is its own
        self._router = Router(rule.document.input, [rule], 1, 2, max_record_bytes)
        shard = _Shard(0, store, None, self._rule_of, self._outputs)
        self._processor = _Processor(shard, Folds(self._rule_of, lambda _: rule), pause)
        self._since_tick = 0
        self._begun = False
        self._ticked_ms = 0
        self.calm_until_ms = 0
        """Up to here no session can expire: a slice of records may cover any time before that, and
        LOOK_MS after it."""

    async def open(self, first_ms: int) -> None:
        """Before anything else; `first_ms` is the first record's timestamp."""
        self._ticked_ms = first_ms
        self.calm_until_ms = first_ms + self.rule.ttl_ms
        await self._processor.shard.open()

    @property
    def duplicates(self) -> int:
        return self._count("duplicates")

    @property
    def open_sessions(self) -> int:
        totals = self._processor.shard.totals.get(self.rule.name)
        return 0 if totals is None else totals.sessions

    def _count(self, place: str) -> int:
        totals = self._processor.shard.totals.get(self.rule.name)
        return 0 if totals is None else totals.count[place]

    def leave_out(self, key: bytes, upto: Mapping[int, int]) -> None:
        """Records of this key at or below these offsets (by partition) belong to a session that
        began before the records that are run: they are passed over."""
        self._begun = True
        (known,) = self.store.get_many([BEGUN + key])
        found: dict[int, int] = {} if known is None else decode_any(known)
        for partition, offset in upto.items():
            found[partition] = max(offset, found.get(partition, -1))
        self.store.write([(BEGUN + key, encode(found))])

    async def take(self, records: Slice, now_ms: int) -> None:
        """Applies records; timestamps later than `now_ms` (the wall clock) count as now."""
        await self._look(
            min(items[0][1] for items in records.values()), sum(map(len, records.values()))
        )
        chunks: list[Chunk] = []
        for partition, items in records.items():
            routed = self._router.route(partition, items, now_ms)
            self.records += len(items)
            self.filtered += sum(routed.filtered.values())
            for letter in routed.letters:
                self._refuse(letter)
            chunks += routed.chunks.get(0, [])
        if self._begun:
            chunks = self._without_begun(chunks)
        if chunks:
            await self._processor.apply(ROUTED, in_time(chunks))
        await self._pause()

    async def _look(self, first_ms: int, records: int) -> None:
        """Flushes what is due before these records, now and then; once sessions may have expired
        every time that a minute has passed."""
        expiring = first_ms > self.calm_until_ms and first_ms - self._ticked_ms >= LOOK_MS
        if expiring or self._since_tick > TICK_RECORDS:
            await self._tick(first_ms)
        self._since_tick += records

    async def _tick(self, now_ms: int) -> None:
        self._since_tick = 0
        self._ticked_ms = now_ms
        await self._processor.tick((), now_ms)

    async def end(self, now_ms: int) -> None:
        """Nothing follows: what is due by now is flushed."""
        await self._tick(now_ms)

    def _without_begun(self, chunks: list[Chunk]) -> list[Chunk]:
        for chunk in chunks:
            keys = [key for key, _ in chunk.groups]
            known = self.store.get_many([BEGUN + key for key in keys])
            kept = []
            for (key, entries), data in zip(chunk.groups, known, strict=True):
                upto = -1
                if data is not None:
                    upto = decode_any(data).get(chunk.partition, -1)
                left = [entry for entry in entries if entry[0] > upto]
                self.left_out += len(entries) - len(left)
                if left:
                    kept.append((key, left))
            chunk.groups = kept
        return [chunk for chunk in chunks if chunk.groups]

    def _refuse(self, letter: Letter) -> None:
        self._note(exact_json(letter.encode()))

    def _note(self, letter: dict[str, Any]) -> None:
        reason = letter["reason"]
        self.rejected[reason] = self.rejected.get(reason, 0) + 1
        if len(self.letters) < self._shown_letters:
            self.letters.append(letter)

    async def _outputs(self, outputs: list[Output]) -> None:
        for topic, key, value in outputs:
            if topic == LETTERS:
                self._note(exact_json(value))
            elif topic == AUDIT:
                self.expired += 1
            else:
                self._flushed(key or b"", plain(value))

    def _rule_of(self, _name: str, _version: int) -> Rule:
        return self.rule


def plain(record: bytes) -> bytes:
    """The flushed record, out of its CloudEvent where it is in one."""
    if not record.startswith(b'{"specversion"'):
        return record
    return to_json(exact_json(record)["data"])


class _Shard(Shard):
    """Looks at few due rows at a time."""

    def due(self, now_ms: int, limit: int) -> list[tuple[int, bytes]]:
        return super().due(now_ms, min(limit, PIECE_ROWS))

    def forgettable(self, now_ms: int, limit: int) -> tuple[list[bytes], list[bytes], list[bytes]]:
        return super().forgettable(now_ms, min(limit, PIECE_ROWS))


class _Processor(ShardProcessor):
    """Rests after each commit."""

    def __init__(self, shard: Shard, folds: Folds, pause: Pause) -> None:
        super().__init__(shard, folds)
        self._pause = pause

    async def _commit(self, changes: Changes, *, whole: bool = False) -> None:
        await super()._commit(changes, whole=whole)
        await self._pause()


def in_time(chunks: Sequence[Chunk]) -> Sequence[Chunk]:
    """The chunks so that each key gets its records in the order of time, whichever partition they
    are from; within a partition their order stays.
    """
    number: dict[bytes, int] = {}
    for chunk in chunks:
        for key, _ in chunk.groups:
            number[key] = number.get(key, 0) + 1
    shared = {key for key, found in number.items() if found > 1}
    if not shared:
        return chunks
    ordered = [_only(chunk, [g for g in chunk.groups if g[0] not in shared]) for chunk in chunks]
    parts: dict[bytes, list[Any]] = {key: [] for key in shared}
    for at, chunk in enumerate(chunks):
        for key, entries in chunk.groups:
            if key in shared:
                parts[key].append([(entry[1], at, entry) for entry in entries])
    rounds: list[dict[int, list[Any]]] = []
    for key, several in parts.items():
        runs = groupby(merge(*several, key=itemgetter(0, 1)), key=itemgetter(1))
        for turn, (at, run) in enumerate(runs):
            if turn == len(rounds):
                rounds.append({})
            rounds[turn].setdefault(at, []).append((key, [entry for _, _, entry in run]))
    ordered += [_only(chunks[at], groups) for each in rounds for at, groups in each.items()]
    return ordered


def _only(chunk: Chunk, groups: list[Any]) -> Chunk:
    return replace(chunk, groups=groups, upto=-1)
