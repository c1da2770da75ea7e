"""What was asked with an Idempotency-Key, as a small row beside what it changed.

The row is part of the same commit, so a repeat after a kill finds exactly what was done. Keys are
kept for KEPT_MS, the newest MOST of them.
"""

from __future__ import annotations

from hashlib import blake2b

import msgspec

KEPT_MS = 86_400_000  # as everywhere: a key stands for its request for 24 h
MOST = 200  # of one alert or digest; nobody repeats a request behind so many others


class Answered(msgspec.Struct, array_like=True, frozen=True):
    """A request: its key and content, hashed, and what was answered."""

    key: bytes
    asked: bytes
    at_ms: int
    answer: str = ""


_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(list[Answered]).decode


def mark(text: str) -> bytes:
    """16 bytes that stand for a text."""
    return blake2b(text.encode(), digest_size=16).digest()


def found(row: bytes | None, key: str, now_ms: int) -> Answered | None:
    """The request that had this key, if it is known."""
    known = [] if row is None else _unpack(row)
    wanted = mark(key)
    return next((o for o in known if o.key == wanted and o.at_ms + KEPT_MS > now_ms), None)


def noted(row: bytes | None, key: str, asked: str, now_ms: int, answer: str = "") -> bytes:
    """The row with this request."""
    known = [] if row is None else _unpack(row)
    kept = [one for one in known if one.at_ms + KEPT_MS > now_ms and one.key != mark(key)]
    return _pack([*kept, Answered(mark(key), mark(asked), now_ms, answer)][-MOST:])
