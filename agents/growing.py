"""Gives rows away to the shards where their keys live by a larger number of shards, and takes them.

A shard gives when its stream says so (`Parcel.give`), all at once; nobody else uses it meanwhile,
and one that is opened in the middle of it does the rest first:

    1. that it is giving, acknowledged by the changelog
    2. by the piece, in the order of keys: the rows on the streams of the others, acknowledged;
       then, in one commit, gone here
    3. the event ids of what was given, out of their blocks
    4. that it has given, acknowledged

After a kill in 2 what was not gone is sent again, unchanged. The shard that takes knows a row by
having it, or (a row may have been forgotten since) by the last key that had arrived from there.
What a shard gave counts in its totals no more, and in the other's from the commit with the row.

What comes for a row after it was given is handed on (see `handing_on.py`), so it arrives behind it.
But the other's clock may be ahead of what is still to be handed on: its timers rest from the first
thing that comes by way of another shard until the stream says that nothing more will
(`Parcel.release`).
"""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from msgspec.structs import replace

from agents.chunks import PARCEL_BYTES, Move, Parcel, encode_parcel
from agents.folds import Folds
from agents.places import Places
from domain.aggregation.rule import split_row_key
from domain.aggregation.session import Row
from domain.aggregation.sights import run_of
from domain.aggregation.totals import Totals, contribution
from tables.changes import Changes
from tables.codec import decode_row, encode_row
from tables.forgetting import sweep
from tables.layout import FORGET, ROW, instant_bytes, seen_key
from tables.letters import KEPT_MS, is_letter, set_state, state_of
from tables.shard import Shard
from tables.sights import of_row, resolved

PIECE_ROWS = 2_000  # looked at, and gone in one commit
SIGHTS = 2_000  # event ids that travel in one changelog record, 100 KB
SendParcel = Callable[[int, bytes], Awaitable[None]]


