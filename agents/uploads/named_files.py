"""Files that an event names: under the data directory, or on S3.

What can't be read is refused; while S3 is away the reader waits, as it does for every store: the
event is not passed by, and nothing behind it overtakes it.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from connectors.files.base import Conflict, Files, FilesRefused, FilesUnavailable, Found, Missing
from connectors.files.opening import S3
from domain.errors import Reject, UsageError

logger = logging.getLogger(__name__)
T = TypeVar("T")
PIECE_BYTES = 256 * 1024
AGAIN_S = 5.0

OpenFile = Callable[[str], tuple[Files, str]]
"""From an address to the tree that the file is in, and its name there."""


async def _pause() -> None:
    await asyncio.sleep(AGAIN_S)


class NamedFiles:
    """`folder` is the data directory, which a path may not lead out of; addresses that begin with
    s3:// are opened by `open_file`. `pause` is taken between two attempts."""

    def __init__(
        self, folder: Path, open_file: OpenFile, pause: Callable[[], Awaitable[None]] = _pause
    ) -> None:
        self._folder = folder.resolve()
        self._open_file = open_file
        self._pause = pause

    def read(self, file: str) -> tuple[AsyncIterator[bytes], str]:
        """Its content by the piece, and its name. Raises Reject for one that can't be had, now or
        while it is read."""
        if file.startswith(S3):
            return self._from_s3(file), file.rpartition("/")[2]
        path = (self._folder / file).resolve()
        if not path.is_relative_to(self._folder) or not path.is_file():
            expected = f"a file under the data directory {self._folder}, or s3://bucket/path/file"
            raise Reject("bad_event", f"body.file {file!r}, expected {expected}")
        return _from_disk(path), path.name

    async def _from_s3(self, address: str) -> AsyncIterator[bytes]:
        try:
            files, name = self._open_file(address)
            found = await self._held(address, files.stat, name)
            at = 0
            while found is not None and at < found.size:
                piece = await self._held(address, _piece, files, found, at)
                at += len(piece)
                yield piece
        except (Conflict, FilesRefused, Missing, UsageError) as error:
            raise Reject("bad_event", f"body.file {address!r}: {error}") from error
        if found is None:
            raise Reject("bad_event", f"body.file {address!r} is not there; expected a file")

    async def _held(self, address: str, work: Callable[..., T], *args: object) -> T:
        """The outcome of blocking work, asked again for as long as the place is away."""
        told = False
        while True:
            try:
                return await asyncio.to_thread(work, *args)
            except FilesUnavailable as error:
                if not told:
                    logger.warning("an upload waits for %s: %s", address, error)
                told = True
            await self._pause()


def _piece(files: Files, found: Found, at: int) -> bytes:
    """The next bytes of the file as it was found: some MiB, so that a connection pays."""
    reading = files.open(found.name, at, min(found.size, at + (PIECE_BYTES << 4)))
    try:
        pieces: list[bytes] = []
        while piece := reading.read(PIECE_BYTES):
            pieces.append(piece)
    finally:
        reading.close()
    now = files.stat(found.name)
    if now is None or now.tag != found.tag or not pieces:
        raise Conflict(f"{files.where}/{found.name}")
    return b"".join(pieces)


async def _from_disk(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        while piece := await asyncio.to_thread(file.read, PIECE_BYTES):
            yield piece
