"""A file sent to the server as it is read: multipart, with its length known beforehand."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO
from uuid import uuid4

from app.cli.output import json_bytes
from domain.errors import UsageError

PIECE_BYTES = 256 * 1024


class Multipart:
    """The body of an upload: `description`, then `file`. Can be sent again from its beginning."""

    def __init__(self, path: Path, description: Mapping[str, Any]) -> None:
        boundary = uuid4().hex
        name = path.name.replace("\\", "_").replace('"', "_")
        self._path = path
        self._head = (
            f"--{boundary}\r\n"
            'Content-Disposition: form-data; name="description"\r\n'
            "Content-Type: application/json\r\n\r\n"
        ).encode() + json_bytes(description)
        self._head += (
            f"\r\n--{boundary}\r\n"
            f'Content-Disposition: form-data; name="file"; filename="{name}"\r\n'
            "Content-Type: text/csv\r\n\r\n"
        ).encode()
        self._tail = f"\r\n--{boundary}--\r\n".encode()
        try:
            self._size = path.stat().st_size
        except OSError as error:
            raise unreadable(path, error) from error
        self.headers = {
            "Content-Type": f"multipart/form-data; boundary={boundary}",
            "Content-Length": str(len(self._head) + self._size + len(self._tail)),
        }

    def __iter__(self) -> Iterator[bytes]:
        yield self._head
        try:
            with self._path.open("rb") as file:
                yield from pieces(file)
        except OSError as error:
            raise unreadable(self._path, error) from error
        yield self._tail


def pieces(file: BinaryIO) -> Iterator[bytes]:
    """The rest of a file."""
    while piece := file.read(PIECE_BYTES):
        yield piece


def unreadable(path: Path, error: OSError) -> UsageError:
    """For a file that can't be read."""
    return UsageError(f"{path} can't be read: {error.strerror}")
