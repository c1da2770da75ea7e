"""What travels on `<app>-sessions-in` when a dead letter is replayed.

Each letter has a *home*, the shard that its id falls on, which decides about it and remembers what
became of it; the record goes to the shard that owns its session, like any other.

    Ask   from whoever wants the replay, to the home
    Take  from the home to the session's shard: one record, taken apart
    Done  back to the home: what the session did with it
    Forget  to the home: the letter is erased
"""

import msgspec

from agents.chunks import Chunk, Parcel, encode_parcel
from agents.letters import Letter
from connectors.streams.murmur2 import partition_for

REPLAY = b"replay "
"""Begins the mark of an attempt among the event ids that a session has seen."""
TO_SHARD = "\0shard/"
"""Begins the topic of an output that goes to a shard's stream; its number follows."""


class Ask(msgspec.Struct, array_like=True, tag="ask", frozen=True):
    """Replay this letter, if nobody has yet. `command` was given at `at` (epoch milliseconds)."""

    letter: Letter
    command: str
    at: int


class Take(msgspec.Struct, array_like=True, tag="take", frozen=True):
    """Apply the one record of `chunk`; (letter, attempt) tells it from every other.

    `counted`: it is among the rejected records of its aggregator, and the home waits for Done.
    """

    letter: Letter
    command: str
    at: int
    attempt: int
    counted: bool
    chunk: Chunk


class Done(msgspec.Struct, array_like=True, tag="done", frozen=True):
    """What became of an attempt; `reason` "" when it was applied."""

    letter: Letter
    command: str
    at: int
    attempt: int
    reason: str = ""
    detail: str = ""
    version: int | None = None


class Forget(msgspec.Struct, array_like=True, tag="forget", frozen=True):
    """The letter is erased: it is not replayed any more. `at` epoch milliseconds."""

    id: str
    aggregator: str | None
    topic: str
    at: int


Message = Ask | Take | Done | Forget
encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(Message).decode


def letter_id(message: Message) -> str:
    """The letter that a message is about."""
    return message.id if isinstance(message, Forget) else message.letter.id


def mark_of(take: Take) -> bytes:
    """By what a session knows the attempt again, among the event ids it has seen."""
    return REPLAY + f"{take.letter.id} {take.attempt}".encode()


def home_of(letter_id: str, shards: int) -> int:
    """The shard that decides about a letter."""
    return partition_for(letter_id.encode(), shards)


def to_shard(number: int, revision: int, message: Message) -> list[object]:
    """The output that brings a message to a shard's stream."""
    parcel = Parcel(revision, [], [], replays=[encode(message)])
    return [f"{TO_SHARD}{number}", b"", encode_parcel(parcel)]
