"""Ranks of keywords from a CSV file, at an address or in a folder of the worker's machine.

There is no public document of an API: for one with JSON there is `http_json`. A file that has grown
gives its new rows, one that was written anew all of them; a row that is there already counts once,
because its key is the whole row.
"""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import AsyncIterator
from hashlib import blake2b
from pathlib import Path

from connectors.sources.base import Cursor, Kit, Page, Window
from connectors.sources.errors import CallFailed
from connectors.sources.google_analytics import numeric
from domain.metrics.fetched import Fetched
from domain.metrics.moments import moment_ms
from domain.metrics.records import Attributes

ROWS = 5_000  # of a page


class ProRankings:
    """Its cursor: `bytes` of the file that are archived, `digest` of them, and `tag`."""

    RANGED = False
    BASE_URL: str | None = None

    def __init__(self, kit: Kit) -> None:
        self._kit = kit
        self._place = str(kit.source.fetch["csv"])
        self._ts = str(kit.source.fetch["ts"])

    async def fetch(self, cursor: Cursor, window: Window | None = None) -> AsyncIterator[Page]:
        """See `Connector`."""
        held = cursor or {}
        found = await self._content(held.get("tag", ""))
        if found is None:
            return
        content, tag = found
        lines = content.splitlines(keepends=True)
        if not lines:
            return
        if not lines[-1].endswith((b"\n", b"\r")) and self._is_path():
            lines.pop()  # its writer is at it
        done = self._done(held, content)
        at, quoted, whole_rows = 0, 0, True
        pages: list[tuple[list[bytes], int]] = []
        for line in lines:
            at += len(line)
            if at <= max(done, len(lines[0])):
                continue
            quoted += line.count(b'"')
            if not pages or (len(pages[-1][0]) >= ROWS and whole_rows):
                pages.append(([], at))
            whole_rows = quoted % 2 == 0  # else the row goes on in the next line
            pages[-1][0].append(line)
            pages[-1] = pages[-1][0], at
        for number, (rows, end) in enumerate(pages, 1):
            digest = blake2b(content[:end], digest_size=16).hexdigest()
            last = number == len(pages)
            records = self._records(lines[0], rows)
            cursor = {"bytes": end, "digest": digest, "tag": tag if last else ""}
            yield Page(records, cursor, last=last)

    def _is_path(self) -> bool:
        return "://" not in self._place

    def _done(self, held: dict[str, object], content: bytes) -> int:
        """How many bytes at the beginning are archived as they are."""
        size = held.get("bytes", 0)
        if not isinstance(size, int) or size > len(content):
            return 0
        digest = blake2b(content[:size], digest_size=16).hexdigest()
        return size if digest == held.get("digest") else 0

    async def _content(self, tag: str) -> tuple[bytes, str] | None:
        """The file and its tag; None when it has not changed."""
        if self._is_path():
            path = Path(self._place).expanduser()
            try:
                return await asyncio.to_thread(path.read_bytes), ""
            except OSError as error:
                raise CallFailed(f"{path} can't be read: {error.strerror}") from None
        headers = {"If-None-Match": tag} if tag else {}
        token = self._kit.secret("token")
        if token:
            headers["Authorization"] = f"Bearer {token}"
        answer = await self._kit.call.call("GET", self._place, headers=headers, allow=(304,))
        return None if answer.status == 304 else (answer.body, answer.headers.get("ETag", ""))

    def _records(self, header: bytes, rows: list[bytes]) -> list[Fetched]:
        try:
            text = (header + b"".join(rows)).decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise CallFailed(f"{self._place} is no UTF-8 text: {error.reason}") from None
        records = []
        for row in csv.DictReader(io.StringIO(text)):
            if None in row or None in row.values():
                raise CallFailed(f"a row has other columns than the first line: {row}")
            at = moment_ms(row.get(self._ts), self._kit.source.timezone)
            if at is None:
                raise CallFailed(f"a row has no time in column {self._ts!r}: {row}")
            attributes: Attributes = {
                name: text if name == self._ts else numeric(text) for name, text in row.items()
            }
            records.append(Fetched(at, attributes))
        return records
