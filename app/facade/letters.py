"""The dead letters: the topic as a view that can be searched and counted."""

import sqlite3
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec

from agents.letters import TOPIC
from app.facade.cursors import cursor_of, place_of
from app.facade.parts import Parts
from app.facade.view import View
from app.shapes import DeadLetter, DeadLetterCount, Page
from connectors.streams.base import Item
from domain.aggregation.instants import parse_instant

SCHEMA = """
CREATE TABLE letters (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE, topic TEXT, partition INTEGER,
    offset INTEGER, aggregator TEXT, reason TEXT, detail TEXT, original BLOB, version INTEGER,
    at INTEGER, replayed_at INTEGER, tried_at INTEGER, on_partition INTEGER, on_offset INTEGER,
    first_offset INTEGER
);
CREATE INDEX letters_reason ON letters (reason, seq);
CREATE INDEX letters_aggregator ON letters (aggregator, seq);
CREATE INDEX letters_place ON letters (on_partition, on_offset);
CREATE TABLE erased (id TEXT PRIMARY KEY, on_partition INTEGER, on_offset INTEGER);
CREATE TABLE counts (
    reason TEXT, aggregator TEXT, total INTEGER, open INTEGER, latest INTEGER,
    PRIMARY KEY (reason, aggregator)
)
"""
LOOKED = 5_000  # letters looked at for a page that no index has all filters of: some 20 ms
INDEXED = ("id", "aggregator", "reason")  # the one that comes first is found by its index
COLUMNS = (
    "id, topic, partition, offset, aggregator, reason, detail, original, version, at, replayed_at,"
    " tried_at"
)


class Told(msgspec.Struct):
    """A letter as on the topic (aggregation.md §7.4)."""

    id: str
    topic: str
    partition: int
    offset: int
    reason: str
    detail: str
    original: str
    at: str
    aggregator: str | None = None
    version: int | None = None
    replayed_at: str | None = None
    tried_at: str | None = None


class Erased(msgspec.Struct):
    """What is on the topic in the place of a letter that was erased."""

    id: str
    erased_at: str


_decode = msgspec.json.Decoder(Told).decode
_decode_erased = msgspec.json.Decoder(Erased).decode


class Letters:
    """Lists letters by the view of this worker."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        path = parts.settings.data_dir / "views" / "dead-letters.sqlite"
        self._topic = parts.names.topic(TOPIC)
        self.view = View(parts.log, self._topic, path, SCHEMA, apply)

    async def stop(self) -> None:
        """Closes the view."""
        await self.view.stop()

    async def catch_up(self) -> None:
        """Takes in what is new on the topic."""
        await self.view.catch_up()

    async def prune(self) -> None:
        """Forgets letters that the topic no longer keeps."""
        count = await self._parts.partitions(self._topic)
        tps = [(self._topic, partition) for partition in range(count or 0)]
        begins = await self._parts.log.begin_offsets(tps)
        for (_, partition), begin in begins.items():
            await self.view.run(_prune, partition, begin)

    async def listed(
        self, where: Mapping[str, str], limit: int, cursor: str | None
    ) -> Page[DeadLetter]:
        """See `Backend.dead_letters`."""
        before = None if cursor is None else place_of(cursor, int)
        await self.view.catch_up()
        rows, reached = await self.view.run(_list, where, limit, before)
        following = None if reached is None else cursor_of(reached)
        return Page([DeadLetter(*row[1:]) for row in rows], following)

    async def one(self, letter_id: str) -> DeadLetter | None:
        """See `Backend.dead_letter`."""
        await self.view.catch_up()
        row = await self.view.run(_one, letter_id)
        return None if row is None else DeadLetter(*row)

    async def waiting(self, aggregator: str, inputs: Collection[str], since_ms: int) -> bool:
        """Whether a letter of the aggregator, or of none in particular on one of these topics, from
        then on waits to be replayed."""
        await self.view.catch_up()
        return await self.view.run(_waiting, aggregator, inputs, since_ms)

    async def counts(self) -> list[DeadLetterCount]:
        """See `Backend.dead_letter_counts`."""
        await self.view.catch_up()
        return [
            DeadLetterCount(reason, aggregator or None, total, still_open, latest)
            for reason, aggregator, total, still_open, latest in await self.view.run(_counts)
        ]


def apply(connection: sqlite3.Connection, partition: int, items: Sequence[Item]) -> None:
    """Takes letters; one that is sent again is the same letter, newer by what it says of replay."""
    for offset, _, _, value, _ in items:
        if value is None:
            continue
        if b'"erased_at"' in value and _forget(connection, partition, offset, value):
            continue
        try:
            letter = _decode(value)
            original = b64decode(letter.original, validate=True)
        except (msgspec.DecodeError, NotBase64):
            continue  # not written by this product: nothing to list or to replay
        at = parse_instant(letter.at) or 0
        replayed = parse_instant(letter.replayed_at)
        tried = parse_instant(letter.tried_at)
        known = connection.execute(
            "SELECT replayed_at, reason FROM letters WHERE id = ?", (letter.id,)
        ).fetchone()
        if known is None:
            if connection.execute("SELECT 1 FROM erased WHERE id = ?", (letter.id,)).fetchone():
                continue  # sent again
            row = (
                *(letter.id, letter.topic, letter.partition, letter.offset, letter.aggregator),
                *(letter.reason, letter.detail, original, letter.version, at, replayed, tried),
            )
            connection.execute(
                f"INSERT INTO letters ({COLUMNS}, on_partition, on_offset,"
                " first_offset)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (*row, partition, offset, offset),
            )
            _count(connection, letter, letter.reason, 1, int(replayed is None), at)
            continue
        connection.execute(
            "UPDATE letters SET on_partition = ?, on_offset = ?,"
            " replayed_at = coalesce(?, replayed_at) WHERE id = ?",
            (partition, offset, replayed, letter.id),
        )
        if known[0] is not None:
            continue
        if replayed is not None:
            _count(connection, letter, known[1], 0, -1, at)
        elif tried is not None:
            connection.execute(
                "UPDATE letters SET reason = ?, detail = ?, version = ?, tried_at = ? WHERE id = ?",
                (letter.reason, letter.detail, letter.version, tried, letter.id),
            )
            _count(connection, letter, known[1], -1, -1, at)
            _count(connection, letter, letter.reason, 1, 1, at)


def _forget(connection: sqlite3.Connection, partition: int, offset: int, value: bytes) -> bool:
    """Takes a letter out for good; False when the record doesn't say so."""
    try:
        letter_id = _decode_erased(value).id
    except msgspec.DecodeError:
        return False
    connection.execute(
        "INSERT INTO erased VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET"
        " on_partition = excluded.on_partition, on_offset = excluded.on_offset",
        (letter_id, partition, offset),
    )
    connection.execute(
        "UPDATE counts SET total = total - 1, open = open - (SELECT replayed_at IS NULL FROM"
        " letters WHERE id = ?) WHERE (reason, aggregator) IN"
        " (SELECT reason, coalesce(aggregator, '') FROM letters WHERE id = ?)",
        (letter_id, letter_id),
    )
    connection.execute("DELETE FROM letters WHERE id = ?", (letter_id,))
    return True


