"""Cuts a stream of bytes into blocks of whole lines, with bounded memory.

Where a block ends depends on the bytes alone, not on how they arrive.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from domain.impressions.rows import LONGEST_LINE

BLOCK_BYTES = 4 << 20  # some 90,000 rows: what is done to them at once stays within caches
PADDING = bytes(8)  # so that eight bytes can be read from anywhere in a block


class Stream(Protocol):
    """A stream to be read."""

    def read(self, size: int) -> bytes:
        """At least one byte, as many as are convenient; nothing at the end only."""


@dataclass(frozen=True, slots=True)
class Block:
    """Whole lines: the first `size` bytes of `text`, each with its `\n`. At least as many bytes as
    PADDING has follow, of which nothing is told.

    A line above LONGEST_LINE comes alone, cut to that length, with `too_long` set.
    """

    text: bytes
    size: int
    too_long: bool = False


def blocks(stream: Stream, size: int = BLOCK_BYTES, longest: int = LONGEST_LINE) -> Iterator[Block]:
    """The blocks of a stream, one after the other; of about `size` bytes, and `longest` more."""
    held, ended = b"", False
    while True:
        pieces, have = [held], len(held)
        while have < size and not ended:
            piece = stream.read(size - have)
            ended = not piece
            pieces.append(piece)
            have += len(piece)
        if not have:
            return
        text = b"".join(pieces)
        cut = text.rfind(b"\n", 0, size) + 1
        while not cut and not ended and len(text) <= longest:  # a line longer than the block
            piece = stream.read(longest + 1 - len(text))
            ended = not piece
            text += piece
            cut = text.find(b"\n", 0, longest + 1) + 1
        if not cut and len(text) <= longest:  # the end, without a line's end
            text += b"\n"
            cut = len(text)
        if cut:
            held = text[cut:]
            yield Block(text if len(held) >= len(PADDING) else text + PADDING, cut)
            continue
        yield Block(text[:longest] + b"\n" + PADDING, longest + 1, too_long=True)
        held, ended = _after_line(stream, text)


def _after_line(stream: Stream, text: bytes) -> tuple[bytes, bool]:
    """What follows the line that `text` is the beginning of."""
    while text:
        cut = text.find(b"\n") + 1
        if cut:
            return text[cut:], False
        text = stream.read(BLOCK_BYTES)
    return b"", True
