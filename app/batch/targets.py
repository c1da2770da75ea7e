"""Where a run's records go: files that appear when they are complete, or streams."""

import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Protocol

from connectors.formats.files import Format
from domain.errors import UsageError

BUFFER_BYTES = 1 << 20


class Target(Protocol):
    """Takes records, each JSON without a line end. What `finish` has returned from is durable as
    far as the target can be; after `abandon` nothing is left of it."""

    def write(self, record: bytes) -> None: ...
    def finish(self) -> None: ...
    def abandon(self) -> None: ...


class Nowhere:
    """Takes everything, keeps nothing."""

    def write(self, record: bytes) -> None:
        """Nothing."""

    def finish(self) -> None:
        """Nothing."""

    def abandon(self) -> None:
        """Nothing."""


class LinesTarget:
    """JSON Lines into something that bytes can be written to."""

    def __init__(self, into: "Bytes") -> None:
        self._into = into

    def write(self, record: bytes) -> None:
        self._into.stream.write(record + b"\n")

    def finish(self) -> None:
        self._into.finish()

    def abandon(self) -> None:
        self._into.abandon()


class Bytes(Protocol):
    """A stream of bytes with an end."""

    @property
    def stream(self) -> BinaryIO: ...
    def finish(self) -> None: ...
    def abandon(self) -> None: ...


class StreamBytes:
    """Standard output, a device, a pipe: what is written is out."""

    def __init__(self, stream: BinaryIO) -> None:
        self.stream = stream

    def finish(self) -> None:
        self.stream.flush()
        try:
            number = self.stream.fileno()
        except OSError:  # a stream in memory
            return
        if stat.S_ISREG(os.fstat(number).st_mode):
            os.fsync(number)

    def abandon(self) -> None:
        self.stream.flush()


class FileBytes:
    """A file that appears whole or not at all; one of that name is replaced.

    A run that was killed leaves `.NAME.partial` behind; the next one begins it anew.
    """

    def __init__(self, path: Path) -> None:
        self._path = path.resolve()
        self._partial = self._path.with_name(f".{self._path.name}.partial")
        self.stream: BinaryIO = self._partial.open("wb", buffering=BUFFER_BYTES)

    def finish(self) -> None:
        self.stream.flush()
        os.fsync(self.stream.fileno())
        self.stream.close()
        self._partial.replace(self._path)
        folder = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def abandon(self) -> None:
        self.stream.close()
        self._partial.unlink(missing_ok=True)


def open_bytes(name: str) -> Bytes:
    """A file of that name, or what is there under it if it is none. Raises UsageError."""
    path = Path(name)
    if path.is_dir():
        raise UsageError(f"{name} is a folder; expected the name of a file")
    if path.exists() and not path.is_file():
        return StreamBytes(path.open("wb"))
    if not path.parent.is_dir():
        raise UsageError(f"{path.parent} is no folder; expected one to write {path.name} in")
    return FileBytes(path)


def open_target(
    name: str | None, format_: Format, stdout: Callable[[], BinaryIO], scratch: Path
) -> Target:
    """The target of flushed records; standard output without a name."""
    if name is None and format_ == "parquet" and sys.stdout.isatty():
        raise UsageError("Parquet is not for a terminal; expected --output FILE")
    into = StreamBytes(stdout()) if name is None else open_bytes(name)
    if format_ == "jsonl":
        return LinesTarget(into)
    from app.batch.tabular import TabularTarget

    return TabularTarget(into, format_, scratch / "flushed.jsonl")
