"""Brings a shard's store up to the end of its changelog, and makes it this process's own.

State of an older format is brought up first. From an empty disk the records are put as they come
(the last of a key wins) and everything derived is made in one scan at the end; from a warm one only
the tail is applied, each row against the one it replaces.

A compacted log keeps the last record of each key, but a tombstone for a day only. A disk older
than that may hold rows that were deleted long ago, and nothing says so any more: it is emptied,
and what is in the log made anew.
"""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from domain.aggregation.rule import split_row_key
from domain.aggregation.session import Row
from domain.aggregation.totals import Totals, contribution
from tables.blocks import decode_block, index_key, keys_of, leads_to, number_of
from tables.carried import Carried
from tables.changelog import Change
from tables.codec import decode_row, resting
from tables.formats import SHARD, bring_up
from tables.layout import (
    BLOCK,
    BLOCK_END,
    FORGET,
    FORMAT,
    LOCAL,
    MARKS,
    ROW,
    ROW_END,
    SEEN,
    Local,
    Marks,
    decode_any,
    decode_local,
    decode_marks,
    encode,
    instant_bytes,
    outbox_key,
    unpack_totals,
    wake_key,
)  # fmt: skip
from tables.rows_at_once import RowsAtOnce

if TYPE_CHECKING:
    from tables.shard import Shard

logger = logging.getLogger(__name__)
STALE_MS = 12 * 3600 * 1000  # half of what both streams keep tombstones for
SCAN_ROWS = 5_000  # rows of one write batch while everything derived is made


async def recover(shard: "Shard") -> None:
    """Reads, claims, derives. Afterwards the shard's totals, marks and positions are those of its
    rows.
    """
    bring_up(shard.store, SHARD, f"state of shard {shard.number}")
    if not await _recovered(shard):
        logger.warning("state of shard %d is of long ago: rebuilding", shard.number)
        empty(shard)
        await _recovered(shard)


@dataclass
class Reading:
    """A store that is brought up with its changelog from `next` on: a `cold` one holds nothing but
    what is put; a warm one is that of the instant `written`. `stale`: that is so long ago that
    tombstones may be gone.
    """

    carried: Carried
    cold: bool
    written: int
    stale: bool
    next: int

    def apply(self, shard: "Shard", changes: list[Change]) -> None:
        """Changes that follow those before."""
        if self.cold:
            _put(shard, changes)
        else:
            # until all of it is applied, the store is as old as it was
            _apply(shard, changes, self.carried, self.written)


def begin(shard: "Shard") -> Reading:
    """Takes over what the store knows; what isn't warm is emptied."""
    known = shard.store.get_many([LOCAL, MARKS])
    local = Local() if known[0] is None else decode_local(known[0])
    cold = known[0] is None
    shard.numbered = local.numbered
    shard.totals = unpack_totals(local.totals)
    shard.applied = {
        (path, topic, partition, name): offset
        for path, topic, partition, name, offset in local.floors
    }
    if known[1] is not None:
        shard.marks = decode_marks(known[1])
    if shard.changelog is not None:
        if cold:
            empty(shard)  # the rest of a recovery that was killed, who knows when
        # the claim it came from may be the last thing in the log
        shard.changelog.epoch = local.epoch
        shard.changelog.intruded = set(local.intruded)
    stale = not cold and not 0 <= shard.now_ms() - local.written < STALE_MS
    return Reading(Carried(shard.store), cold, local.written, stale, local.changelog_next)


async def _recovered(shard: "Shard") -> bool:
    """False, and nothing claimed, when the store is too old to be sure of."""
    reading = begin(shard)
    changelog = shard.changelog
    if changelog is None:
        return True
    async for changes in changelog.follow(reading.next):
        if reading.stale and changelog.gaps:
            break
        reading.apply(shard, changes)
    if reading.stale and changelog.gaps:
        return False
    reading.apply(shard, await changelog.claim())
    logger.debug(
        "state of shard %d: its changelog was read from offset %d to %d",
        shard.number, reading.next, changelog.next_offset,
    )  # fmt: skip
    if reading.cold:
        derive(shard, reading.carried)
    await reading.carried.settle(shard)
    deletes = _finish_retiring(shard)
    shard.store.write([(LOCAL, shard.local()), (MARKS, encode(shard.marks))], deletes)
    return True


