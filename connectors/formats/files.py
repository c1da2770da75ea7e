"""Input files: what they are called, what they hold, and who they are (SHA-256 of their bytes).

A file is looked at from end to end before anything of it is counted: who it is decides whether it
was taken before, and one that can't be read whole (a gzip file that breaks off) is refused whole.
What can be read only once (standard input, a pipe) is copied to a scratch folder first, for the
same reason.
"""

import gzip
import hashlib
import os
import shutil
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal, cast

from connectors.formats.records import InputError
from domain.errors import UsageError

Format = Literal["jsonl", "csv", "parquet"]

# ending of a file's name (before .gz) -> its format
ENDINGS: dict[str, Format] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".csv": "csv",
    ".parquet": "parquet",
    ".pq": "parquet",
}
PIECE_BYTES = 1 << 20
_GZIP, _PARQUET = b"\x1f\x8b", b"PAR1"


@dataclass(frozen=True)
class Source:
    """One input file. `name` is what people call it, `path` where its bytes are; `zipped`: they
    are gzip. `digest` is the SHA-256 of the bytes as they came, `size` their number."""

    name: str
    path: Path
    format: Format
    zipped: bool
    digest: bytes
    size: int
    _seen: tuple[int, ...]

    @contextmanager
    def open(self, offset: int = 0) -> Iterator[tuple[BinaryIO, Callable[[], int]]]:
        """(the content, decompressed, from `offset` on; how many bytes of the file were read).

        Raises InputError when the file is no longer the one that was identified.
        """
        with self.path.open("rb", buffering=0) as raw:
            self._unchanged(os.fstat(raw.fileno()))
            content = cast(BinaryIO, gzip.GzipFile(fileobj=raw) if self.zipped else raw)
            content.seek(offset)
            yield content, raw.tell
            self._unchanged(os.fstat(raw.fileno()))

    def check_gzip(self) -> None:
        """Reads the whole file if it is compressed; raises InputError if that can't be done."""
        if not self.zipped:
            return
        with self.path.open("rb") as raw, gzip.GzipFile(fileobj=raw) as content:
            try:
                while content.read(PIECE_BYTES):
                    continue
            except (EOFError, zlib.error, gzip.BadGzipFile) as error:
                raise _broken_gzip(self.name, error) from error

    def _unchanged(self, status: os.stat_result) -> None:
        if _seen(status) != self._seen:
            problem = "the file was changed while it was read"
            raise InputError(self.name, problem, "files that stay as they are during a run")


def identify(name: str, wanted: Format | None, stdin: BinaryIO, scratch: Path) -> Source:
    """The file of that name (`-`: standard input, JSON Lines unless `wanted` says otherwise).

    `wanted` goes before the name's ending. Raises UsageError and InputError.
    """
    path = Path(name)
    if name == "-":
        path = _copied(stdin, scratch)
    elif path.is_dir():
        raise UsageError(f"{name} is a folder; expected a file")
    elif not path.exists():
        raise UsageError(f"{name} is not there; expected a file, or - for standard input")
    elif not path.is_file():
        with path.open("rb") as pipe:
            path = _copied(pipe, scratch)
    with path.open("rb") as file:
        seen = _seen(os.fstat(file.fileno()))
        head = file.read(4)
        file.seek(0)
        digest = hashlib.file_digest(file, "sha256").digest()
        size = file.tell()
    zipped = head[:2] == _GZIP
    if zipped:
        head = _head(name, path)
    elif Path(name).suffix == ".gz" and size:
        raise InputError(name, "this is no gzip data", "what the name's ending says")
    format_ = wanted or ("jsonl" if name == "-" else _by_name(name, head))
    if (head == _PARQUET) is not (format_ == "parquet"):
        problem = "this is Parquet" if head == _PARQUET else "this is no Parquet"
        raise InputError(name, problem, f"{format_}; --input-format says what a file holds")
    source = Source(name, path, format_, zipped, digest, size, seen)
    source.check_gzip()
    if zipped and format_ == "parquet":  # it has to be read from its end
        with source.open() as (content, _):
            path = _copied(content, scratch)
        source = Source(name, path, format_, False, digest, size, _seen(path.stat()))
    return source


def _by_name(name: str, head: bytes) -> Format:
    path = Path(name.lower())
    ending = path.with_suffix("").suffix if path.suffix == ".gz" else path.suffix
    found = ENDINGS.get(ending)
    if found is None and head == _PARQUET:
        return "parquet"
    if found is None and head.lstrip()[:1] == b"{":
        return "jsonl"
    if found is None:
        known = ", ".join(ENDINGS)
        raise UsageError(
            f"{name} does not tell its format; expected a name that ends with one of {known}",
            "or --input-format jsonl, csv or parquet",
        )
    return found


def _head(name: str, path: Path) -> bytes:
    with gzip.open(path) as content:
        try:
            return content.read(4)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise _broken_gzip(name, error) from error


def _broken_gzip(name: str, error: Exception) -> InputError:
    return InputError(name, f"the gzip data is broken ({error})", "a whole .gz file")


def _copied(stream: BinaryIO, scratch: Path) -> Path:
    path = scratch / f"input-{len(list(scratch.iterdir()))}"
    with path.open("wb") as file:
        shutil.copyfileobj(stream, file, PIECE_BYTES)
    return path


def _seen(status: os.stat_result) -> tuple[int, ...]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
