"""JSON Lines from a file or a pipe, by the batch, without decoding them.

A batch is handed over when it is full, and from a pipe also when nothing more has come for a
moment: a slow producer's records don't wait for fast ones.
"""

import io
import os
import select
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

READ_BYTES = 1 << 18
PATIENCE_S = 0.1
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Line(NamedTuple):
    """`number` counts all lines from 1; `text` has no line end and is not blank."""

    number: int
    text: bytes


def batches(source: BinaryIO, records: int, size: int) -> Iterator[list[Line]]:
    """The lines of `source`, at most `records` and about `size` bytes at a time.

    A line longer than `size` is a batch of its own. Blank lines are counted and left out.
    """
    batch: list[Line] = []
    held = 0
    number = 0
    rest = [b""]  # pieces of the line that is not complete yet
    for piece in _pieces(source):
        if piece is None:  # nothing more for now
            if batch:
                yield batch
                batch, held = [], 0
            continue
        first, *others = piece.split(b"\n")
        rest.append(first)
        if not others:
            continue
        *complete, last = [b"".join(rest), *others]
        rest = [last]
        for text in complete:
            number += 1
            line = _line(number, text)
            if line is None:
                continue
            if batch and (len(batch) >= records or held + len(line.text) > size):
                yield batch
                batch, held = [], 0
            batch.append(line)
            held += len(line.text) + 1
    line = _line(number + 1, b"".join(rest))
    if line is not None:
        batch.append(line)
    if batch:
        yield batch


def _line(number: int, text: bytes) -> Line | None:
    if number == 1:
        text = text.removeprefix(BYTE_ORDER_MARK)
    text = text.strip()
    return Line(number, text) if text else None


def _pieces(source: BinaryIO) -> Iterator[bytes | None]:
    """Bytes as they come; None when a pipe is silent for a moment."""
    try:
        descriptor = source.fileno()
    except io.UnsupportedOperation:  # a file in memory
        while piece := source.read(READ_BYTES):
            yield piece
        return
    waiting = False  # whether the silence has been told already
    while True:
        if not waiting and not select.select([descriptor], [], [], PATIENCE_S)[0]:
            waiting = True
            yield None
        piece = os.read(descriptor, READ_BYTES)
        waiting = False
        if not piece:
            return
        yield piece
