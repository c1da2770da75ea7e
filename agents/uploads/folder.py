"""Where uploaded files are kept: `uploads/<request_id>/` in the data directory.

    upload.json    what the upload is (`Meta`)
    file           the bytes as they came, until they are read
    reading.sqlite how far they are read, and the rows that were not accepted (`reading.py`)

A folder appears whole or not at all: it is written beside under another name, synced and renamed.
What a kill leaves of others is removed at the next start. All calls block.
"""

import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO
from uuid import uuid4

import msgspec

from domain.campaigns.days import LAST_DAY

KEPT_MS = 8 * 86_400_000  # the promised 7 days of an Idempotency-Key, and one for clocks
_PART = ".part-"


class Meta(msgspec.Struct, frozen=True, kw_only=True):
    """An upload. `flow` as `flow_json` gives it, as of the 202; `now_ms` is that of the 202.

    `digest`: SHA-256 of the file; `fingerprint` of that and the description. `key`: its
    Idempotency-Key. `size` is in bytes as it came, `rows_at` where the rows begin
    in the unpacked file. `command`: the id of the event that asked for it, if one did.
    `last_day`: the last day that may be in it, which an older version did not bound.
    """

    request_id: str
    description: dict[str, Any]
    flow: dict[str, Any]
    now_ms: int
    filename: str
    digest: str
    fingerprint: str
    key: str | None
    actor: str
    reason: str
    size: int
    columns: list[str]
    rows_at: int
    command: str = ""
    last_day: str = LAST_DAY


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Meta).decode


class Spool:
    """A file that comes in. `close` lets go of it unless it was kept."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(parents=True)
        self._file = (path / "file").open("wb")
        self._digest = hashlib.sha256()
        self.size = 0

    def write(self, piece: bytes) -> None:
        """Appends bytes."""
        self._file.write(piece)
        self._digest.update(piece)
        self.size += len(piece)

    def sync(self) -> str:
        """Makes the file durable; its digest. Nothing may be written after it."""
        if not self._file.closed:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
        return self._digest.hexdigest()

    def open(self) -> BinaryIO:
        """The file as it came, from its beginning."""
        return (self.path / "file").open("rb")

    def close(self) -> None:
        """Removes it, unless it was kept."""
        self._file.close()
        shutil.rmtree(self.path, ignore_errors=True)


class Folder:
    """All uploads of a data directory. Nobody else writes there (the data directory is locked)."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def start(self) -> list[Meta]:
        """Removes what a kill left half done; the uploads that there are."""
        self.path.mkdir(parents=True, exist_ok=True)
        for part in self.path.glob(f"{_PART}*"):
            shutil.rmtree(part)
        return list(self._metas())

    def spool(self) -> Spool:
        """A new file."""
        return Spool(self.path / f"{_PART}{uuid4().hex}")

    def keep(self, spool: Spool, meta: Meta) -> bool:
        """Makes the upload durable; False when there is one of that id."""
        home = self.home(meta.request_id)
        if home.exists():
            return False
        with (spool.path / "upload.json").open("wb") as file:
            file.write(_encode(meta))
            file.flush()
            os.fsync(file.fileno())
        sync_folder(spool.path)
        spool.path.rename(home)
        sync_folder(self.path)
        return True

    def home(self, request_id: str) -> Path:
        """The folder of an upload, whether it is here or not."""
        return self.path / request_id

    def meta(self, request_id: str) -> Meta | None:
        """What an upload is; None when it isn't here."""
        try:
            return _decode((self.home(request_id) / "upload.json").read_bytes())
        except FileNotFoundError:
            return None

    def _metas(self) -> Iterator[Meta]:
        for path in sorted(self.path.glob("*/upload.json")):
            yield _decode(path.read_bytes())


def sync_folder(path: Path) -> None:
    """Makes names in a folder durable."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