def _count(
    connection: sqlite3.Connection, letter: Told, reason: str, total: int, still: int, at: int
) -> None:
    connection.execute(
        "INSERT INTO counts VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
        " total = total + excluded.total, open = open + excluded.open,"
        " latest = max(latest, excluded.latest)",
        (reason, letter.aggregator or "", total, still, at),
    )


def _list(
    connection: sqlite3.Connection, where: Mapping[str, str], limit: int, before: int | None
) -> tuple[list[Any], int | None]:
    """The newest letters before that place, and up to which place was looked (None: to the end).
    Of those that an index finds, LOOKED are held against the other filters."""
    by = next((name for name in INDEXED if name in where), None)
    found, arguments = tests_of({} if by is None else {by: where[by]})
    rest = {name: text for name, text in where.items() if name != by}
    tests, more = tests_of(rest)
    at = 1 << 62 if before is None else before
    last = connection.execute(
        f"SELECT seq FROM letters WHERE seq < ?{found} ORDER BY seq DESC LIMIT 1 OFFSET ?",
        (at, *arguments, LOOKED - 1),
    ).fetchone() if rest else None  # fmt: skip
    floor = -1 if last is None else last[0]
    rows = connection.execute(
        f"SELECT seq, {COLUMNS} FROM letters WHERE seq < ? AND seq >= ?{found}{tests}"
        " ORDER BY seq DESC LIMIT ?",
        (at, floor, *arguments, *more, limit + 1),
    ).fetchall()
    if len(rows) > limit:
        return rows[:limit], rows[limit - 1][0]
    return rows, None if last is None else floor


def tests_of(where: Mapping[str, str]) -> tuple[str, list[str]]:
    """SQL that follows a condition, and its arguments, for the filters of a list of letters."""
    tests, arguments = "", []
    for name in ("id", "reason", "aggregator", "topic"):
        if name in where:
            tests += f" AND {name} = ?"
            arguments.append(where[name])
    if "not_topic" in where:
        tests += " AND topic != ?"
        arguments.append(where["not_topic"])
    if "replayed" in where:
        tests += f" AND replayed_at IS {'NOT ' if where['replayed'] == 'yes' else ''}NULL"
    return tests, arguments


def _waiting(
    connection: sqlite3.Connection, aggregator: str, inputs: Collection[str], since_ms: int
) -> bool:
    marks = ", ".join("?" * len(inputs))
    found = connection.execute(
        "SELECT 1 FROM letters WHERE replayed_at IS NULL AND at >= ? AND"
        f" (aggregator = ? OR (aggregator IS NULL AND topic IN ({marks}))) LIMIT 1",
        (since_ms, aggregator, *inputs),
    )
    return found.fetchone() is not None


def _one(connection: sqlite3.Connection, letter_id: str) -> Any:
    return connection.execute(
        f"SELECT {COLUMNS} FROM letters WHERE id = ?", (letter_id,)
    ).fetchone()


def _counts(connection: sqlite3.Connection) -> list[Any]:
    return connection.execute(
        "SELECT reason, aggregator, total, open, latest FROM counts WHERE total > 0"
        " ORDER BY total DESC, reason, aggregator"
    ).fetchall()


def _prune(connection: sqlite3.Connection, partition: int, begin: int) -> None:
    gone = "on_partition = ? AND on_offset < ?"
    over = connection.execute(
        f"SELECT reason, coalesce(aggregator, ''), count(*), sum(replayed_at IS NULL)"
        f" FROM letters WHERE {gone} GROUP BY 1, 2",
        (partition, begin),
    ).fetchall()
    for reason, aggregator, total, still_open in over:
        connection.execute(
            "UPDATE counts SET total = total - ?, open = open - ?"
            " WHERE reason = ? AND aggregator = ?",
            (total, still_open, reason, aggregator),
        )
    connection.execute(f"DELETE FROM letters WHERE {gone}", (partition, begin))
    connection.execute(f"DELETE FROM erased WHERE {gone}", (partition, begin))
