"""Bytes as they were before gzip, read bit by bit: any number of members, and nothing else.

Memory is bounded: a piece of PIECE_BYTES unzips to some 64 MiB at the very most.
"""

from collections.abc import Iterator
from typing import Any, Protocol

from isal import isal_zlib

from connectors.files.base import Reading
from domain.errors import SluiceError

PIECE_BYTES = 64 << 10
MAGIC = b"\x1f\x8b"
GZIP_WINDOW = 31  # zlib's way of saying: a gzip header and trailer
IsalError: type[Exception] = isal_zlib.IsalError  # type: ignore[assignment]  # typed as a value
LEVEL = 1  # of igzip: as small as zlib's second, at several times its speed


class Damaged(SluiceError):
    """A gzip file that can't be read whole. It is whole up to byte `offset`; where the data is
    damaged inside, that is found within PIECE_BYTES from there."""

    def __init__(self, file: str, offset: int, problem: str) -> None:
        self.file = file
        self.offset = offset
        super().__init__(f"{file}: at byte {offset}: {problem}; expected a whole gzip file")


class TooLarge(SluiceError):
    """A file that unzips to more than is allowed."""

    def __init__(self, file: str, limit: int) -> None:
        self.file = file
        self.limit = limit
        super().__init__(
            f"{file}: unzips to more than {limit:,} bytes; stopped\n"
            "SLUICE_MAX_UNZIPPED_BYTES is that limit, for files that really are so large"
        )


class Hash(Protocol):
    """What is told of every byte that is read."""

    def update(self, piece: bytes, /) -> None:
        """The next bytes."""


class Unzipping:
    """The content of a file, as a stream to be read. A file that is no gzip and is not called so
    is taken as it is. `limit` 0: none. Raises Damaged and TooLarge.

    `done` is how many of the file's own bytes were read.
    """

    def __init__(self, file: str, source: Reading, hashed: Hash, limit: int = 0) -> None:
        self.done = 0
        self._file, self._source, self._hashed, self._limit = file, source, hashed, limit
        self._pieces = self._unzip()
        self._held = b""
        self._ended = False

    def read(self, size: int) -> bytes:
        """At least `size` bytes, or what is left."""
        pieces, found = [self._held], len(self._held)
        while found < size and not self._ended:
            piece = next(self._pieces, b"")
            self._ended = not piece
            pieces.append(piece)
            found += len(piece)
        self._held = b""
        return b"".join(pieces)

    def _unzip(self) -> Iterator[bytes]:
        piece = self._next()
        zipped = piece[:2] == MAGIC
        if not zipped and self._file.lower().endswith(".gz"):
            if len(piece) < 2:
                raise Damaged(self._file, len(piece), "the file ends within the first header")
            raise Damaged(self._file, 0, "this is no gzip data, which the name says it is")
        total = 0
        for content in self._members(piece) if zipped else self._plain(piece):
            total += len(content)
            if self._limit and total > self._limit:
                raise TooLarge(self._file, self._limit)
            yield content

    def _plain(self, piece: bytes) -> Iterator[bytes]:
        while piece:
            yield piece
            piece = self._next()

    def _members(self, piece: bytes) -> Iterator[bytes]:
        while piece:
            begin = self.done - len(piece)
            if not MAGIC.startswith(piece[:2]):
                raise Damaged(self._file, begin, "what follows the gzip data is none")
            member: Any = isal_zlib.decompressobj(GZIP_WINDOW)
            while not member.eof:
                if not piece:
                    problem = f"the file ends within the gzip member that begins at byte {begin}"
                    raise Damaged(self._file, self.done, problem)
                try:
                    content = member.decompress(piece)
                except IsalError as error:
                    found = self.done - len(piece)
                    raise Damaged(
                        self._file,
                        found,
                        f"the gzip data is damaged here or shortly after ({error})",
                    ) from None
                if content:
                    yield content
                piece = member.unused_data if member.eof else self._next()
            piece = piece or self._next()

    def _next(self) -> bytes:
        piece = self._source.read(PIECE_BYTES)
        self.done += len(piece)
        self._hashed.update(piece)
        return piece


def zipped(content: Any) -> bytes:
    """One gzip member, of bytes or any buffer of them. Its own bytes may be others another time:
    what igzip finds alike depends, once in some 100,000 members, on more than the content.
    """
    made: bytes = isal_zlib.compress(content, LEVEL, GZIP_WINDOW)
    return made
