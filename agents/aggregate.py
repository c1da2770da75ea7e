"""Applies chunks to the sessions of one shard, and flushes what has become due.

One batch or one tick at a time, each committed whole (see `tables/shard.py`). The clock of the
shard is its *effective now*: the smallest of what all inputs that feed it have reached; it never
goes back.
"""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from time import perf_counter
from typing import Any

from agents.chunks import Chunk, Progress, commits, joined
from agents.columnar import Columnar
from agents.columnar_flush import TIMEOUT, ColumnarFlush, Due
from agents.ending import finished
from agents.folds import Folds
from agents.letters import TOPIC as LETTERS
from agents.letters import Letter
from agents.limits import session_run
from agents.shards import NotOwned
from domain.aggregation.columns import Plan
from domain.aggregation.compiled import FoldFunction
from domain.aggregation.flush import SourceName
from domain.aggregation.flush_columns import FlushText, Kind, Texts
from domain.aggregation.fold import Fold, Rejection
from domain.aggregation.limit import NONE, Limit
from domain.aggregation.rule import Rule, split_row_key
from domain.aggregation.session import NEVER, Row
from domain.aggregation.sights import sights_of
from tables.changes import Changes
from tables.layout import wake_key
from tables.letters import KEPT_MS, is_letter
from tables.out_of_service import WAIT_MS
from tables.packed import Shapes
from tables.shard import Shard
from tables.sights import Sights, known

DIRECT, ROUTED, HANDED_ON = 0, 1, 2
HandOn = Callable[[Shard, int, Sequence[Chunk]], Awaitable[Sequence[Chunk]]]
# rows of one tick's commit: bounded memory, and a batch waits for no longer than that takes
TICK_ROWS = 5_000
FORGET_IDS = 20_000
# rows that are read, folded and encoded before the next are: as many as stay in a core's own cache
PIECE_KEYS = 400
COLUMN_KEYS = 2_000  # as many that a call of numpy costs little for each


