"""One process per data directory: a lock that the system takes back when the process dies."""

import fcntl
import os
from pathlib import Path

from connectors.streams.base import DirectoryLocked


class DirectoryLock:
    """An exclusive lock on `directory`, held from `acquire` to `release` or the process's end."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._file: int | None = None

    def acquire(self) -> None:
        """Makes the directory if need be and locks it; raises DirectoryLocked if it is taken."""
        self._directory.mkdir(parents=True, exist_ok=True)
        file = os.open(self._directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(file, 100).decode(errors="replace").strip()
            os.close(file)
            raise DirectoryLocked(str(self._directory), holder) from None
        os.ftruncate(file, 0)
        # only a hint for the message above, so a full disk must not stop the start
        try:
            os.write(file, f"process {os.getpid()}".encode())
        except OSError:
            os.ftruncate(file, 0)
        self._file = file

    def release(self) -> None:
        """Gives the lock back; does nothing when it is not held."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
