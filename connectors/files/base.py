"""What a tree of files is to those who work on it; its twins are a folder and a bucket of S3.

Names are relative to the tree's root, their parts set apart by `/`, none of them empty, `.` or
`..`. Nobody ever sees a part of a file: it is written beside, and put into place whole. Every
method blocks, and may be called from any thread; a stream belongs to one thread at a time.

Any method may raise FilesUnavailable (away, too slow, full, not let in: what was asked may have
been done or not) and FilesRefused.

`connectors.files.opening` has the two ways in: `open_files(address) -> Files` of a folder or an
`s3://bucket/prefix`, and `open_file(address) -> (Files, name)` of one file.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from domain.errors import SluiceError


class FilesError(SluiceError):
    """Base of what a tree of files raises; `where` never holds a password or a key."""

    def __init__(self, where: str, detail: str, sentence: str) -> None:
        self.where = where
        self.detail = detail
        super().__init__(f"{where} {sentence}: {detail}")


class FilesUnavailable(FilesError):
    """It does not answer, or not in time. Asking again may help."""

    exit_code = 3

    def __init__(self, where: str, detail: str) -> None:
        super().__init__(where, detail, "is not available")


class FilesRefused(FilesError):
    """It answers, and won't do this; asking again is useless."""

    def __init__(self, where: str, detail: str) -> None:
        super().__init__(where, detail, "refused what was asked")


class Missing(SluiceError):
    """There is no such file."""

    def __init__(self, where: str) -> None:
        self.where = where
        super().__init__(f"{where} is not there; expected a file")


class Conflict(SluiceError):
    """The file is not what the caller took it for: somebody else was there first."""

    def __init__(self, where: str) -> None:
        self.where = where
        super().__init__(f"{where} was written by somebody else in the meantime")


@dataclass(frozen=True, slots=True)
class Found:
    """A file. `tag` changes with the content and is equal to nothing but itself; `changed_ms`: when
    it was put there, epoch milliseconds by the clock of the place."""

    name: str
    size: int
    tag: str
    changed_ms: int


class Reading(Protocol):
    """A stream of bytes."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes, at least one; nothing at the end only. A broken connection is
        mended within; a file replaced while it is read raises Conflict."""

    def close(self) -> None:
        """Gives up the rest."""


class Writing(Protocol):
    """A file that is being written beside."""

    def write(self, piece: bytes | memoryview, /) -> None:
        """The next bytes. They may be anything from one to 64 MiB; memory stays bounded."""

    def place(self) -> Found:
        """Puts it into place, whole. Raises Conflict when the name is taken: then nothing has
        changed. A second writer of the same name never replaces the first one's file."""

    def drop(self) -> None:
        """Gives up what is not in place yet; nothing after `place`."""


class Files(Protocol):
    """A tree of files."""

    @property
    def where(self) -> str:
        """What people call it: the folder, or s3://bucket/prefix."""

    def list(self, prefix: str = "", *, without: str = "") -> Iterator[Found]:
        """The files whose names begin with `prefix`, by name, read bit by bit. Without what is
        being written beside. `without`: a folder (`tables/`) that is not looked into."""

    def stat(self, name: str) -> Found | None:
        """One file, None when there is none."""

    def open(self, name: str, start: int = 0, end: int | None = None) -> Reading:
        """Its bytes from `start` to before `end` (None: to its end). Raises Missing."""

    def read(self, name: str) -> tuple[bytes, str] | None:
        """A small file whole, and its tag; None when there is none."""

    def write(self, name: str) -> Writing:
        """Begins a new file; a name that is taken shows when it is put into place."""

    def swap(self, name: str, content: bytes, tag: str | None) -> str:
        """Compare and swap of a small file: puts `content` in place of the one with that tag (None:
        there is none), durable when it returns, and returns the new tag. Raises Conflict when
        another one is there; nothing has changed then."""

    def remove(self, name: str, tag: str | None = None) -> None:
        """Deletes a file, if it is there; with a tag only that one (else raises Conflict)."""

    def settle(self) -> None:
        """Returns when everything put into place before survives a loss of power."""

    def sweep(self, prefix: str) -> int:
        """Deletes what was begun below `prefix` and never put into place, whoever began it; returns
        how many. Only for who knows that nobody writes there."""
