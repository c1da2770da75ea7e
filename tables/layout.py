"""Keys and small records of a shard's store.

s <row key>            session row (codec)                        also in the changelog
b <number>             Block of first sights of event ids (see sights.py)  also in the changelog
e <hash of row key><event id>   the number of its block; of format 1 [topic, partition, offset,
timestamp, forget at], also in the changelog
m                      Marks: what the shard as a whole knows     also in the changelog
l                      Local: what only this disk knows
w <due ms><row key>    due index: look at this row then
x <due ms><b or e key> when a block or an event id may be forgotten
o <number>             [topic, key, value] decided, not yet known to be sent
g <hash of row key>    [until, [[topic, partition, offset]]] of a row that was erased  also in the
changelog
c <position>           what came of an operator's command, JSON  also in the changelog
v                      the format of all of this (see formats.py)
"""

from functools import lru_cache
from hashlib import blake2b
from typing import Any

import msgspec

from domain.aggregation.totals import PLACES, SUM_PLACES, Totals, exact_sum

ROW, SEEN, MARKS, LOCAL, WAKE, FORGET, OUTBOX = b"s", b"e", b"m", b"l", b"w", b"x", b"o"
BLOCK, BLOCK_END = b"b", b"c"
ROW_END = b"t"
FORMAT = b"v"
OUTBOX_END = b"p"
COMMAND, COMMAND_END = b"c", b"d"
GONE, GONE_END = b"g", b"h"
_EPOCH_SHIFT = 1 << 63  # instants before 1970 sort before those after it


class Underway(msgspec.Struct, array_like=True):
    """An operator's command at work on the shard (see `agents/operators.py`).

    `order`: as it came. Rows up to the key `after` are done with; those behind it up to `upto` are
    decided: `sessions` with `records` are touched in all so far, the decided ones included.
    """

    order: bytes
    after: bytes = b""
    upto: bytes = b""
    sessions: int = 0
    records: int = 0


class Marks(msgspec.Struct, array_like=True):
    """`floors`: [path, topic, partition, aggregator, offset] applied before the commit that wrote
    this, so that it holds whatever part of that commit survives. `sent`: outputs up to this number
    are out. `effective_now` never goes back. `retired`: the totals of rows that were forgotten, by
    aggregator; `retiring`: [row key, touched] of those counted there in this record. `runs`: of
    what sessions refused, see `agents/limits.py`. `commands`: by partition of `config`, the offset
    of the last operator's command carried out here.

    Of growths (see `agents/growing.py`): rows are placed by `placed` shards (0: none was given
    away), since that offset of the shard's stream; `leaving`: [shards, offset] while they are being
    given away. Timers rest from `held` shards on until `released` has caught up; `arrived`: by the
    shard that gave them away, the last row key that had arrived before the commit that wrote this.
    `blocks`: the number of the last block of event ids.
    """

    floors: list[list[Any]] = []
    sent: int = 0
    effective_now: int = 0
    retired: dict[str, Any] = {}
    retiring: list[list[Any]] = []
    runs: dict[str, list[int]] = {}
    commands: dict[int, int] = {}
    underway: Underway | None = None
    placed: int = 0
    placed_at: int = -1
    leaving: list[int] = []
    held: int = 0
    released: int = 0
    arrived: dict[int, bytes] = {}
    blocks: int = 0


class Local(msgspec.Struct, array_like=True):
    """`changelog_next`: the state has everything before this offset. `totals` by aggregator.
    `numbered`: last output number. `written`: when, in epoch ms by the clock that the changelog's
    tombstones live by; 0 when that was not told. `intruded`: keys that a fenced writer wrote last,
    to be written again by the owner.
    """

    changelog_next: int = 0
    numbered: int = 0
    totals: dict[str, Any] = {}
    floors: list[list[Any]] = []
    epoch: int = 0
    written: int = 0
    intruded: list[bytes] = []


encode = msgspec.msgpack.Encoder().encode
decode_marks = msgspec.msgpack.Decoder(Marks).decode
decode_local = msgspec.msgpack.Decoder(Local).decode
decode_any = msgspec.msgpack.Decoder().decode


def wake_key(at_ms: int, row_key: bytes) -> bytes:
    """The due index's key: ordered by time."""
    return WAKE + instant_bytes(at_ms) + row_key


def instant_bytes(at_ms: int) -> bytes:
    """8 bytes that sort as the instants do."""
    return (at_ms + _EPOCH_SHIFT).to_bytes(8, "big")


def instant_of(index_key: bytes) -> int:
    """The instant in a key of the due or the forget index."""
    return int.from_bytes(index_key[1:9], "big") - _EPOCH_SHIFT


def outbox_key(number: int) -> bytes:
    return OUTBOX + number.to_bytes(8, "big")


def command_key(partition: int, offset: int) -> bytes:
    """Where what came of the command at that position of `config` is kept: in their order."""
    return COMMAND + partition.to_bytes(4, "big") + offset.to_bytes(8, "big")


def gone_key(row_key: bytes) -> bytes:
    """Where the positions of a row that was erased are kept, without its key."""
    return GONE + blake2b(row_key, digest_size=16).digest()


@lru_cache(1024)  # asked for when a piece of rows is read, and again when it is written
def seen_prefix(row_key: bytes) -> bytes:
    """What the keys of all event ids under a session key begin with."""
    return SEEN + blake2b(row_key, digest_size=8).digest()


def seen_key(row_key: bytes, event_id: bytes) -> bytes:
    """Where an event id that was seen under a session key is found."""
    return seen_prefix(row_key) + event_id


def block_key(number: int) -> bytes:
    """Where a block of first sights is kept."""
    return BLOCK + number.to_bytes(8, "big")


def pack_totals(totals: dict[str, Totals]) -> dict[str, Any]:
    """Totals by aggregator as plain data, sums as text; what is no aggregator's has none."""
    return {
        name: [
            [each.count[place] for place in PLACES],
            [
                {field: str(value) for field, value in each.sums[place].items()}
                for place in SUM_PLACES
            ],
            each.sessions,
        ]
        for name, each in totals.items()
        if name
    }


def unpack_totals(packed: dict[str, Any]) -> dict[str, Totals]:
    """The inverse of `pack_totals`."""
    found: dict[str, Totals] = {}
    for name, (counts, sums, sessions) in packed.items():
        totals = found[name] = Totals(sessions=sessions)
        totals.count = dict(zip(PLACES, counts, strict=True))
        for place, values in zip(SUM_PLACES, sums, strict=True):
            totals.sums[place] = {field: _number(value) for field, value in values.items()}
    return found


def _number(text: str) -> Any:
    return int(text) if text.lstrip("-").isdigit() else exact_sum(text)