class Growing:
    """See the module. `send(shard, parcel)` returns when that is durable; each shard is the
    caller's alone during a call.
    """

    def __init__(
        self, places: Places, folds: Folds, revision: Callable[[], int], send: SendParcel
    ) -> None:
        self._places = places
        self._folds = folds
        self._revision = revision
        self._send = send

    async def give(self, shard: Shard, shards: int, offset: int) -> None:
        """Gives away what lives elsewhere by `shards`, as its stream says at `offset`; once."""
        marks = shard.marks
        if marks.placed >= shards:
            return
        # Step 1.
        marks.leaving = [shards, offset]
        await shard.commit(_nothing(shard))
        await self.go_on(shard)

    async def go_on(self, shard: Shard) -> None:
        """Does the rest of what was begun, if anything was."""
        marks = shard.marks
        if not marks.leaving:
            return
        shards, offset = marks.leaving
        at, end = ROW, ROW[:-1] + bytes([ROW[-1] + 1])
        while found := list(shard.store.scan(at, end, PIECE_ROWS)):
            # Step 2.
            await self._piece(shard, shards, [(key[1:], value) for key, value in found])
            at = found[-1][0] + b"\0"
        # Step 3.
        for changes in sweep(shard.store, partial(Changes, effective_now=marks.effective_now)):
            await shard.commit(changes)
        # Step 4.
        marks.placed, marks.placed_at, marks.leaving = shards, offset, []
        await shard.commit(_nothing(shard))

    async def _piece(self, shard: Shard, shards: int, found: list[tuple[bytes, bytes]]) -> None:
        changes = _nothing(shard)
        waiting: dict[int, list[Move]] = {}
        sizes: dict[int, int] = {}
        numbers = self._places.of_rows([key for key, _ in found], shards)
        for number, (key, value) in zip(numbers, found, strict=True):
            if number == shard.number:
                continue
            row = decode_row(value)
            for move in self._moves(shard, key, row, changes):
                waiting.setdefault(number, []).append(move)
                sizes[number] = sizes.get(number, 0) + len(move.row) + 80 * len(move.seen)
                if sizes[number] > PARCEL_BYTES // 2:
                    await self._send(number, self._parcel(shards, waiting.pop(number)))
                    sizes[number] = 0
            changes.gone[key] = row
            _count(shard, changes, key, row, -1)
        for number, moves in waiting.items():
            await self._send(number, self._parcel(shards, moves))
        if changes.gone:
            await shard.commit(changes)

    def _parcel(self, shards: int, moves: list[Move]) -> bytes:
        return encode_parcel(Parcel(self._revision(), [], moves=moves, handed=shards))

    def _moves(self, shard: Shard, key: bytes, row: Row, changes: Changes) -> list[Move]:
        """The row with the event ids first seen under its key, which are to be forgotten here."""
        store, prefix = shard.store, len(seen_key(key, b""))
        moves: list[Move] = []
        for found in of_row(store, key, SIGHTS):
            keys = [at for at, _, _ in found]
            told = resolved(store, keys, store.get_many(keys))
            moves.append(Move(shard.number, key, b"", [[at[prefix:], *told[at]] for at in keys]))
            for at, sight, _ in found:
                if sight is None:
                    changes.dropped.append(at)
                else:
                    changes.forget.append(at)
                    changes.dropped.append(FORGET + instant_bytes(sight[4]) + at)
        last = moves.pop().seen if moves else []
        return [*moves, Move(shard.number, key, encode_row(row), last)]

    async def hold(self, shard: Shard, shards: int) -> None:
        """Timers rest: things come by way of other shards. Durable before any of them is used."""
        marks = shard.marks
        if shards > max(marks.held, marks.released):
            marks.held, marks.arrived = shards, {}
            await shard.commit(_nothing(shard))

    async def take(self, shard: Shard, shards: int, moves: Sequence[Move]) -> None:
        """Takes rows that come to live here, in one commit; those that are here already stay."""
        marks = shard.marks
        if not moves or shards <= marks.released:
            return
        keys = [move.key for move in moves]
        here = dict(zip(keys, shard.store.get_many([ROW + key for key in keys]), strict=True))
        changes = _nothing(shard)
        arrived = dict(marks.arrived)
        for move in moves:
            known = here[move.key] is not None or move.key <= arrived.get(move.origin, b"")
            if not known and not move.row:
                changes.sights |= {seen_key(move.key, each[0]): each[1:] for each in move.seen}
            elif not known and move.key not in changes.rows:
                self._take(shard, changes, move)
            if move.row:
                arrived[move.origin] = max(move.key, arrived.get(move.origin, b""))
        if changes.rows or changes.sights:
            await shard.commit(changes)
        # Told by the next commit: the rows of this one are known by being there.
        marks.arrived = arrived

    def _take(self, shard: Shard, changes: Changes, move: Move) -> None:
        row = decode_row(move.row)
        row.wake = 0
        row.seen = tuple(run_of(event_id, sight) for event_id, *sight in move.seen)
        if is_letter(move.key):
            set_state(row, replace(state_of(row), offset=-1))  # it was that of another stream
            changes.rows[move.key] = (row, KEPT_MS)
            _count(shard, changes, move.key, row, 1)
            return
        name, session = split_row_key(move.key)[0], row.open
        rule = (
            self._folds.latest(name)
            if session is None
            else self._folds.rule_of(name, session.version)
        )
        changes.rows[move.key] = (row, rule.ttl_ms)
        _count(shard, changes, move.key, row, 1)

    async def release(self, shard: Shard, shards: int) -> None:
        """Nothing more comes by way of other shards: timers go on."""
        marks = shard.marks
        if shards > marks.released:
            marks.released, marks.arrived = shards, {}
            await shard.commit(_nothing(shard))


def resting(shard: Shard) -> bool:
    """Whether the shard's timers rest."""
    return shard.marks.held > shard.marks.released


def _count(shard: Shard, changes: Changes, key: bytes, row: Row, sign: int) -> None:
    if row.open is not None or row.history is not None:
        totals = changes.totals.setdefault(split_row_key(key)[0], Totals())
        totals.merge(contribution(row, shard.sums_of(key, row.open)), sign)


def _nothing(shard: Shard) -> Changes:
    return Changes(effective_now=shard.marks.effective_now)
