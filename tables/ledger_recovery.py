"""Brings a ledger's store up to the last marker of its changelog, and makes it this process's own.

Records are put as they come, the last of a key wins, whatever compaction left. Then what a commit
without its marker has changed is set back, on the disk and in the changelog. A kill anywhere in
here leaves a changelog that says the same: the u records stay the newest of their keys until the
next commit, and a marker comes only after all keys are set back.
"""

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tables.changelog import Change
from tables.layout import encode
from tables.ledger_layout import (
    LOCAL,
    MARKER,
    OUTBOX,
    ROW,
    UNDO,
    WAKE,
    Local,
    Marker,
    decode_local,
    decode_marker,
)

if TYPE_CHECKING:
    from tables.ledger import Ledger

logger = logging.getLogger(__name__)
STALE_MS = 12 * 3600 * 1000  # half of what both streams keep tombstones for
SCAN_ROWS = 5_000  # rows of one write batch


class Tail:
    """What the newest commits have replaced, as long as no marker of theirs was seen."""

    def __init__(self) -> None:
        self.parts: dict[bytes, tuple[int, list[list[bytes | None]]]] = {}
        self.outbox = 0
        """How many o records there may be."""

    def after(self, sequence: int) -> tuple[int, dict[bytes, bytes | None]]:
        """(highest sequence, value before by key) of the commits after that one."""
        before: dict[bytes, bytes | None] = {}
        highest = sequence
        for at, items in sorted(self.parts.values(), key=lambda part: -part[0]):
            if at > sequence:
                highest = max(highest, at)
                before.update((key or b"", old) for key, old in items)
        return highest, before


async def recover(ledger: "Ledger") -> None:
    """Reads, claims, sets back. Afterwards the ledger's marker and rows are those of one commit."""
    if not await _recovered(ledger):
        logger.warning("campaigns of shard %d are of long ago: rebuilding", ledger.number)
        empty(ledger)
        await _recovered(ledger)


@dataclass
class Reading:
    """A store that is brought up with its changelog from `next` on. `cold`: it holds nothing yet.
    `stale`: it is of so long ago that tombstones may be gone."""

    cold: bool
    stale: bool
    next: int
    tail: Tail


def begin(ledger: "Ledger") -> Reading:
    """Takes over what the store knows; what isn't warm is emptied."""
    store, changelog = ledger.store, ledger.changelog
    known = store.get_many([LOCAL, MARKER])
    cold = known[0] is None
    local = Local() if known[0] is None else decode_local(known[0])
    if cold:
        empty(ledger)  # the rest of a recovery that was killed, who knows when
    elif known[1] is not None:
        ledger.marker = decode_marker(known[1])
    ledger.sent = local.sent
    changelog.epoch = local.epoch  # the claim it came from may be the last thing in the log
    changelog.intruded = set(local.intruded)
    stale = not cold and not 0 <= ledger.now_ms() - local.written < STALE_MS
    return Reading(cold, stale, local.changelog_next, Tail())


async def _recovered(ledger: "Ledger") -> bool:
    """False, and nothing claimed, when the store is too old to be sure of: rows may have been
    deleted since, whose tombstones are gone."""
    reading = begin(ledger)
    changelog, tail = ledger.changelog, reading.tail
    async for changes in changelog.follow(reading.next):
        if reading.stale and changelog.gaps:
            break
        take(ledger, tail, changes)
    if reading.stale and changelog.gaps:
        return False
    take(ledger, tail, await changelog.claim())
    logger.debug(
        "%s of shard %d: its changelog was read from offset %d to %d",
        changelog.topic, ledger.number, reading.next, changelog.next_offset,
    )  # fmt: skip
    sequence, before = tail.after(ledger.marker.sequence)
    if sequence > ledger.marker.sequence:
        await _set_back(ledger, tail, sequence, before)
    ledger.store.write([(LOCAL, ledger.local()), (MARKER, encode(ledger.marker))])
    return True


def empty(ledger: "Ledger") -> None:
    """Deletes everything in the store, what makes it warm last."""
    store, at = ledger.store, b"\0"
    while keys := [key for key, _ in store.scan(at, b"\xff", SCAN_ROWS)]:
        store.write([], [key for key in keys if key != LOCAL])
        at = keys[-1] + b"\0"
    store.write([], [LOCAL])
    ledger.marker = Marker()
    ledger.changelog.restart()


def take(ledger: "Ledger", tail: Tail, changes: list[Change]) -> None:
    """Puts changes that follow those before, the last of a key."""
    from tables.ledger import undo_of

    latest: dict[bytes, bytes | None] = {}
    for key, body in changes:
        kind = key[:1]
        if kind == MARKER:
            if body is not None:
                ledger.marker = decode_marker(body)
        elif kind == UNDO:
            if body is None:
                tail.parts.pop(key, None)
            else:
                tail.parts[key] = undo_of(body)
        elif kind in (ROW, WAKE, OUTBOX):
            latest[key] = body
            if kind == OUTBOX:
                tail.outbox = max(tail.outbox, int.from_bytes(key[1:], "big") + 1)
    ledger.store.write(
        [(key, body) for key, body in latest.items() if body is not None],
        [key for key, body in latest.items() if body is None],
    )


async def _set_back(
    ledger: "Ledger", tail: Tail, sequence: int, before: dict[bytes, bytes | None]
) -> None:
    """A commit of its own, without outputs: those of the last one stay to be sent."""
    marker = Marker(
        sequence + 1,
        ledger.marker.applied,
        ledger.marker.floors,
        ledger.marker.outbox,
        max(ledger.marker.parts, tail.outbox),
        max(ledger.marker.undone, len(tail.parts)),
    )
    await ledger.changelog.append([*before.items(), (MARKER, encode(marker))])
    ledger.store.write(
        [(key, old) for key, old in before.items() if old is not None],
        [key for key, old in before.items() if old is None],
    )
    ledger.marker = marker
