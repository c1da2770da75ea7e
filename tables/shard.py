"""The state of one shard: session rows, due index, outbox, totals, and the order in which a commit
makes them durable.

The commit of a batch (architecture.md §2.4). A kill between any two steps loses nothing and repeats
nothing:

    1. the changelog: every changed row, flush decisions with their whole content in the row;
    acknowledged by the stream
    2. one RocksDB write batch: rows, due index, outbox, totals, positions
    3. the outbox sent, acknowledged
    4. the outbox cleared, the batch acknowledged
    5. in time, the offset commit

Steps 1 to 4 are `Shard.commit` (the acknowledgement is its caller's), step 5 is the consumer's.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from domain.aggregation.rule import Rule, split_row_key
from domain.aggregation.session import Row, Session
from domain.aggregation.totals import Totals, contribution
from domain.errors import Fenced
from tables.blocks import gather, put_blocks
from tables.changelog import Change, Changelog
from tables.changes import Changes, Output, Send, Source
from tables.codec import decode_rows, encode_row, encode_twice
from tables.forgetting import over
from tables.handed_over import hand_over
from tables.layout import (
    FORGET,
    GONE,
    GONE_END,
    LOCAL,
    MARKS,
    OUTBOX,
    OUTBOX_END,
    ROW,
    WAKE,
    Local,
    Marks,
    decode_any,
    encode,
    gone_key,
    instant_bytes,
    instant_of,
    outbox_key,
    pack_totals,
    unpack_totals,
    wake_key,
)  # fmt: skip
from tables.out_of_service import sums_of
from tables.packed import Shapes
from tables.sights import Sights, sights
from tables.store import KeyedStore

RuleOf = Callable[[str, int], Rule]
OUTBOX_ROWS = 1_000  # read or cleared at a time


class Shard:
    """See the module. One task at a time uses it; `open` first, `close` last.

    Without `send` steps 3 and 4 are left to the caller: outputs wait in `outbox()` for `confirm`.
    """

    def __init__(
        self,
        number: int,
        store: KeyedStore,
        changelog: Changelog | None,
        rule_of: RuleOf,
        send: Send | None,
        *,
        cache_rows: int = 20_000,
        now_ms: Callable[[], int] = lambda: 0,
        on_step: Callable[[int], None] = lambda _step: None,
    ) -> None:
        self.number = number
        self.store = store
        self.changelog = changelog
        self.rule_of = rule_of
        self.marks = Marks()
        self.numbered = 0
        self.totals: dict[str, Totals] = {}
        self.applied: dict[Source, int] = {}
        self._send = send
        self._cache: dict[bytes, Row | bytes] = {}
        self.cache_rows = cache_rows
        # No keys of the two indexes are before these. A scan that began with the index itself
        # would step over all that was deleted there and is not yet gone from the disk.
        self._wake_from, self._forget_from = WAKE, FORGET
        self._on_step = on_step
        self.gone: dict[bytes, list[Any]] = {}
        self.now_ms = now_ms
        self.whole = True

    async def open(self) -> None:
        """Brings the state up to the changelog's end, claims it, and sends what was decided and
        maybe not sent.
        """
        from tables.recovery import recover

        await recover(self)
        self.gone = {key: decode_any(body) for key, body in self.store.scan(GONE, GONE_END)}
        if self._send is not None:
            await self._send_outbox(self._send)

    def at_rest(self, row_keys: Sequence[bytes]) -> dict[bytes, Any]:
        """The rows of these keys as they are kept: a Row or its bytes, None where there is none."""
        cache = self._cache
        found: dict[bytes, Any] = (
            dict(zip(row_keys, map(cache.get, row_keys), strict=True))
            if cache
            else dict.fromkeys(row_keys)
        )
        missing = [key for key, row in found.items() if row is None]
        if missing:
            stored = self.store.get_many([ROW + key for key in missing])
            found.update(zip(missing, stored, strict=True))
        return found

    def load(self, row_keys: Iterable[bytes]) -> dict[bytes, Row]:
        """The rows of these keys, new ones where there is none; the caller's until the commit."""
        return self.opened(self.at_rest(list(row_keys)))

    def opened(self, rows: dict[bytes, Any]) -> dict[bytes, Row]:
        """Rows as they are kept, to be worked on: see `load`. Takes the dict over."""
        packed = [key for key, row in rows.items() if row.__class__ is not Row]
        if packed:
            found = [rows[key] for key in packed]
            rows.update(zip(packed, decode_rows(found), strict=True))
            if self.gone:
                self._know(packed, found, rows)
        return rows

    def _know(
        self, keys: Iterable[bytes], found: Iterable[bytes | None], rows: dict[bytes, Row]
    ) -> None:
        """A new row in the place of one that was erased knows what that had applied."""
        for key, data in zip(keys, found, strict=True):
            gone = self.gone.get(gone_key(key)) if data is None else None
            if gone is not None:
                rows[key].applied = tuple(list(position) for position in gone[1])

    def seen(self, row_key: bytes, event_ids: Iterable[bytes]) -> Sights:
        """The first sights of those event ids that are known under the key."""
        return sights(self.store, row_key, event_ids)

    def due(self, now_ms: int, limit: int) -> list[tuple[int, bytes]]:
        """(instant, row key) of at most `limit` rows to look at by `now_ms`, in order."""
        end = WAKE + instant_bytes(now_ms + 1)
        found = self.store.scan(self._wake_from, end, limit)
        return [(instant_of(key), key[9:]) for key, _ in found]

    def forgettable(self, now_ms: int, limit: int) -> tuple[list[bytes], list[bytes], list[bytes]]:
        """Of some `limit` event ids whose time is over: (index keys, keys to forget, keys that only
        the store has)."""
        return over(self.store, self._forget_from, now_ms, limit)

    def next_due(self) -> int | None:
        """The earliest instant at which some row is to be looked at."""
        for key, _ in self.store.scan(self._wake_from, FORGET, 1):
            return instant_of(key)
        return None

    async def commit(self, changes: Changes) -> None:
        """Makes the changes durable and their outputs sent, in the order told above. A shard of
        which one was cut off is not `whole`: only opening it anew makes it so. Raises Fenced.
        """
        if not self.whole and self.changelog is not None:
            why = "a commit was cut off"
            raise Fenced(self.changelog.topic, self.changelog.partition, why)
        self.whole = False
        log, puts, deletes, outputs = self._encode(changes)
        # Step 1: the changelog, acknowledged.
        self._on_step(0)
        if self.changelog is not None:
            log += self._repairs(log)
            await self.changelog.append(log)
        self._on_step(1)
        # Step 2: one write batch.
        for name, totals in changes.totals.items():
            self.totals.setdefault(name, Totals()).merge(totals)
        for source, offset in changes.applied.items():
            if offset > self.applied.get(source, -1):
                self.applied[source] = offset
        puts.append((LOCAL, self.local()))
        self.store.write(puts, deletes)
        self._wake_from = min(changes.wake_up_to or self._wake_from, changes.lowest_wake)
        self._forget_from = min(changes.forget_up_to or self._forget_from, changes.lowest_forget)
        self._remember(changes)
        self._on_step(2)
        # Steps 3 and 4: the outbox sent, then cleared.
        if outputs and self._send is not None:
            await self._send(outputs)
            self._on_step(3)
            self._cleared(range(self.numbered - len(outputs) + 1, self.numbered + 1))
        self._on_step(4)
        self.whole = True

    def local(self, written: int | None = None) -> bytes:
        """What only this disk knows, as it is after the write batch that it is part of."""
        following = 0 if self.changelog is None else self.changelog.next_offset
        floors = [[*source, offset] for source, offset in self.applied.items()]
        epoch = 0 if self.changelog is None else self.changelog.epoch
        intruded = [] if self.changelog is None else [*self.changelog.intruded]
        totals = pack_totals(self.totals)
        written = self.now_ms() if written is None else written
        return encode(Local(following, self.numbered, totals, floors, epoch, written, intruded))

    def stage(self, changes: Changes, *, cached: bool = True, shapes: Shapes | None = None) -> None:
        """Encodes `changes.rows`, each for the last time in its commit, and empties it. Done by the
        piece while they are in the processor's own cache; without `cached` they are let go of. With
        `shapes` rows that have one are written so.
        """
        log, puts, deletes, outputs = changes.log, changes.puts, changes.dropped, changes.sent
        lowest_wake = changes.lowest_wake
        logged, staged = self.changelog is not None, changes.staged
        since = self.marks.blocks + 1
        packed: dict[bytes, bytes] = {}
        for key, (row, ttl_ms) in changes.rows.items():
            session = row.open
            wake = row.touched + ttl_ms
            if session is not None and session.due < wake:
                wake = session.due
            if not row.wake or wake < row.wake:
                if row.wake:
                    deletes.append(wake_key(row.wake, key))
                at = wake_key(wake, key)
                puts.append((at, b""))
                if at < lowest_wake:
                    lowest_wake = at
                row.wake = wake
            if row.outputs or row.seen:
                for output in row.outputs:
                    self.numbered += 1
                    output.insert(0, self.numbered)
                    outputs.append((output[1], output[2], output[3]))
                    puts.append((outbox_key(self.numbered), encode(output[1:])))
                if row.seen:
                    gather(changes.firsts, key, row.seen, since)
                as_logged, at_rest = encode_twice(row)
                if logged:
                    log.append((ROW + key, as_logged))
                puts.append((ROW + key, at_rest))
            else:
                data = None if shapes is None else shapes.pack(row)
                if data is None:
                    data = encode_row(row)
                else:
                    packed[key] = data
                change = (ROW + key, data)
                log.append(change)
                puts.append(change)
        rows = changes.rows
        staged.update({key: rows[key][0] for key in rows} if cached else dict.fromkeys(rows))
        if cached:
            staged.update(packed)
        changes.lowest_wake, changes.rows = lowest_wake, {}

    def _encode(
        self, changes: Changes
    ) -> tuple[list[Change], list[tuple[bytes, bytes]], list[bytes], list[Output]]:
        self.stage(changes)
        log, puts, deletes, outputs = changes.log, changes.puts, changes.dropped, changes.sent
        marks = self.marks
        marks.floors = [[*source, offset] for source, offset in self.applied.items()]
        if changes.effective_now > marks.effective_now:
            marks.effective_now = changes.effective_now
        for unrelated in changes.outputs:
            self.numbered += 1
            outputs.append(unrelated)
            puts.append((outbox_key(self.numbered), encode(unrelated)))
        log += changes.kept.items()
        puts += changes.kept.items()
        for key, (row, wake) in changes.rewoken.items():
            row.wake = wake
            at = wake_key(wake, key)
            changes.lowest_wake = min(changes.lowest_wake, at)
            puts += [(at, b""), (ROW + key, encode_row(row))]
        log += [(key, None) for key in changes.forget]
        deletes += changes.forget
        if changes.gone or changes.sights:
            hand_over(changes, log, deletes)
            self._cache.clear()
        if changes.firsts:
            marks.blocks, laid = put_blocks(changes, marks.blocks)
            log = [*laid, *log]
        self._retire(changes, log, deletes)
        body = encode(marks)
        log.append((MARKS, body))
        puts.append((MARKS, body))
        return log, puts, deletes, outputs

    def _retire(self, changes: Changes, log: list[Change], deletes: list[bytes]) -> None:
        """Forgets rows: their totals move to `retired` in the same record that names them.

        The tombstones follow with the next commit, when that record is known to be durable.
        """
        marks = self.marks
        log += [(ROW + key, None) for key, _ in marks.retiring if key not in changes.staged]
        marks.retiring = []
        if not changes.retire:
            return
        retired = unpack_totals(marks.retired)
        for key, row in self.load(changes.retire).items():
            retired.setdefault(split_row_key(key)[0], Totals()).merge(contribution(row, ()))
            marks.retiring.append([key, row.touched])
            deletes += [ROW + key, wake_key(row.wake, key)]
            self._cache.pop(key, None)
        marks.retired = pack_totals(retired)

    def _repairs(self, log: list[Change]) -> list[Change]:
        """Rows that a fenced writer appended again after us: ours once more, so that ours is what
        compaction keeps.
        """
        if self.changelog is None or not self.changelog.intruded:
            return []
        written = {key for key, _ in log}
        keys = [key for key in self.changelog.intruded if key not in written]
        self.changelog.intruded.clear()
        return list(zip(keys, self.store.get_many(keys), strict=True))

    def _remember(self, changes: Changes) -> None:
        cache = self._cache
        kept = {key: row for key, row in changes.staged.items() if row is not None}
        if cache and len(kept) < len(changes.staged):
            for key in changes.staged:
                cache.pop(key, None)
        if len(cache) + len(kept) > self.cache_rows:
            cache.clear()
        cache.update(kept if len(kept) <= self.cache_rows else {})
        for key, (row, _) in changes.rewoken.items():
            if key in cache:
                cache[key] = row

    def outbox(self) -> Iterator[Output]:
        """What was decided and is not confirmed, in order."""
        number = self.marks.sent
        while True:
            found = list(self.store.scan(outbox_key(number + 1), OUTBOX_END, OUTBOX_ROWS))
            for key, data in found:
                topic, to, value = decode_any(data)
                yield topic, to, value
                number = int.from_bytes(key[1:], "big")
            if len(found) < OUTBOX_ROWS:
                return

    def confirm(self, kept: dict[bytes, bytes]) -> None:
        """All outputs are out, and what that means for further records: one write, so a kill leaves
        all of them confirmed or none. Then they are cleared away."""
        self.marks.sent = self.numbered
        self.store.write([(MARKS, encode(self.marks)), *kept.items()])
        at, end = OUTBOX, outbox_key(self.numbered + 1)
        while found := [key for key, _ in self.store.scan(at, end, OUTBOX_ROWS)]:
            self.store.write([], found)
            at = found[-1]

    async def _send_outbox(self, send: Send) -> None:
        found = [
            (int.from_bytes(key[1:], "big"), decode_any(data))
            for key, data in self.store.scan(OUTBOX, OUTBOX_END)
        ]
        if found:
            await send([(topic, key, value) for _, (topic, key, value) in found])
            self._cleared(number for number, _ in found)

    def _cleared(self, numbers: Iterable[int]) -> None:
        self.marks.sent = self.numbered
        self.store.write([(MARKS, encode(self.marks))], [outbox_key(number) for number in numbers])

    def check(self) -> None:
        """Raises Invariant unless the totals kept are those of the rows; reads every row."""
        from tables.balance import check

        check(self)

    def sums_of(self, row_key: bytes, session: Session | None) -> tuple[tuple[int, str], ...]:
        """The sums that the session's version keeps. Raises OutOfService."""
        name = split_row_key(row_key)[0]
        return () if session is None else sums_of(self.rule_of, name, session.version)

    def close(self) -> None:
        """Closes the store; everything of finished commits is on disk."""
        self._cache.clear()
        self.store.close()
