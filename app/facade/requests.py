"""What is known of requests with an Idempotency-Key, on `<app>-requests`.

Three steps make an append happen once, whatever is killed in between:

    1. begin: what will be appended, and where the partitions end before it; acknowledged
    2. the rows, each with the request's key and its number in a header; acknowledged
    3. done

A repeat that finds a begin without done looks which rows are there from those ends on, and appends
the missing ones. The order of the log decides: of two begins for one key the first stands, until
its worker is gone and another one takes it over. Keys of these records are unique to the request,
so that what was kept for a day can be deleted without touching a later use of the same key.
"""

import sqlite3
from collections.abc import Sequence
from typing import Literal

import msgspec

from connectors.streams.base import Item

DAY_MS = 86_400_000
KEPT_MS = 25 * 3_600_000  # the promised day and an hour in which clocks may differ

SCHEMA = """
CREATE TABLE requests (key TEXT PRIMARY KEY, id TEXT, at INTEGER, begun BLOB, done INTEGER);
CREATE INDEX requests_at ON requests (at)
"""


class Begin(msgspec.Struct, frozen=True, tag=True):
    """Step 1. `ends` by partition; keyless row i goes to partition (turn + i) % partitions.

    `owner` is the worker that appends. One that takes over writes it again with its own name, and
    in `taken_from` the one before: of two that try, the first has it.
    """

    key: str
    id: str
    fingerprint: str
    owner: str
    topic: str
    rows: int
    partitions: int
    turn: int
    ends: dict[int, int]
    at: int
    taken_from: str = ""


class Done(msgspec.Struct, frozen=True, tag=True):
    """Step 3. `last` offset appended, by partition."""

    key: str
    id: str
    last: dict[int, int]


class Request(msgspec.Struct, frozen=True):
    """A request as the log tells of it. `last` None: not known to be done."""

    begun: Begin
    last: dict[int, int] | None


BESIDE = b"\0"
"""How keys of records begin that are of no request, though on the topic (see `erasing.py`)."""

encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Begin | Done).decode
_begin = msgspec.json.Decoder(Begin).decode
_last = msgspec.json.Decoder(dict[int, int]).decode


def record_key(step: Literal["begin", "done"], request: Begin) -> bytes:
    """The key of a step's record."""
    return f"{request.key}\0{request.id}\0{step}".encode()


def apply(connection: sqlite3.Connection, _partition: int, items: Sequence[Item]) -> None:
    """Takes records of the topic in their order."""
    for _, _, key, value, _ in items:
        if value is None or (key or b"").startswith(BESIDE):
            continue
        step = _decode(value)
        known = find(connection, step.key)
        if isinstance(step, Done):
            if known is not None and known.begun.id == step.id:
                connection.execute(
                    "UPDATE requests SET done = ? WHERE key = ?", (encode(step.last), step.key)
                )
        elif known is None or is_over(known, step.at):
            connection.execute(
                "REPLACE INTO requests VALUES (?, ?, ?, ?, NULL)",
                (step.key, step.id, step.at, encode(step)),
            )
        elif (known.begun.id, known.begun.owner) == (step.id, step.taken_from):
            connection.execute(
                "UPDATE requests SET begun = ? WHERE key = ?", (encode(step), step.key)
            )


def is_over(request: Request, now_ms: int) -> bool:
    """Whether its day is over: the key may stand for another request."""
    return now_ms - request.begun.at >= DAY_MS


def find(connection: sqlite3.Connection, key: str) -> Request | None:
    """What is known of a key."""
    row = connection.execute("SELECT begun, done FROM requests WHERE key = ?", (key,)).fetchone()
    if row is None:
        return None
    return Request(_begin(row[0]), None if row[1] is None else _last(row[1]))


def forget(connection: sqlite3.Connection, now_ms: int, limit: int) -> list[Begin]:
    """Removes and returns requests whose time is over, at most `limit`."""
    rows = connection.execute(
        "SELECT key, begun FROM requests WHERE at < ? ORDER BY at LIMIT ?",
        (now_ms - KEPT_MS, limit),
    ).fetchall()
    connection.executemany("DELETE FROM requests WHERE key = ?", [(row[0],) for row in rows])
    return [_begin(row[1]) for row in rows]