def empty(shard: "Shard") -> None:
    """Deletes everything in the store, what makes it warm last."""
    store, at = shard.store, b"\0"
    while keys := [key for key, _ in store.scan(at, b"\xff", SCAN_ROWS)]:
        store.write([], [key for key in keys if key not in (LOCAL, FORMAT)])
        at = keys[-1] + b"\0"
    store.write([], [LOCAL])
    shard.marks, shard.numbered, shard.totals, shard.applied = Marks(), 0, {}, {}
    if shard.changelog is not None:
        shard.changelog.restart()


def _put(shard: "Shard", changes: list[Change]) -> None:
    latest = dict(changes)
    _note_marks(shard, latest)
    shard.store.write(
        [(key, body) for key, body in latest.items() if body is not None],
        [key for key, body in latest.items() if body is None],
    )


def _note_marks(shard: "Shard", latest: dict[bytes, bytes | None]) -> None:
    """Takes over the newest marks; floors never fall. The totals are always those of the rows and
    of the retired.
    """
    body = latest.get(MARKS)
    if body is None:
        return
    before = shard.marks
    shard.marks = decode_marks(body)
    shard.marks.sent = max(before.sent, shard.marks.sent)
    shard.marks.blocks = max(before.blocks, shard.marks.blocks)
    # others numbered on since this disk's state; a number used again would count as sent
    shard.numbered = max(shard.numbered, shard.marks.sent)
    for retired, sign in ((shard.marks.retired, 1), (before.retired, -1)):
        for name, totals in unpack_totals(retired).items():
            shard.totals.setdefault(name, Totals()).merge(totals, sign)
    for path, topic, partition, name, offset in shard.marks.floors:
        source = (path, topic, partition, name)
        shard.applied[source] = max(offset, shard.applied.get(source, -1))


def derive(shard: "Shard", carried: Carried, on_piece: Callable[[], None] = lambda: None) -> None:
    """Due index, forget index, event ids' keys, outbox and totals of a store that holds only what
    the changelog does. `on_piece` is called all the while; what it raises ends it.
    """
    shard.numbered = shard.marks.sent
    shard.totals = unpack_totals(shard.marks.retired)
    puts: list[tuple[bytes, bytes]] = []

    def write(least: int) -> None:
        if len(puts) >= least:
            shard.store.write(puts)
            puts.clear()
            carried.look(least)
            on_piece()

    for key, body in shard.store.scan(BLOCK, BLOCK_END):  # in their order: the last of an id counts
        number, block = number_of(key), decode_block(body)
        puts += [*keys_of(number, block), (index_key(number, block), b"")]
        shard.marks.blocks = max(shard.marks.blocks, number)
        write(SCAN_ROWS)
    rows, at_once = shard.store.scan(ROW, ROW_END), RowsAtOnce(shard.totals, shard.rule_of)
    while piece := list(islice(rows, SCAN_ROWS)):
        read = at_once.read(piece)
        puts += [(wake_key(wake, row_key), b"") for wake, row_key in read.wakes]
        for key, rest, seen, outputs in read.brought:
            puts.append((key, rest))
            puts += _taken_off(shard, key[1:], seen, outputs, carried)
        write(SCAN_ROWS)
    for key, body in shard.store.scan(SEEN, b"f"):
        sight = decode_any(body)
        if not isinstance(sight, int):
            puts.append((FORGET + instant_bytes(sight[4]) + key, b""))
            write(SCAN_ROWS)
    write(0)


