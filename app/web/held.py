"""Files that came with a form and are looked through before anything is done with them.

A file is held in a temporary file without a name, which is gone with the process: it is the
visitor's until it is used or half an hour old. Nothing relies on it: what is lost is chosen again.
"""

import asyncio
import errno
import os
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from secrets import token_hex
from typing import IO, Final

from aiohttp import BodyPartReader, web

from app.web import audited, limits, security
from app.web.bodies import BROKEN
from app.web.problems import ProblemError
from connectors.streams.base import DiskFull

FILES_MAX = 16  # held at one time, over all visitors; the oldest goes first
KEPT_S = 1800.0  # long enough to read what a dry run says and to be asked about it
PIECE_BYTES = 1 << 20
FIELD_BYTES_MAX = 1 << 16


@dataclass(frozen=True)
class HeldFile:
    """A file of `size` bytes under the name the visitor has for it."""

    id: str
    filename: str
    visitor: str
    taken_s: float
    file: IO[bytes] = field(repr=False)
    size: int = 0

    async def pieces(self) -> AsyncIterator[bytes]:
        """The whole file, from its beginning; may be read by several at once, and to its end even
        when it is let go of meanwhile."""
        at, own = 0, os.dup(self.file.fileno())
        try:
            while piece := await asyncio.to_thread(os.pread, own, PIECE_BYTES, at):
                at += len(piece)
                yield piece
        finally:
            os.close(own)


class HeldFiles:
    """Files by id; each is found by its own visitor only."""

    def __init__(self) -> None:
        self._files: dict[str, HeldFile] = {}

    async def take(self, part: BodyPartReader, visitor: str, most: int) -> HeldFile | None:
        """Holds the file of a form's part, of at most so many bytes; None when none was chosen.
        Raises DiskFull, and ProblemError (413)."""
        if not part.filename:
            return None
        self._tidy()
        file = tempfile.TemporaryFile()  # noqa: SIM115  # held beyond this call
        try:
            size = 0
            while piece := await part.read_chunk(PIECE_BYTES):
                size += len(piece)
                if size > most:
                    raise limits.too_large(most)
                await asyncio.to_thread(file.write, piece)
            await asyncio.to_thread(file.flush)
        except OSError as error:
            file.close()
            if error.errno == errno.ENOSPC:
                raise DiskFull(tempfile.gettempdir()) from error
            raise
        except BaseException:
            file.close()
            raise
        held = HeldFile(token_hex(8), part.filename, visitor, time.monotonic(), file, size)
        self._files[held.id] = held
        return held

    def find(self, file_id: str, visitor: str) -> HeldFile | None:
        """A file that is still held for this visitor."""
        self._tidy()
        found = self._files.get(file_id)
        return found if found is not None and found.visitor == visitor else None

    def drop(self, held: HeldFile) -> None:
        """Lets go of a file that has been used."""
        if self._files.pop(held.id, None) is not None:
            held.file.close()

    def close(self) -> None:
        """Lets go of all."""
        for held in list(self._files.values()):
            self.drop(held)

    def _tidy(self) -> None:
        oldest = time.monotonic() - KEPT_S
        for held in list(self._files.values()):
            if held.taken_s < oldest or len(self._files) > FILES_MAX:
                self.drop(held)


HELD: Final = web.AppKey[HeldFiles]("held-files")


async def read_form(request: web.Request) -> tuple[dict[str, str], HeldFile | None]:
    """(fields, file) of a form with a file, whose token is checked before the file is taken.

    The file is the one that came, else the one that field `held` names; None when there is neither.
    Raises ProblemError (400, 403, 413, 415) and DiskFull.
    """
    if not request.content_type.startswith("multipart/"):
        raise ProblemError(415, "unsupported-media-type", "A form with a file is multipart.")
    try:
        return await _read(request)
    except BROKEN as error:
        raise ProblemError(400, "bad-body", f"The form can't be read: {error}.") from error


async def _read(request: web.Request) -> tuple[dict[str, str], HeldFile | None]:
    visitor = security.csrf_token(request)
    fields: dict[str, str] = {}
    came: HeldFile | None = None
    async for part in await request.multipart():
        if not isinstance(part, BodyPartReader) or part.name is None:
            continue
        if part.filename is None:
            fields[part.name] = await _field(part)
            if part.name == security.FIELD:
                security.check_token(request, fields[security.FIELD])
            continue
        if security.FIELD not in fields:
            security.check_token(request, "")
        came = await request.app[HELD].take(part, visitor, limits.most_of(request)) or came
    if security.FIELD not in fields:
        security.check_token(request, "")
    audited.note(request, reason=fields.get("reason", "")[: audited.REASON_MAX])
    return fields, came or request.app[HELD].find(fields.get("held", ""), visitor)


async def _field(part: BodyPartReader) -> str:
    text = b""
    while piece := await part.read_chunk(FIELD_BYTES_MAX):
        text += piece
        if len(text) > FIELD_BYTES_MAX:
            raise ProblemError(413, "too-large", f"Field {part.name} is larger than 64 KiB.")
    return text.decode("utf-8", "replace").strip()
