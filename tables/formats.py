"""The format of a shard's state: a number on its store and on each changelog record, and the way
from each format to the next.

Format 1 has no mark: everything that was written before there were marks is of it. A change of
the layout of rows, marks, sights or the outbox is a new number here with a step that turns the
bytes of the format before into it. Older state is brought up when it is read; newer state is
refused by name, for nothing good comes of guessing. The way back writes every record of the
changelog once more in the older format (`Formats.writing`), or is a backup of before.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import msgspec

from domain.aggregation.session import Row
from domain.aggregation.sights import run_of
from domain.errors import Fatal
from tables.layout import (
    BLOCK,
    COMMAND,
    FORMAT,
    GONE,
    LOCAL,
    MARKS,
    OUTBOX,
    ROW,
    SEEN,
    decode_any,
    encode,
)
from tables.store import KeyedStore

Step = Callable[[bytes, bytes], bytes]
"""(key in the store, bytes of one format) -> bytes of the next."""
KINDS = sorted(
    (BLOCK, COMMAND, GONE, SEEN, LOCAL, MARKS, OUTBOX, ROW)
)  # keys with something in them, in key order
PIECE = 5_000  # records of one write batch while a store is brought up


class NewerState(Fatal):
    """State that a later version of the product wrote."""

    def __init__(self, where: str, found: int, known: int) -> None:
        self.where, self.found, self.known = where, found, known
        super().__init__(
            f"{where} is of format {found}, and this version reads up to format {known}: "
            "a later version wrote it",
            "start that version, or go back as docs/operations.md tells under Upgrades",
        )


@dataclass(frozen=True)
class Formats:
    """`current` is what is written. `steps`: by format, the step from it to the next."""

    current: int
    steps: Mapping[int, Step] = field(default_factory=dict)

    back: Mapping[int, Step] = field(default_factory=dict)
    """By format, the step from the next to it, for `written` below `current`."""
    written: int = 0
    """What is written to the changelog, 0 for the current one: of old to go back to it."""

    def writing(self, written: int, back: Mapping[int, Step]) -> "Formats":
        """These, with records written in an older format."""
        return replace(self, written=written, back=back)

    def downgraded(self, key: bytes, body: bytes) -> bytes:
        """The body of a record as it is written."""
        for number in range(self.current - 1, (self.written or self.current) - 1, -1):
            body = self.back[number](key, body)
        return body

    def upgraded(self, key: bytes, body: bytes, found: int) -> bytes:
        """The body in the current format."""
        for number in range(found, self.current):
            body = self.steps[number](key, body)
        return body


def _runs(key: bytes, body: bytes) -> bytes:
    """Of rows: event ids first seen were [[id, topic, partition, offset, …]], and are runs."""
    if key[:1] != ROW:
        return body
    parts = _parts(body)
    if len(parts) <= SEEN_AT or parts[SEEN_AT] == NONE:
        return body
    runs = [run_of(event_id, sight) for event_id, *sight in decode_any(parts[SEEN_AT])]
    return encode([*parts[:SEEN_AT], runs, *parts[SEEN_AT + 1 :]])


_parts = msgspec.msgpack.Decoder(list[msgspec.Raw]).decode
SEEN_AT = Row.__struct_fields__.index("seen")
NONE = b"\x90"  # MessagePack: an empty array

SHARD = Formats(2, {1: _runs})
"""The format of shards, theirs in the changelog included. 2: event ids in blocks (`blocks.py`), and
in rows as runs. What 1 had of each id of its own is read as it is, until it is forgotten.
"""
PLAIN = Formats(1)
"""Changelogs whose rows are JSON or MessagePack that only ever gains fields."""


def bring_up(store: KeyedStore, formats: Formats, where: str) -> None:
    """Brings a store up to the current format and marks it. Raises NewerState, nothing changed.

    A kill leaves a part in the next format and a mark that tells which: it goes on there.
    """
    found = format_of(store)
    if found is None:
        store.write([(FORMAT, encode([formats.current, b""]))])
        return
    number, reached = found
    if number > formats.current:
        raise NewerState(where, number, formats.current)
    while number < formats.current:
        step = formats.steps[number]
        for kind in KINDS:
            at, end = max(kind, reached), bytes([kind[0] + 1])
            while at < end and (piece := list(store.scan(at, end, PIECE))):
                at = reached = piece[-1][0] + b"\0"
                mark = encode([number, reached])
                store.write([*((key, step(key, body)) for key, body in piece), (FORMAT, mark)])
        number, reached = number + 1, b""
        store.write([(FORMAT, encode([number, b""]))])


def format_of(store: KeyedStore) -> tuple[int, bytes] | None:
    """(format, key before which all is of the next one already); None for an empty store."""
    (mark,) = store.get_many([FORMAT])
    if mark is not None:
        number, reached = decode_any(mark)
        return number, reached
    for _ in store.scan(b"\0", b"\xff", 1):
        return 1, b""
    return None
