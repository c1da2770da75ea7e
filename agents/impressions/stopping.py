"""A tree of files that takes no new ones any more once a step is to stop."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

from connectors.files.base import Files, Found, Reading, Writing
from domain.errors import SluiceError


class Stopped(SluiceError):
    """The step was told to stop; nothing of it is left, and it can be run again."""

    def __init__(self) -> None:
        super().__init__("the step was told to stop; it can be run again")


@dataclass
class Stop:
    """Tells a step on another thread that it is to end at its next block or file."""

    _told: threading.Event = field(default_factory=threading.Event)

    def tell(self) -> None:
        """From now on `check` raises."""
        self._told.set()

    def check(self) -> None:
        """Raises Stopped when it was told."""
        if self._told.is_set():
            raise Stopped


@dataclass(frozen=True)
class StoppableFiles:
    """See `base.Files`. Only new files are refused: what a step cleans up behind it may go on."""

    files: Files
    stop: Stop

    @property
    def where(self) -> str:
        """See `base.Files`."""
        return self.files.where

    def list(self, prefix: str = "", *, without: str = "") -> Iterator[Found]:
        """See `base.Files`."""
        return self.files.list(prefix, without=without)

    def stat(self, name: str) -> Found | None:
        """See `base.Files`."""
        return self.files.stat(name)

    def open(self, name: str, start: int = 0, end: int | None = None) -> Reading:
        """See `base.Files`."""
        return self.files.open(name, start, end)

    def read(self, name: str) -> tuple[bytes, str] | None:
        """See `base.Files`."""
        return self.files.read(name)

    def write(self, name: str) -> Writing:
        """See `base.Files`. Raises Stopped."""
        self.stop.check()
        return self.files.write(name)

    def swap(self, name: str, content: bytes, tag: str | None) -> str:
        """See `base.Files`."""
        return self.files.swap(name, content, tag)

    def remove(self, name: str, tag: str | None = None) -> None:
        """See `base.Files`."""
        self.files.remove(name, tag)

    def settle(self) -> None:
        """See `base.Files`."""
        self.files.settle()

    def sweep(self, prefix: str) -> int:
        """See `base.Files`."""
        return self.files.sweep(prefix)
