"""Keys and small records of a ledger's store.

r <key>                 row of the rules                              also in the changelog
w <due ms><key>         due index: give that key back then            also in the changelog
m                       Marker: the last record of every commit       also in the changelog
o <part>                [sequence, outputs, writes] of the last commit, also in the changelog
u <part>                [sequence, [[store key, value before], ...]]  in the changelog only
l                       Local: what only this disk knows
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from tables.layout import encode, instant_bytes

ROW, WAKE, MARKER, OUTBOX, UNDO, LOCAL = b"r", b"w", b"m", b"o", b"u", b"l"
OUTBOX_END = b"p"
WAKE_END = b"x"
PART_BYTES = 1 << 18  # far below what the changelog takes, few parts in a commit of some thousand
SAMPLE = 64  # items that tell how large the others are


class Marker(msgspec.Struct, array_like=True):
    """What a commit knew as a whole. `applied`: records of the shard's own input before this offset
    are applied; `floors`: [path, public topic, partition, last offset applied]. `outbox` is the
    sequence of the commit whose outputs may not be out. `parts`, `undone`: how many o and u records
    the changelog holds.
    """

    sequence: int = 0
    applied: int = 0
    floors: list[list[Any]] = []
    outbox: int = 0
    parts: int = 0
    undone: int = 0


class Local(msgspec.Struct, array_like=True):
    """`changelog_next`: the state has everything before this offset. `sent`: the outputs of commits
    up to this sequence are out. `written`: when, by the clock that tombstones are kept by.
    `intruded`: keys that a fenced writer wrote last, to be written again by the owner.
    """

    changelog_next: int = 0
    epoch: int = 0
    sent: int = 0
    written: int = 0
    intruded: list[bytes] = []


decode_marker = msgspec.msgpack.Decoder(Marker).decode
decode_local = msgspec.msgpack.Decoder(Local).decode


def due_key(at_ms: int, key: bytes) -> bytes:
    """The due index's key: ordered by time, then by key."""
    return WAKE + instant_bytes(at_ms) + key


def part_key(kind: bytes, number: int) -> bytes:
    return kind + number.to_bytes(4, "big")


def end_of(prefix: bytes) -> bytes:
    """The first key behind all that begin with the prefix, which begins with a kind's letter."""
    kept = prefix.rstrip(b"\xff")
    return kept[:-1] + bytes([kept[-1] + 1])


def parts_of(sequence: int, items: Sequence[Sequence[Any]]) -> list[bytes]:
    """The items in order as bodies of about PART_BYTES, each with the sequence in front."""
    if not items:
        return []
    # most are of about one size; looked at one by one they cost five times as much
    sample = items[:: max(1, len(items) // SAMPLE)]
    many = max(1, len(sample) * PART_BYTES // len(encode(sample)))
    bodies = [encode([sequence, items[at : at + many]]) for at in range(0, len(items), many)]
    least = sum(map(len, bodies)) // PART_BYTES + 1
    even = len(bodies) <= 2 * least and all(len(body) <= 2 * PART_BYTES for body in bodies)
    return bodies if even else _parts_by_size(sequence, items)


def _parts_by_size(sequence: int, items: Sequence[Sequence[Any]]) -> list[bytes]:
    bodies: list[bytes] = []
    held: list[bytes] = []
    size = 0
    for item in items:
        data = encode(item)
        if held and size + len(data) > PART_BYTES:
            bodies.append(_part(sequence, held))
            held, size = [], 0
        held.append(data)
        size += len(data)
    if held:
        bodies.append(_part(sequence, held))
    return bodies


def _part(sequence: int, items: list[bytes]) -> bytes:
    return encode([sequence, [msgspec.Raw(item) for item in items]])
