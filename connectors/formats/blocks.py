"""Cuts a stream of bytes into blocks of whole lines, with bounded memory.

Where a block ends depends on where it begins and on the bytes alone, not on how they arrive.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO

from connectors.formats.records import Position

if TYPE_CHECKING:
    import numpy as np

    Places = np.ndarray[Any, np.dtype[np.intp]]

BLOCK_BYTES = 2 << 20  # some thousand records; larger ones are no faster
READ_BYTES = 1 << 20
LARGE_BYTES = 64 << 10  # below this, loading numpy or Arrow takes longer than it saves


@dataclass(frozen=True)
class Block:
    """Whole lines. `text` has no line end behind the last of its `lines` lines; `first` is the
    number of its first line, `end` where the next block begins.

    A single line above all limits comes as a block of its own, of which `text` is the beginning
    and `too_long` the length in bytes.
    """

    text: bytes
    first: int
    lines: int
    end: Position
    too_long: int | None = None
    ends: "Places | None" = field(default=None, compare=False, repr=False)
    """Where its line ends are, if that is known."""

    def line_ends(self) -> "Places":
        """Where its line ends are."""
        return line_ends(self.text) if self.ends is None else self.ends

    def line_lengths(self) -> tuple[int, int]:
        """The lengths of its shortest and of its longest line in bytes."""
        import numpy as np

        lengths = np.diff(self.line_ends(), prepend=-1, append=len(self.text))
        return int(lengths.min()) - 1, int(lengths.max()) - 1


class Lines:
    """The lines of a block by their numbers, cut when the first of them is asked for."""

    def __init__(self, block: Block) -> None:
        self._block = block
        self._cut: list[bytes] | None = None

    def __call__(self, line: int, count: int = 1) -> bytes:
        """`count` lines from number `line` on."""
        if self._cut is None:
            self._cut = self._block.text.split(b"\n")
        first = line - self._block.first
        return b"\n".join(self._cut[first : first + count])


class Blocks:
    """Blocks of a stream that stands at `start`. No line above `longest` bytes is held in memory.

    With `quoted` a block does not end inside of double quotes (a cell of CSV may hold line ends),
    unless the quotes stay open for more than `longest` bytes.
    """

    def __init__(
        self,
        stream: BinaryIO,
        start: Position,
        longest: int,
        *,
        quoted: bool = False,
        size: int | None = None,
    ) -> None:
        self._stream = stream
        self._line, self._offset = start
        self._size = BLOCK_BYTES if size is None else size
        self._longest = max(longest, self._size)
        self._quoted = quoted
        self._held = b""
        self._ended = False

    def first_line(self) -> Block | None:
        """Only the first line (with `quoted`: to the end of its quotes); None when there is none.
        To be called before anything else."""
        self._fill(self._longest + 1)
        cut = self._held.find(b"\n") + 1 or len(self._held)
        return self._cut(self._unquoted(cut)) if cut else None

    def __iter__(self) -> Iterator[Block]:
        while True:
            self._fill(self._size + 1)
            if not self._held:
                return
            if len(self._held) <= self._size:  # all that is left
                cut = len(self._held)
            else:
                cut = self._held.rfind(b"\n", 0, self._size) + 1 or self._long_line()
            yield self._cut(self._unquoted(cut)) if cut else self._skip()

    def _fill(self, size: int) -> None:
        pieces = [self._held]
        missing = size - len(self._held)
        while missing > 0 and not self._ended:
            piece = self._stream.read(max(missing, READ_BYTES))
            self._ended = not piece
            pieces.append(piece)
            missing -= len(piece)
        if len(pieces) > 1:
            self._held = b"".join(pieces)

    def _long_line(self) -> int:
        self._fill(self._longest + 1)
        cut = self._held.find(b"\n", 0, self._longest + 1) + 1
        if not cut and len(self._held) <= self._longest:  # all that is left
            cut = len(self._held)
        return cut

    def _unquoted(self, cut: int) -> int:
        """The end of the first line at or after `cut` that is outside of quotes."""
        if not self._quoted or self._held.find(b'"', 0, cut) < 0:
            return cut
        if self._held.count(b'"', 0, cut) % 2 == 0:
            return cut
        limit = cut + self._longest
        self._fill(limit + 1)
        at, inside = cut, True
        while inside:
            following = self._held.find(b"\n", at, limit) + 1
            if not following:
                return len(self._held) if len(self._held) <= limit else cut
            inside ^= self._held.count(b'"', at, following) % 2 == 1
            at = following
        return at

    def _cut(self, cut: int) -> Block:
        text, self._held = self._held[:cut], self._held[cut:]
        first = self._line + 1
        if text.endswith(b"\n"):
            text = text[:-1]
        ends = None if len(text) < LARGE_BYTES else line_ends(text)
        lines = 1 + (text.count(b"\n") if ends is None else len(ends))
        self._line += lines
        self._offset += cut
        return Block(text, first, lines, Position(self._line, self._offset), ends=ends)

    def _skip(self) -> Block:
        """Passes over a line that is too long."""
        text, length = self._held[: self._longest], 0
        while not (cut := self._held.find(b"\n") + 1) and not self._ended:
            length += len(self._held)
            self._held = b""
            self._fill(READ_BYTES)
        passed = cut or len(self._held)
        self._held = self._held[passed:]
        self._line += 1
        self._offset += length + passed
        return Block(
            text,
            self._line,
            1,
            Position(self._line, self._offset),
            length + passed - (1 if cut else 0),
        )


def line_ends(text: bytes) -> "Places":
    """Where the line ends of a text are."""
    import numpy as np

    return np.flatnonzero(np.frombuffer(text, np.uint8) == 10)


def character_at(text: bytes, places: "Places") -> "np.ndarray[Any, np.dtype[np.uint8]]":
    """The bytes at these places."""
    import numpy as np

    found: np.ndarray[Any, np.dtype[np.uint8]] = np.frombuffer(text, np.uint8)[places]
    return found