def _apply(shard: "Shard", changes: list[Change], carried: Carried, written: int) -> None:
    """Changes newer than a warm store: what is derived follows each row.

    The store stays one of the instant `written`. Totals go with the rows in one write: whoever
    comes after a kill finds them together.
    """
    latest = dict(changes)
    sent = shard.marks.sent
    _note_marks(shard, latest)
    puts: list[tuple[bytes, bytes]] = []
    deletes = _sent_since(shard, sent)
    rows = [key for key in latest if key[:1] == ROW]
    for key, old in zip(rows, shard.store.get_many(rows), strict=True):
        row_key, body = key[1:], latest[key]
        if old is not None:
            before = decode_row(old)
            _count(shard, row_key, before, -1)
            deletes += [wake_key(before.wake, row_key), key]
        if body is not None:
            row = decode_row(body)
            _count(shard, row_key, row, 1)
            puts.append((wake_key(row.wake, row_key), b""))
            if row.outputs or row.seen:
                body = resting(body, row)
                puts += _taken_off(shard, row_key, row.seen, row.outputs, carried)
            puts.append((key, body))
    for key, body in latest.items():
        if key[:1] not in (ROW, BLOCK):
            if body is None:
                deletes.append(key)
                continue
            puts.append((key, body))
            if key[:1] == SEEN:
                puts.append((FORGET + instant_bytes(decode_any(body)[4]) + key, b""))
    _apply_blocks(shard, latest, puts, deletes)
    # the marks as they are now: a part of a commit may have brought its blocks and not its marks
    puts += [(LOCAL, shard.local(written)), (MARKS, encode(shard.marks))]
    shard.store.write(puts, deletes)
    carried.look()


def _sent_since(shard: "Shard", sent: int) -> list[bytes]:
    """The outbox's keys of what its owner has sent since."""
    if shard.marks.sent == sent:
        return []
    found = shard.store.scan(outbox_key(sent + 1), outbox_key(shard.marks.sent + 1))
    return [key for key, _ in found]


def _apply_blocks(
    shard: "Shard",
    latest: dict[bytes, bytes | None],
    puts: list[tuple[bytes, bytes]],
    deletes: list[bytes],
) -> None:
    """Blocks newer than a warm store, and the keys that lead to them."""
    store = shard.store
    keys = sorted(key for key in latest if key[:1] == BLOCK)
    for key, old in zip(keys, store.get_many(keys), strict=True):
        number, body = number_of(key), latest[key]
        shard.marks.blocks = max(shard.marks.blocks, number)
        if old is not None:
            before = decode_block(old)
            ids = zip(before.ids(), leads_to(store, number, before), strict=True)
            deletes += [index_key(number, before), *(SEEN + each for each, leads in ids if leads)]
        if body is None:
            deletes.append(key)
            continue
        block = decode_block(body)
        mine = keys_of(number, block)
        puts += [(key, body), (index_key(number, block), b"")]
        for put, held in zip(mine, store.get_many([at for at, _ in mine]), strict=True):
            value = None if held is None else decode_any(held)
            if not (isinstance(value, int) and value > number):  # one written again may be older
                puts.append(put)


def _taken_off(
    shard: "Shard", row_key: bytes, seen: Iterable[Any], outputs: Iterable[Any], carried: Carried
) -> list[tuple[bytes, bytes]]:
    """What travels in a row's changelog record only: outputs that may not be out, event ids first
    seen.
    """
    puts: list[tuple[bytes, bytes]] = []
    for number, topic, key, value in outputs:
        shard.numbered = max(shard.numbered, number)
        if number > shard.marks.sent:
            puts.append((outbox_key(number), encode([topic, key, value])))
    carried.add(row_key, seen)
    return puts


def _count(shard: "Shard", row_key: bytes, row: Row, sign: int) -> None:
    if row.open is None and row.history is None:
        return  # a letter's: of no account
    totals = shard.totals.setdefault(split_row_key(row_key)[0], Totals())
    totals.merge(contribution(row, shard.sums_of(row_key, row.open)), sign)


def _finish_retiring(shard: "Shard") -> list[bytes]:
    """The keys to delete of rows that are counted among the retired but whose tombstones may not
    have been written.
    """
    marks: Marks = shard.marks
    deletes: list[bytes] = []
    keys = [key for key, _ in marks.retiring]
    touched: dict[bytes, Any] = dict(marks.retiring)
    for key, data in zip(keys, shard.store.get_many([ROW + key for key in keys]), strict=True):
        if data is None:
            continue
        row = decode_row(data)
        if row.open is None and row.touched == touched[key]:
            _count(shard, key, row, -1)
            deletes += [ROW + key, wake_key(row.wake, key)]
    return deletes
