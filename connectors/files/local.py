"""A tree of files in a folder.

A file is written under a name of its own with `PART` in it, and linked into place: a link fails
when the name is taken, a rename would not. Compare and swap runs under a lock file of the folder.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from connectors.files.base import Conflict, FilesRefused, FilesUnavailable, Found, Missing

PART = ".part-"
SWAPPING = ".swapping"
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
_MARK = uuid4().hex  # of this process: no other has parts of that name
_numbers = count()
FEW = 256  # files that are brought to the disk one by one; for more, the system's own order is best


class LocalWriting:
    """See `base.Writing`. Plain calls of the system: a step writes many thousand small files."""

    def __init__(self, placed: set[str], name: str, path: str) -> None:
        self._placed, self._name, self._path = placed, name, path
        folder, _, last = path.rpartition("/")
        self._part = f"{folder}/.{last[:150]}{PART}{_MARK}{next(_numbers)}"
        with _told(path):
            try:
                self._file = os.open(self._part, _NEW, 0o666)
            except FileNotFoundError:
                Path(folder).mkdir(parents=True, exist_ok=True)
                self._file = os.open(self._part, _NEW, 0o666)
        self._open = True

    def write(self, piece: bytes | memoryview, /) -> None:
        """See `base.Writing`."""
        with _told(self._path):
            written = os.write(self._file, piece)
            while written < len(piece):
                written += os.write(self._file, memoryview(piece)[written:])

    def place(self) -> Found:
        """See `base.Writing`."""
        with _told(self._path):
            found = _found(self._name, os.fstat(self._file))
            try:
                os.link(self._part, self._path)
            except FileExistsError:
                raise Conflict(self._path) from None
            finally:
                self.drop()
        if len(self._placed) <= FEW:
            self._placed.add(self._path)
        return found

    def drop(self) -> None:
        """See `base.Writing`."""
        if self._open:
            self._open = False
            os.close(self._file)
            with suppress(FileNotFoundError):
                Path(self._part).unlink()


class LocalReading:
    """See `base.Reading`."""

    def __init__(self, file: BinaryIO, left: int | None) -> None:
        self._file, self._left = file, left

    def read(self, size: int, /) -> bytes:
        """See `base.Reading`."""
        if self._left is None:
            return self._file.read(size)
        piece = self._file.read(min(size, self._left))
        self._left -= len(piece)
        return piece

    def close(self) -> None:
        """See `base.Reading`."""
        self._file.close()


class LocalFiles:
    """See `base.Files`. The folder is made when something is written."""

    def __init__(self, root: Path) -> None:
        self._root = root.absolute()
        self._placed: set[str] = set()  # since the last `settle`, up to one above FEW

    @property
    def where(self) -> str:
        """See `base.Files`."""
        return str(self._root)

    def list(self, prefix: str = "", *, without: str = "") -> Iterator[Found]:
        """See `base.Files`."""
        folder, _, _ = prefix.rpartition("/")
        yield from self._walk(self._path(folder) if folder else self._root, prefix, without)

    def stat(self, name: str) -> Found | None:
        """See `base.Files`."""
        path = self._path(name)
        with _told(path):
            try:
                return _found(name, path.stat())
            except (FileNotFoundError, NotADirectoryError):
                return None

    def open(self, name: str, start: int = 0, end: int | None = None) -> LocalReading:
        """See `base.Files`."""
        path = self._path(name)
        with _told(path):
            try:
                file = path.open("rb", buffering=0)
            except (FileNotFoundError, NotADirectoryError):
                raise Missing(str(path)) from None
            file.seek(start)
            return LocalReading(file, None if end is None else end - start)

    def read(self, name: str) -> tuple[bytes, str] | None:
        """See `base.Files`."""
        path = self._path(name)
        with _told(path):
            try:
                with path.open("rb") as file:
                    return file.read(), _found(name, os.fstat(file.fileno())).tag
            except (FileNotFoundError, NotADirectoryError):
                return None

    def write(self, name: str) -> LocalWriting:
        """See `base.Files`."""
        return LocalWriting(self._placed, name, str(self._path(name)))

    def swap(self, name: str, content: bytes, tag: str | None) -> str:
        """See `base.Files`."""
        path = self._path(name)
        part = path.with_name(f".{path.name}{PART}{uuid4().hex}")
        with _told(path), self._swapping():
            found = self.stat(name)
            if (None if found is None else found.tag) != tag:
                raise Conflict(str(path))
            path.parent.mkdir(parents=True, exist_ok=True)
            with part.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            part.rename(path)
            _sync(path.parent)
            return _found(name, path.stat()).tag

    def remove(self, name: str, tag: str | None = None) -> None:
        """See `base.Files`."""
        path = self._path(name)
        with _told(path):
            if tag is None:
                path.unlink(missing_ok=True)
                return
            with self._swapping():
                found = self.stat(name)
                if found is not None and found.tag != tag:
                    raise Conflict(str(path))
                path.unlink(missing_ok=True)

    def settle(self) -> None:
        """See `base.Files`."""
        placed = self._placed.copy()
        if len(placed) > FEW:
            os.sync()
        else:
            paths = {Path(path) for path in placed}
            for path in sorted(paths | _folders(paths, self._root)):
                with _told(path), suppress(FileNotFoundError):  # removed since
                    _sync(path)
        self._placed -= placed

    def sweep(self, prefix: str) -> int:
        """See `base.Files`."""
        folder, _, _ = prefix.rpartition("/")
        swept = 0
        for parent, _, names in os.walk(self._path(folder) if folder else self._root):
            for name in names:
                if name.startswith(".") and PART in name:
                    (Path(parent) / name).unlink(missing_ok=True)
                    swept += 1
        return swept

    def _path(self, name: str) -> Path:
        parts = name.split("/")
        if any(part in ("", ".", "..") or "\0" in part for part in parts):
            raise FilesRefused(self.where, f"{name!r} is no name of a file in it")
        return self._root.joinpath(*parts)

    def _walk(self, folder: Path, prefix: str, without: str) -> Iterator[Found]:
        try:
            entries = sorted(os.scandir(folder), key=_by_name)
        except (FileNotFoundError, NotADirectoryError):
            return
        for entry in entries:
            name = Path(entry.path).relative_to(self._root).as_posix()
            if entry.is_dir(follow_symlinks=False):
                inside = f"{name}/".startswith(prefix) or prefix.startswith(f"{name}/")
                if inside and f"{name}/" != without:
                    yield from self._walk(Path(entry.path), prefix, without)
            elif name.startswith(prefix) and PART not in entry.name and entry.name != SWAPPING:
                try:
                    yield _found(name, entry.stat())
                except FileNotFoundError:  # removed since the folder was read
                    continue

    @contextmanager
    def _swapping(self) -> Iterator[None]:
        self._root.mkdir(parents=True, exist_ok=True)
        with (self._root / SWAPPING).open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # given back when the process ends, however it ends
            yield


def _by_name(entry: os.DirEntry[str]) -> str:
    return f"{entry.name}/" if entry.is_dir(follow_symlinks=False) else entry.name


def _found(name: str, status: os.stat_result) -> Found:
    tag = f"{status.st_ino:x}-{status.st_mtime_ns:x}-{status.st_size:x}"
    return Found(name, status.st_size, tag, status.st_mtime_ns // 1_000_000)


def _folders(paths: set[Path], root: Path) -> set[Path]:
    """The folders in which these are, up to the root."""
    found: set[Path] = set()
    for path in paths:
        parent = path.parent
        while parent not in found and parent.is_relative_to(root):
            found.add(parent)
            parent = parent.parent
    return found


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _told(path: Path | str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise FilesUnavailable(str(path), error.strerror or str(error)) from error
