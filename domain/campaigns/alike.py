"""Rows of FDDs that differ in their number only: encoded once for all of a page.

Most FDDs of a slot are made and ordered with nothing special about any. What their rows hold
besides the number is the same bytes, which are put together, and told again, without decoding.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from domain.campaigns.rows import CREATED, Fdd, encode

_EMPTY = encode("")
_SHORT = 32  # texts below this have their length in their first byte


class Alike:
    """The rows of FDDs that are like `fdd` but for the number."""

    __slots__ = ("_head", "_tail")

    def __init__(self, fdd: Fdd) -> None:
        number, fdd.number = fdd.number, ""
        raw = encode(fdd)
        fdd.number = number
        self._head, _, self._tail = raw.partition(_EMPTY)  # the number is the first field

    def row(self, number: str) -> bytes:
        """The row of the FDD with that number."""
        return self._head + encode(number) + self._tail

    def number_of(self, raw: bytes) -> bytes | None:
        """The number of an FDD that is one of these, E.164; None for any other row."""
        head, end = len(self._head), len(raw) - len(self._tail)
        size = end - head - 1
        if (
            0 < size < _SHORT
            and raw[head] == _EMPTY[0] | size
            and raw.endswith(self._tail)
            and raw.startswith(self._head)
        ):
            number = raw[head + 1 : end]
            return number if number[:1] == b"+" and number[1:].isdigit() else None
        return None

    def becomes(self, other: Alike) -> Callable[[bytes], bytes]:
        """Makes the row of one of these that of one of `other`."""
        head, cut, new_head, new_tail = len(self._head), -len(self._tail), other._head, other._tail
        return lambda raw: new_head + raw[head:cut] + new_tail


@lru_cache(64)
def untouched(due_ms: int) -> Alike:
    """FDDs of a slot as they are made."""
    return Alike(Fdd("", CREATED, None, due_ms))
