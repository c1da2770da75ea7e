"""Rows of the shards that are open here, as plain data.

Scans go in pieces of a few milliseconds and stop after EXAMINED rows a shard, or `examine` of them,
however few of them were wanted.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

from app.facade import shown
from app.facade.parts import Parts
from app.facade.session_records import SessionRecords
from domain.aggregation.instants import parse_instant
from domain.aggregation.keys import matches, may_match, within
from domain.aggregation.rule import split_row_key
from tables.codec import decode_row
from tables.layout import ROW, WAKE, instant_bytes
from tables.letters import is_letter
from tables.shard import Shard

PIECE = 500  # rows of one scan: some milliseconds in which nothing else runs
EXAMINED = 5_000  # rows of one question and shard
_FIRST = "0001-01-01T00:00:00.000Z"
_LASTS = [f"9999-12-{day}T23:59:59.999Z" for day in (31, 30, 29, 28)]
_WHOLE = (4, 7, 10, 13, 16, 19, 23, 24)  # characters after which a part of an instant ends
_ROWS_END = bytes([ROW[0] + 1])

ROWS_TABLES = ("sessions", "due")

Answers = dict[int, dict[str, Any]]
"""shard -> what is told of it, with the `epoch` in which it was claimed."""


class Holder(Protocol):
    """Who has a shard open."""

    @property
    def shard(self) -> Shard:
        """It."""


class ShardRows:
    """Looks through the rows of the shards that `open_ones` has at the time."""

    def __init__(self, parts: Parts, open_ones: Callable[[], Mapping[int, Holder]]) -> None:
        self._parts = parts
        self._open = open_ones
        self._records = SessionRecords(parts.documents.rule)

    async def sessions(self, asked: dict[str, Any]) -> Answers:
        """Open sessions: `searches` [[first, end, tests]], `after` a row key, `limit`, `examine`.

        Rows are [row key, record, due, created, updated]; `reached` is the last row key looked
        at, None when all were; `examined` how many were.
        """

        def take(key: bytes, value: bytes, tests: Any) -> list[Any] | None:
            if not may_match(key, tests):
                return None
            row_key = key[1:]
            if not matches(split_row_key(row_key)[2], tests):
                return None
            row = decode_row(value)
            session = row.open
            if session is None:
                return None
            return [row_key, row, session.due, session.created, row.touched]

        ranges = [
            (ROW + first, ROW + end, [(place, set(values)) for place, values in tests])
            for first, end, tests in asked["searches"]
        ]
        found = await self.scan(ranges, ROW, asked, take)
        for answer in found.values():
            records = self._records.of([(row[0], row[1]) for row in answer["rows"]])
            for row, record in zip(answer["rows"], records, strict=True):
                row[1] = record
        return found

    async def rows(self, asked: dict[str, Any]) -> Answers:
        """Rows of a table: `table`, `prefix` or `exact` (key text), `after`, `limit`.

        Rows are [order, key text, JSON].
        """
        if asked["table"] == "due":
            prefix = asked["prefix"] if asked["exact"] is None else asked["exact"]
            start, end = due_range(prefix)

            def take_due(key: bytes, _: bytes, __: Any) -> list[Any] | None:
                if is_letter(key[9:]):
                    return None
                text, value = shown.due_text(key)
                wanted = text == asked["exact"] if asked["exact"] else text.startswith(prefix)
                return [key[1:], text, value] if wanted else None

            return await self.scan([(start, end, None)], WAKE, asked, take_due)

        def take(key: bytes, value: bytes, _: Any) -> list[Any] | None:
            row_key = key[1:]
            if is_letter(row_key):
                return None
            return [row_key, shown.row_key_text(row_key), shown.row_value(decode_row(value))]

        return await self.scan(list(self._row_ranges(asked)), ROW, asked, take)

    def _row_ranges(self, asked: dict[str, Any]) -> Iterator[tuple[bytes, bytes, Any]]:
        """Key text is that of `row_key_text`; one that begins as a session key means any of it."""
        exact = asked["exact"]
        text = asked["prefix"] if exact is None else exact
        starts = [shown.row_key_bytes(text)]
        if text.startswith("["):
            prefixes = {rule.prefix for rule in self._parts.documents.rules.values()}
            starts = [prefix + text.encode() for prefix in sorted(prefixes)]
        for start in starts:
            first, end = (start, start + b"\0") if exact is not None else within(start)
            yield ROW + first, (ROW + end if start else _ROWS_END), None

    async def scan(
        self,
        ranges: list[tuple[bytes, bytes, Any]],
        kind: bytes,
        asked: dict[str, Any],
        take: Callable[[bytes, bytes, Any], list[Any] | None],
    ) -> Answers:
        after = asked["after"]
        floor = b"" if after is None else kind + after + b"\0"
        most = min(EXAMINED, asked.get("examine", EXAMINED))
        found: Answers = {}
        for number in self._open():
            answer = await self._scan_shard(number, ranges, floor, asked["limit"], most, take)
            if answer is not None:
                found[number] = answer
        return found

    async def _scan_shard(
        self,
        number: int,
        ranges: list[tuple[bytes, bytes, Any]],
        floor: bytes,
        limit: int,
        most: int,
        take: Callable[[bytes, bytes, Any], list[Any] | None],
    ) -> dict[str, Any] | None:
        """None when the shard was lost on the way. At most `most` rows are looked at."""
        rows: list[list[Any]] = []
        examined, epoch = 0, -1

        def told(reached: bytes | None) -> dict[str, Any]:
            return {"epoch": epoch, "rows": rows, "reached": reached, "examined": examined}

        for first, end, tests in ranges:
            at = max(first, floor)
            while at < end:
                processor = self._open().get(number)
                if processor is None:
                    return None
                epoch = epoch_of(processor.shard)
                # mostly the first rows are those that are wanted
                wanted = min(PIECE if examined else limit + 1, most - examined)
                piece = list(processor.shard.store.scan(at, end, wanted))
                for key, value in piece:
                    row = take(key, value, tests)
                    if row is not None and len(rows) == limit:
                        return told(rows[-1][0])
                    if row is not None:
                        rows.append(row)
                    examined += 1
                    if examined >= most:
                        return told(key[1:])
                if len(piece) < wanted:
                    break
                at = piece[-1][0] + b"\0"
                await asyncio.sleep(0)
        if epoch < 0:
            processor = self._open().get(number)
            if processor is None:
                return None
            epoch = epoch_of(processor.shard)
        return told(None)


def epoch_of(shard: Shard) -> int:
    """In which claim the worker has the shard; a later one is the owner's."""
    return 0 if shard.changelog is None else shard.changelog.epoch


def due_range(prefix: str) -> tuple[bytes, bytes]:
    """A range of the due index that holds all entries whose text begins with `prefix`, which is
    an instant as printed, or the beginning of one."""
    length = max((whole for whole in _WHOLE if whole <= len(prefix)), default=0)
    text = prefix[:length]
    first = parse_instant(text + _FIRST[length:])
    lasts = (parse_instant(text + last[length:]) for last in _LASTS)
    last = next((at for at in lasts if at is not None), None)
    if first is None or last is None:
        return WAKE, WAKE  # no instant begins so
    return WAKE + instant_bytes(first), WAKE + instant_bytes(last + 1)
