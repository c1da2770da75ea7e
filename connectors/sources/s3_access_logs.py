"""S3's server access logs: requests, bytes and statuses, from the objects that S3 writes them to.

Objects are listed behind the last one, less an overlap: S3 delivers late ones under earlier names.
Each object is a page and is read once; the names read within the overlap are in the cursor. A
request counts once by its id.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree

from connectors.sources.base import Cursor, Kit, Page, Window
from connectors.sources.caller import Answer
from connectors.sources.errors import CallFailed
from connectors.sources.s3_signing import signed
from domain.metrics.fetched import Fetched
from domain.metrics.records import Attributes

OVERLAP_MS = 24 * 3_600_000
_FIELDS = (
    "bucket_owner", "bucket", "time", "remote_ip", "requester", "request_id", "operation", "key",
    "request_uri", "status", "error", "bytes", "object_size", "total_ms", "turnaround_ms",
    "referer", "user_agent", "version_id",
)  # fmt: skip
_WHOLE = ("bytes", "object_size", "total_ms", "turnaround_ms", "status")
_WORD = re.compile(r'\[([^\]]*)\]|"((?:[^"\\]|\\.)*)"|(\S+)')
_STAMP = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})-([0-9]{2})-([0-9]{2})-([0-9]{2})-")
_TIME = "%d/%b/%Y:%H:%M:%S %z"


class S3AccessLogs:
    """Its cursor: `last`, the last name read, and `known`: digests of the names read within the
    overlap before it, by name's time."""

    RANGED = False
    BASE_URL: str | None = None

    def __init__(self, kit: Kit) -> None:
        self._kit = kit
        fetch = kit.source.fetch
        self._bucket = str(fetch["bucket"])
        self._prefix = str(fetch.get("prefix", ""))
        self._region = str(fetch.get("region", "us-east-1"))
        self._overlap_ms = int(fetch.get("overlap", OVERLAP_MS))
        base = kit.source.base_url
        if base is None:
            self._url = f"https://{self._bucket}.s3.{self._region}.amazonaws.com"
        else:
            self._url = f"{base.rstrip('/')}/{quote(self._bucket)}"

    async def fetch(self, cursor: Cursor, window: Window | None = None) -> AsyncIterator[Page]:
        """See `Connector`."""
        held = cursor or {}
        last: str = held.get("last", "")
        known: dict[str, int] = dict(held.get("known", {}))
        names = self._fresh(self._behind(last), frozenset(known))
        following = await anext(names, None)
        while following is not None:
            name, following = following, await anext(names, None)
            records = await self._object(name)
            at = self._at(name)
            last = max(last, name)
            known[_digest(name)] = at
            horizon = self._at(last) - self._overlap_ms
            known = {key: at for key, at in known.items() if at >= horizon}
            yield Page(records, {"last": last, "known": known}, last=following is None)

    async def _fresh(self, behind: str, known: frozenset[str]) -> AsyncIterator[str]:
        async for name in self._names(behind):
            if _digest(name) not in known:
                yield name

    def _at(self, name: str) -> int:
        """Epoch seconds of the time in a name, in milliseconds; 0 without one."""
        found = _STAMP.match(name.removeprefix(self._prefix))
        if found is None:
            return 0
        try:
            at = datetime(*(int(part) for part in found.groups()), tzinfo=UTC)  # type: ignore[misc,arg-type]  # six numbers
        except ValueError:
            return 0
        return int(at.timestamp()) * 1000

    def _behind(self, last: str) -> str:
        """What is listed begins behind this name."""
        at = self._at(last)
        if not at:
            return ""  # names without a time: all of them, those that are known left out
        first = datetime.fromtimestamp(at / 1000, UTC) - timedelta(milliseconds=self._overlap_ms)
        return f"{self._prefix}{first:%Y-%m-%d-%H-%M-%S-}"

    async def _names(self, behind: str) -> AsyncIterator[str]:
        token = ""
        while True:
            params = {"list-type": "2", "prefix": self._prefix}
            if token:
                params["continuation-token"] = token
            elif behind:
                params["start-after"] = behind
            body = (await self._get("/", params)).body
            try:
                tree = ElementTree.fromstring(body)
            except ElementTree.ParseError as error:
                raise CallFailed(
                    f"bucket {self._bucket}: the list can't be read: {error}"
                ) from None
            for entry in tree.iter():
                if entry.tag.rpartition("}")[2] == "Contents":
                    yield next(
                        part.text or "" for part in entry if part.tag.rpartition("}")[2] == "Key"
                    )
            token = next(
                (
                    entry.text or ""
                    for entry in tree
                    if entry.tag.rpartition("}")[2] == "NextContinuationToken"
                ),
                "",
            )
            if not token:
                return

    async def _get(self, path: str, params: dict[str, str]) -> Answer:
        url, headers = f"{self._url}{path}", dict[str, str]()
        keys = self._kit.secret("access_key"), self._kit.secret("secret_key")
        if all(keys):
            now = datetime.now(UTC)  # S3 compares it with its own clock
            url, headers = signed(url, params, *keys, self._region, now)
            params = {}
        return await self._kit.call.call("GET", url, params=params, headers=headers)

    async def _object(self, name: str) -> list[Fetched]:
        answer = await self._get(f"/{quote(name, safe='/-_.~')}", {})
        text = answer.body.decode("utf-8", "replace")
        return [
            record_of_line(line, f"{name} line {number}", self._at(name))
            for number, line in enumerate(text.splitlines(), 1)
            if line.strip()
        ]


def record_of_line(line: str, where: str, at_ms: int) -> Fetched:
    """The record of a log line; `-` is 0 for numbers, else nothing. A line that is no log line is
    kept as it is, at the time of its object."""
    words = [_word(match) for match in _WORD.finditer(line)]
    try:
        at = datetime.strptime(words[2] or "", _TIME)
        named: dict[str, Any] = dict(zip(_FIELDS, words, strict=False))
        attributes: Attributes = {
            name: int(value or 0) if name in _WHOLE else value for name, value in named.items()
        }
    except (ValueError, IndexError):
        return Fetched(at_ms, {"unreadable": line, "request_id": where})
    if not attributes.get("request_id"):
        attributes["request_id"] = where
    return Fetched(int(at.timestamp() * 1000), attributes)


def _word(match: re.Match[str]) -> str | None:
    found = next((group for group in match.groups() if group is not None), "")
    return None if found == "-" else found


def _digest(name: str) -> str:
    return blake2b(name.encode(), digest_size=8).hexdigest()
