"""Replays of dead letters, as far as a shard has to do with them (see `replay_messages.py`).

A letter is applied at most once: its home decides about one attempt at a time, in the order of the
shard's stream, and sends the record on by its outbox; the session's shard knows an attempt by its
number. Whatever comes again, after a kill or because it was asked twice, is recognised by one of
the two. All of it is told by rows: the letter's, and that of the session, which carries the record,
the mark of the attempt and "one rejected less" in one changelog record.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from agents.aggregate import ShardProcessor
from agents.folds import Folds
from agents.letters import TOPIC, Letter, erased
from agents.replay_decisions import Decider
from agents.replay_messages import (
    Ask,
    Done,
    Forget,
    Message,
    Take,
    decode,
    home_of,
    mark_of,
    to_shard,
)
from domain.aggregation.fold import Fold
from domain.aggregation.replay import fold_replayed
from domain.aggregation.session import History, Row
from domain.aggregation.sights import run_of, sights_of
from domain.aggregation.sources import apart
from domain.aggregation.totals import Totals
from tables.changes import Changes
from tables.letters import KEPT_MS, LetterState, letter_key, set_state, state_of

MESSAGES = 500  # of one commit at most, and
COMMIT_BYTES = 2 << 20  # as much of records


class Replays:
    """See the module. `now_ms` is the product's clock."""

    def __init__(
        self, decider: Decider, folds: Folds, shards: Callable[[], int], now_ms: Callable[[], int]
    ) -> None:
        self._decider = decider
        self._folds = folds
        self._shards = shards
        self._now_ms = now_ms

    async def apply(self, processor: ShardProcessor, found: Sequence[tuple[int, bytes]]) -> None:
        """Handles (offset, message) of the shard's stream in order, and commits; those handled
        before change nothing.
        """
        messages = [(offset, decode(data)) for offset, data in found]
        at = 0
        while at < len(messages):
            at = await self._some(processor, messages, at)

    async def _some(
        self, processor: ShardProcessor, messages: list[tuple[int, Message]], at: int
    ) -> int:
        """One commit from message `at` on; returns where to go on."""
        part = messages[at : at + MESSAGES]
        work = _Work(processor, [self._row_key(message) for _, message in part])
        for (offset, message), key in zip(part, work.keys, strict=True):
            if isinstance(message, Take):
                self._take(work, key, message)
            elif isinstance(message, Ask):
                self._ask(work, key, offset, message)
            elif isinstance(message, Done):
                self._done(work, key, offset, message)
            else:
                self._forget(work, key, offset, message)
            at += 1
            if not isinstance(message, Forget):
                work.bytes += len(message.letter.original or b"")
            if work.full or work.bytes > COMMIT_BYTES:
                break
        await work.commit()
        return at

    def _row_key(self, message: Message) -> bytes:
        if isinstance(message, Take):
            chunk = message.chunk
            rule, _ = self._folds.get(chunk.aggregator, chunk.version)
            return rule.prefix + bytes(chunk.groups[0][0])
        if isinstance(message, Forget):
            return letter_key(message.aggregator, message.id)
        return letter_key(message.letter.aggregator, message.letter.id)

    # At home

    def _ask(self, work: "_Work", key: bytes, offset: int, ask: Ask) -> None:
        """Decides about the letter, unless that was done, is being done, or is not yet over."""
        row, letter = work.rows[key], ask.letter
        state = state_of(row)
        if state.replayed or state.pending:
            return
        if offset <= state.offset or ask.command == state.command:
            return  # asked before
        attempt = state.attempt + 1
        now = max(self._now_ms(), ask.at)
        decision = self._decider.decide(letter, now)
        revision = self._decider.revision
        counted = letter.aggregator is not None
        for shard, chunk in decision.takes:
            take = Take(letter, ask.command, ask.at, attempt, counted, chunk)
            row.outputs = (*row.outputs, to_shard(shard, revision, take))
        for refused in decision.letters:
            self._new_letter(work, refused)
        if decision.again is not None:
            row.outputs = (*row.outputs, list(decision.again))
        pending = counted and bool(decision.takes)
        done = decision.stays is None and not pending
        set_state(row, LetterState(attempt, pending, done, offset, ask.command))
        if decision.stays is not None:
            stays = decision.stays
            refused = replace(
                letter, reason=stays.reason, detail=stays.detail, version=stays.version
            )
            self._told(row, replace(refused, tried_at=now, replayed_at=None), ask.command)
        elif done:
            self._told(row, replace(letter, replayed_at=now), ask.command)
        work.change(key, row, now)

    def _done(self, work: "_Work", key: bytes, offset: int, done: Done) -> None:
        """Closes the attempt, and says on `dead-letters` how it went."""
        row, letter = work.rows[key], done.letter
        state = state_of(row)
        if not state.pending or state.attempt != done.attempt:
            return
        now = max(self._now_ms(), done.at)
        applied = not done.reason
        if applied:
            letter = replace(letter, replayed_at=now)
        else:
            letter = replace(
                letter, reason=done.reason, detail=done.detail, version=done.version, tried_at=now
            )
        set_state(row, LetterState(done.attempt, False, applied, offset, done.command))
        self._told(row, letter, done.command)
        work.change(key, row, now)

    def _forget(self, work: "_Work", key: bytes, offset: int, asked: Forget) -> None:
        """From now on nothing is done about the letter and nothing told of it. What an attempt
        under way does to its session holds: it is told to nobody."""
        row = work.rows[key]
        state = state_of(row)
        if offset <= state.offset:
            return
        set_state(row, LetterState(state.attempt, False, True, offset, ""))
        row.outputs = (*row.outputs, list(erased(asked.id, asked.topic, asked.at)))
        work.change(key, row, max(self._now_ms(), asked.at))

    def _told(self, row: Row, letter: Letter, command: str) -> None:
        row.outputs = (
            *row.outputs,
            [TOPIC, letter.topic.encode(), replace(letter, command=command).encode()],
        )

    def _new_letter(self, work: "_Work", letter: Letter) -> None:
        """An aggregator that had not seen the record refuses it: in, and rejected."""
        key = letter_key(letter.aggregator, letter.id)
        row = work.row(key)
        row.history = row.history or History()
        row.history.accepted += 1
        row.history.rejected += 1
        row.outputs = (*row.outputs, list(letter.output()))
        totals = work.totals(letter.aggregator or "")
        totals.add("in", 1)
        totals.add("rejected", 1)
        work.change(key, row, self._now_ms())

    # At the session

    def _take(self, work: "_Work", key: bytes, take: Take) -> None:
        """Applies the record, unless this attempt was."""
        chunk, letter, shard = take.chunk, take.letter, work.processor.shard
        rule, fold = self._folds.get(chunk.aggregator, chunk.version)
        row, entry = work.rows[key], chunk.groups[0][1][0]
        mark = mark_of(take)
        wanted = [mark]
        if rule.document.event_id is not None:
            at = [item.kind for item in rule.inputs].index("event_id")
            wanted.append(entry[2][at])
        seen = shard.seen(key, wanted)
        seen.update(sights_of(row.seen))
        if mark in seen:
            return
        source_name = work.processor.source_name
        ctx = Fold(
            rule, chunk.topic, apart(chunk.partition), self._folds.rule_of,
            source_name=source_name, key=key[len(rule.prefix) :], seen=seen,
        )  # fmt: skip
        fold_replayed(row, entry, fold, ctx, chunk.partition, counted=take.counted)
        now = max(shard.marks.effective_now, take.at)
        sight = [chunk.topic, chunk.partition, entry[0], entry[1], now + KEPT_MS]
        row.seen = (*row.seen, run_of(mark, sight))
        reason, detail = "", ""
        for refused in ctx.rejections:
            reason, detail = refused.reason, refused.detail
        if take.counted:
            done = Done(
                letter, take.command, take.at, take.attempt, reason, detail,
                rule.version if reason else None,
            )  # fmt: skip
            home = home_of(letter.id, self._shards())
            row.outputs = (*row.outputs, to_shard(home, 0, done))
        elif reason:
            own = replace(
                letter, aggregator=rule.name, reason=reason, detail=detail, version=rule.version
            )
            row.outputs = (*row.outputs, list(own.output()))
        work.changes.rows[key] = (row, rule.ttl_ms)
        work.totals(rule.name).merge(ctx.totals)
        work.processor.records += 1
        work.full = work.full or ctx.full


class _Work:
    """What one commit is made of."""

    def __init__(self, processor: ShardProcessor, keys: list[bytes]) -> None:
        self.processor = processor
        self.keys = keys
        self.rows = processor.shard.load(dict.fromkeys(keys))
        self.changes = Changes(effective_now=processor.shard.marks.effective_now)
        self.bytes = 0
        self.full = False

    def row(self, key: bytes) -> Row:
        """A row that no message is about."""
        if key not in self.rows:
            self.rows.update(self.processor.shard.load([key]))
        return self.rows[key]

    def totals(self, aggregator: str) -> Totals:
        return self.changes.totals.setdefault(aggregator, Totals())

    def change(self, key: bytes, row: Row, now_ms: int) -> None:
        """A letter's row is changed."""
        row.touched = max(row.touched, now_ms)
        self.changes.rows[key] = (row, KEPT_MS)

    async def commit(self) -> None:
        if self.changes.rows:
            await self.processor.shard.commit(self.changes)
