"""What a shard knows of the replays of the dead letters that have their home there.

One row a letter, beside the sessions': the same commit, changelog and recovery hold for it. Its key
has an aggregator ("" for a letter of no one), no group specification, and the letter's id.
"""

import msgspec

from domain.aggregation.rule import row_prefix
from domain.aggregation.session import Row

KEPT_MS = 200 * 86_400_000
"""How long a letter is remembered after its last replay: twice as long as `dead-letters` keeps
it, and some more.
"""


class LetterState(msgspec.Struct, array_like=True, frozen=True):
    """`attempt` counts from 1; while it is `pending` its session has not answered.

    `offset` is that of the last message about it on the shard's stream, `command` who asked last.
    """

    attempt: int = 0
    pending: bool = False
    replayed: bool = False
    offset: int = -1
    command: str = ""


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(LetterState).decode


def letter_key(aggregator: str | None, letter_id: str) -> bytes:
    """The row key of a letter."""
    return row_prefix(aggregator or "", "") + letter_id.encode()


def is_letter(row_key: bytes) -> bool:
    """Whether a row is a letter's: no group specification has an empty hash."""
    return b"\0\0" in row_key and row_key.split(b"\0", 2)[1] == b""


def state_of(row: Row) -> LetterState:
    """What the row tells of its letter."""
    return _decode(row.applied[0][0]) if row.applied else LetterState()


def set_state(row: Row, state: LetterState) -> None:
    """Puts it into the row."""
    row.applied = ([_encode(state)],)