class ShardProcessor:
    """The rules at work on one shard. Calls must not overlap.

    `source_name` is the name of a topic that people see, in `explain.sources` and dead letters.
    `hand_on` gives the chunks that are left when what belongs to other shards is on its way there.
    """

    def __init__(
        self,
        shard: Shard,
        folds: Folds,
        source_name: SourceName = str,
        limit: Limit = NONE,
        hand_on: HandOn | None = None,
    ) -> None:
        self.shard = shard
        self._hand_on = hand_on
        self._limit = limit
        self._folds = folds
        self.source_name = source_name
        self._progress: dict[tuple[str, int], int] = {}
        self._texts = Texts(folds.rule_of, source_name)
        self.records = 0
        self.refused: dict[str, int] = {}
        self.flushes = 0
        self.batches = 0
        self.busy_s = 0.0

    async def still_ours(self) -> bool:
        """Whether nobody else has written to the shard's changelog since our last commit."""
        changelog = self.shard.changelog
        return changelog is None or await changelog.end() == changelog.next_offset

    def close(self) -> None:
        """Closes the shard's store."""
        self.shard.close()

    async def apply(self, path: int, chunks: Sequence[Chunk]) -> None:
        """Applies chunks in order and commits; records already applied change nothing. Raises
        OutOfService, with nothing changed, and NotOwned.
        """
        began_s = perf_counter()
        self._look()
        if self._folds.unread:
            chunks = self._read(path, chunks)
        if self.shard.marks.placed and self._hand_on is not None:
            chunks = await self._hand_on(self.shard, path, chunks)
        parts = list(commits(joined(chunks), self._folds.many_keys))
        for part in parts:
            while await self._apply_once(path, part, last=part is parts[-1]):
                pass
        self.batches += 1
        self.busy_s += perf_counter() - began_s

    def _read(self, path: int, chunks: Sequence[Chunk]) -> Sequence[Chunk]:
        """Chunks without those of versions that can't be read, as far as they are applied. Raises
        OutOfService for what isn't, and for what would meet a session of such a version."""
        left = []
        unread = {name for name, _ in self._folds.unread}
        for chunk in chunks:
            if (chunk.aggregator, chunk.version) in self._folds.unread:
                source = (path, chunk.topic, chunk.partition, chunk.aggregator)
                floor = self.shard.applied.get(source, -1)
                if all(entry[0] <= floor for _, entries in chunk.groups for entry in entries):
                    continue
            left.append(chunk)
            rule = self._folds.rule_of(chunk.aggregator, chunk.version)
            if rule.name in unread:
                for row in self.shard.load(rule.prefix + key for key, _ in chunk.groups).values():
                    if row.open is not None:
                        self._folds.rule_of(rule.name, row.open.version)
        return left

    async def _apply_once(self, path: int, chunks: Sequence[Chunk], *, last: bool) -> bool:
        """One commit, maybe the `last` one; whether a key had decided so much that the rest must
        wait for the next.
        """
        changes = Changes(effective_now=self.shard.marks.effective_now)
        # a row may be encoded once in a commit: by the piece only where no other chunk has its key
        apart = len({chunk.aggregator for chunk in chunks}) == len(chunks)
        rows: dict[bytes, Row] = {}
        more = False
        for chunk in chunks:
            source = (path, chunk.topic, chunk.partition, chunk.aggregator)
            floor = self.shard.applied.get(source, -1)
            rule, fold = self._folds.get(chunk.aggregator, chunk.version)
            groups = _by_row(rule.prefix, chunk.groups, floor)
            if not groups:
                continue
            ctx = Fold(
                rule, chunk.topic, chunk.partition, self._folds.rule_of,
                source_name=self.source_name, texts=self._texts,
            )  # fmt: skip
            refused: list[Rejection] = []
            if apart and len(groups) > self._folds.many_keys:
                cached = len(groups) <= self.shard.cache_rows
                shapes, columnar, most = None, None, PIECE_KEYS
                if (plan := self._plan(rule)) is not None:
                    shapes, most = self._folds.shapes, COLUMN_KEYS
                    columnar = Columnar(
                        self.shard, changes, chunk, ctx, plan, shapes, cached,
                        self._folds.least_keys,
                    )  # fmt: skip
                for piece in _pieces(groups, most):
                    at_rest = self.shard.at_rest(list(piece))
                    left = piece if columnar is None else columnar.fold(piece, at_rest)
                    rows = self.shard.opened({key: at_rest[key] for key in left})
                    more |= self._fold(changes, rows, left, chunk, ctx, fold, refused)
                    self._stage(changes, cached=cached, shapes=shapes)
            else:
                rows.update(self.shard.load(key for key in groups if key not in rows))
                more = self._fold(changes, rows, groups, chunk, ctx, fold, refused)
            records = sum(map(len, groups.values()))
            self.records += records
            session_run(
                self._limit, self.shard.marks.runs, chunk, refused, records, self._folds.latest
            )
            changes.note(rule.name, ctx.totals)
            if more:
                break  # what follows must not overtake what is left of this chunk
            if chunk.upto >= 0:
                changes.applied[source] = chunk.upto
        if changes.rows or changes.staged or changes.applied:
            await self._commit(changes, whole=last and not more)
        return more

    def _plan(self, rule: Rule) -> Plan | None:
        return self._folds.plan(rule)

    def _fold(
        self,
        changes: Changes,
        rows: dict[bytes, Row],
        groups: dict[bytes, Sequence[Any]],
        chunk: Chunk,
        ctx: Fold,
        fold: FoldFunction,
        refused: list[Rejection],
    ) -> bool:
        """Folds entries by key into their rows; whether one of them is full."""
        rule = ctx.rule
        prefix, ttl_ms, changed = len(rule.prefix), rule.ttl_ms, changes.rows
        at = None
        seen: Mapping[bytes, Sights] = {}
        if rule.document.event_id is not None:  # of all keys in one multi-get
            at = [item.kind for item in rule.inputs].index("event_id")
            seen = known(self.shard.store, groups, at)
        full = False
        for key, entries in groups.items():
            row = rows[key]
            ctx.key = key[prefix:]
            if at is not None:
                ctx.seen = seen.get(key, {})
                if row.seen:
                    ctx.seen.update(sights_of(row.seen))
            if fold(row, entries, ctx):
                changed[key] = (row, ttl_ms)
                if ctx.rejections:
                    refused += ctx.rejections
                    self._letters(row, chunk, rule, ctx)
            if ctx.full:
                full, ctx.full = True, False
        return full

    def _letters(self, row: Row, chunk: Chunk, rule: Rule, ctx: Fold) -> None:
        """Dead letters of the session itself travel with the row that counts them."""
        for refused in ctx.rejections:
            letter = Letter(
                self.source_name(chunk.topic), chunk.partition, refused.offset, rule.name,
                refused.reason, refused.detail, chunk.originals.get(refused.offset), rule.version,
                refused.timestamp,
            )  # fmt: skip
            row.outputs = (*row.outputs, [LETTERS, chunk.topic.encode(), letter.encode()])
        self.refused[rule.name] = self.refused.get(rule.name, 0) + len(ctx.rejections)
        ctx.rejections.clear()

    def note(self, progress: Iterable[Progress]) -> None:
        """Takes notice of how far inputs have been routed."""
        for each in progress:
            at = (each.topic, each.partition)
            if each.until > self._progress.get(at, -NEVER):
                self._progress[at] = each.until

    def effective_now(self, feeding: Iterable[tuple[str, int]], wall_ms: int) -> int:
        """The time up to which everything that feeds the shard has been applied (the wall clock
        when nothing does); never less than before.
        """
        reached = min((self._progress.get(tp, -NEVER) for tp in feeding), default=wall_ms)
        return max(reached, self.shard.marks.effective_now)

    async def tick(self, feeding: Iterable[tuple[str, int]], wall_ms: int) -> int:
        """Flushes, expires and forgets what is due by effective now, by the piece in the order of
        due times; returns how many rows. Raises NotOwned.
        """
        self._look()
        now = self.effective_now(feeding, wall_ms)
        done = 0
        while True:
            changes = Changes(effective_now=now)
            found = self.shard.due(now, TICK_ROWS)
            at_rest = self.shard.at_rest([key for _, key in found])
            folds: dict[str, Fold] = {}
            left = self._flush_many(changes, found, at_rest, now)
            rows = self.shard.opened({key: at_rest[key] for _, key in left})
            for at, key in left:
                self._wake(changes, folds, at, key, rows[key], now)
            for name, fold in folds.items():
                changes.note(name, fold.totals)
            index, changes.forget, dropped = self.shard.forgettable(now, FORGET_IDS)
            changes.dropped += [*index, *dropped]
            if found:
                changes.wake_up_to = wake_key(*found[-1][:2])
            if index:
                changes.forget_up_to = index[-1]
            if not found and not index:
                self.shard.marks.effective_now = now
                return done
            done += len(found)
            await self._commit(changes)

    def _look(self) -> None:
        """A shard of which a commit was cut off is the next owner's."""
        if not self.shard.whole:
            raise NotOwned(self.shard.number)

    def _flush_many(
        self, changes: Changes, due: list[Due], at_rest: Mapping[bytes, Any], now: int
    ) -> list[Due]:
        """Flushes many of one kind at once; returns the others."""
        if len(due) <= self._folds.many_keys:
            return due

        def text(kind: Kind) -> FlushText | None:
            return None if self._folds.waits(*kind[:2]) else self._texts.get(kind)

        sent, shapes, least = len(changes.sent), self._folds.shapes, self._folds.least_keys
        left = ColumnarFlush(self.shard, changes, shapes, text, now, least).flush(due, at_rest)
        self.flushes += len(changes.sent) - sent
        return left

    def _wake(
        self, changes: Changes, folds: dict[str, Fold], at: int, key: bytes, row: Row, now: int
    ) -> None:
        changes.dropped.append(wake_key(at, key))
        if row.wake != at or key in changes.rows:
            return
        if is_letter(key):
            if row.touched + KEPT_MS > now:
                changes.rewoken[key] = (row, row.touched + KEPT_MS)
            else:
                changes.retire.append(key)
            return
        name = split_row_key(key)[0]
        session = row.open
        if self._folds.waits(name, None if session is None else session.version):
            changes.rewoken[key] = (row, now + WAIT_MS)
            return
        rule = (
            self._folds.rule_of(name, session.version)
            if session is not None
            else self._folds.latest(name)
        )
        expires = row.touched + rule.ttl_ms
        due = expires if session is None else min(session.due, expires)
        if due > now:
            changes.rewoken[key] = (row, due)
            return
        if session is None:
            changes.retire.append(key)
            return
        ctx = folds.get(name)
        if ctx is None:
            ctx = folds[name] = Fold(
                rule, "", 0, self._folds.rule_of, source_name=self.source_name, texts=self._texts
            )
        ctx.key = key[len(rule.prefix) :]
        ctx.close(row, TIMEOUT if session.due <= expires else "TTL_EXPIRED")
        row.wake = 0
        changes.rows[key] = (row, rule.ttl_ms)

    def _stage(
        self, changes: Changes, *, cached: bool = True, shapes: Shapes | None = None
    ) -> None:
        """No row of `changes` is touched again before the commit."""
        before = len(changes.sent)
        self.shard.stage(changes, cached=cached, shapes=shapes)
        self.flushes += len(changes.sent) - before

    async def _commit(self, changes: Changes, *, whole: bool = False) -> None:
        """`whole`: with it all chunks that were given to `apply` are applied."""
        self._stage(changes)
        # a worker that stops would leave what was decided to be sent by the next one
        await finished(self.shard.commit(changes))


def _pieces(groups: dict[bytes, Sequence[Any]], most: int) -> Iterator[dict[bytes, Sequence[Any]]]:
    """Keys that are stored side by side come together: a block is read once for all of its rows."""
    keys = sorted(groups)
    for at in range(0, len(keys), most):
        yield {key: groups[key] for key in keys[at : at + most]}


def _by_row(prefix: bytes, groups: Iterable[Any], floor: int) -> dict[bytes, Sequence[Any]]:
    """Entries (offset, timestamp, values) by row key, those at or below `floor` left out."""
    rows: dict[bytes, Sequence[Any]] = {}
    for key, entries in groups:
        left = entries
        if entries[0][0] <= floor:
            left = [entry for entry in entries if entry[0] > floor]
        if left:
            rows[prefix + key] = left
    return rows
