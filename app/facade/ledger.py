"""What was handed off: each output topic as a view of its flushes, each counted once by its id.

By UTC day (of the flush's own broker timestamp) and by period it keeps how many flushes of which
kind there were, of how many records, with which sums; of each flush where its newest copy lies, as
long as the topic keeps it. The view of `aggregates.audit` has expiries and deletions, and the
events that the console writes there.
"""

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import msgspec

from app.facade.parts import Parts
from app.facade.view import View
from config.topics import AUDIT
from connectors.streams.base import Item
from domain.aggregation.flush import to_json
from domain.aggregation.instants import parse_instant, print_instant
from domain.aggregation.operations import exact_json, plus

SCHEMA = """
CREATE TABLE flushes (
    id TEXT PRIMARY KEY, on_partition INTEGER, on_offset INTEGER
) WITHOUT ROWID;
CREATE INDEX flushes_place ON flushes (on_partition, on_offset);
CREATE TABLE figures (
    aggregator TEXT, span TEXT, label TEXT, type TEXT, flushes INTEGER, records INTEGER, sums TEXT,
    start INTEGER, end INTEGER, news INTEGER,
    PRIMARY KEY (aggregator, span, label, type)
) WITHOUT ROWID;
CREATE INDEX figures_news ON figures (end) WHERE news = 1 AND span = 'period';
CREATE TABLE events (id TEXT PRIMARY KEY, event TEXT, subject TEXT, at INTEGER, body BLOB)
"""
DAY_MS = 86_400_000
KEPT_MS = 400 * DAY_MS  # figures and events: a year to look back to, and a month
DELETED = "DELETED"
"""Kind of what an operator deleted; the others are flush types."""
_encode = msgspec.json.Encoder(order="sorted").encode
SumsOf = Callable[[str, int], Mapping[str, str]]
"""(aggregator, version) -> the summed field by the name of its result."""


@dataclass
class Figure:
    """Flushes of one kind: how many, of how many records, and the sums by field."""

    flushes: int = 0
    records: int = 0
    sums: dict[str, Any] = field(default_factory=dict)

    def add(self, flushes: int, records: int, sums: Mapping[str, Any]) -> None:
        """Takes more of them."""
        self.flushes += flushes
        self.records += records
        for name, value in sums.items():
            self.sums[name] = plus(self.sums.get(name), value)


@dataclass(frozen=True)
class Period:
    """A period of an aggregator: `label` is the JSON of a flush's `periods`, all of which lie
    between `start_ms` of the last to begin and `end_ms` of the last to end.
    """

    aggregator: str
    label: str
    start_ms: int
    end_ms: int


@dataclass(frozen=True)
class Place:
    """Where the newest copy of a flush lies; `topic` is public."""

    topic: str
    partition: int
    offset: int


class Ledger:
    """The views of all output topics, on this worker's disk."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._views: dict[str, View] = {}

    async def stop(self) -> None:
        """Closes the views."""
        for view in self._views.values():
            await view.stop()

    async def catch_up(self) -> None:
        """Takes in what is new on the topics."""
        await self._parts.catch_up()
        for view in (await self._all()).values():
            await view.catch_up()

    async def day(self, day: str) -> dict[str, dict[str, Figure]]:
        """By aggregator and kind, what was flushed, expired and deleted on a UTC day."""
        return await self._figures("day", day)

    async def period(self, period: Period) -> dict[str, Figure]:
        """By kind, what was flushed, expired and deleted of a period."""
        return (await self._figures("period", period.label)).get(period.aggregator, {})

    async def _figures(self, span: str, label: str) -> dict[str, dict[str, Figure]]:
        found: dict[str, dict[str, Figure]] = {}
        for view in (await self._all()).values():
            for name, kind, *figure in await view.run(_figures, span, label):
                found.setdefault(name, {}).setdefault(kind, Figure()).add(*figure)
        return found

    async def ended(self, now_ms: int) -> list[Period]:
        """Periods that are over and have flushes since they were last settled."""
        rows = [
            row for view in (await self._all()).values() for row in await view.run(_news, now_ms)
        ]
        return [Period(*row) for row in dict.fromkeys(rows)]

    async def settle(self, period: Period, figures: Mapping[str, Figure]) -> None:
        """What there was of the period with these figures is no news any more."""
        for view in (await self._all()).values():
            await view.run(_settle, period, {kind: f.flushes for kind, f in figures.items()})

    async def find(self, flush_id: str) -> Place | None:
        """Where a flush that went to an output topic lies."""
        for topic, view in (await self._all()).items():
            found = None if topic == AUDIT else await view.run(_find, flush_id)
            if found is not None:
                return Place(topic, *found)
        return None

    async def events(self, event: str, subject: str | None = None) -> list[dict[str, Any]]:
        """The console's events of a kind (about one subject), oldest first."""
        view = (await self._all()).get(AUDIT)
        rows = [] if view is None else await view.run(_events, event, subject)
        return [exact_json(body) for (body,) in rows]

    async def event(self, event_id: str) -> dict[str, Any] | None:
        """One event."""
        view = (await self._all()).get(AUDIT)
        row = None if view is None else await view.run(_event, event_id)
        return None if row is None else exact_json(row[0])

    async def prune(self, now_ms: int) -> None:
        """Forgets positions that the topics no longer keep, and what is older than a year."""
        for topic, view in (await self._all()).items():
            physical = self._parts.names.topic(topic)
            count = await self._parts.partitions(physical) or 0
            tps = [(physical, partition) for partition in range(count)]
            for (_, number), begin in (await self._parts.log.begin_offsets(tps)).items():
                await view.run(_prune, number, begin)
            await view.run(_forget, now_ms - KEPT_MS)

    async def _all(self) -> dict[str, View]:
        """Those of all topics that flushes ever went to, by public name."""
        names = self._parts.documents.outputs()
        for name in sorted({AUDIT, *names} - self._views.keys()):
            physical = self._parts.names.topic(name)
            if await self._parts.partitions(physical) is None:
                continue
            path = self._parts.settings.data_dir / "views" / f"flushes-{name}.sqlite"
            take = partial(apply, self._sums_of)
            self._views[name] = View(self._parts.log, physical, path, SCHEMA, take)
        return self._views

    def _sums_of(self, aggregator: str, version: int) -> Mapping[str, str]:
        unread = self._parts.documents.unread.get((aggregator, version))
        if unread is not None:
            return unread.names
        rule = self._parts.documents.rules.get((aggregator, version))
        slots = () if rule is None else rule.slots
        return {
            slot.operation.name: slot.operation.field
            for slot in reversed(slots)
            if slot.operation.operation == "sum"
        }


def apply(
    sums_of: SumsOf, connection: sqlite3.Connection, partition: int, items: Sequence[Item]
) -> None:
    """Takes records of an output topic; one that is sent again only moves."""
    added: dict[tuple[str, str, str, str], Figure] = {}
    spans: dict[str, tuple[int, int]] = {}
    days: dict[int, str] = {}
    for offset, timestamp, _, value, _ in items:
        record = _record(value)
        if record is None:
            continue
        if "event" in record:
            _keep(connection, record, timestamp)
            continue
        place = (partition, offset, record["id"])
        moved = "UPDATE flushes SET on_partition = ?, on_offset = ? WHERE id = ?"
        if connection.execute(moved, place).rowcount:
            continue
        connection.execute(
            "INSERT INTO flushes (on_partition, on_offset, id) VALUES (?, ?, ?)", place
        )
        fields = sums_of(record["aggregator"], record["version"])
        values = {summed: record["values"].get(name) for name, summed in fields.items()}
        sums = {summed: value for summed, value in values.items() if value is not None}
        kind = DELETED if record.get("action") == "delete" else record["meta"]["flushType"]
        day = days.get(timestamp // DAY_MS)
        if day is None:
            day = days[timestamp // DAY_MS] = print_instant(timestamp)[:10]
        labels = [("day", day)]
        if record["periods"]:
            label = _encode(record["periods"]).decode()
            labels.append(("period", label))
            if label not in spans:
                spans[label] = _span(record["periods"].values())
        for span, label in labels:
            at = (record["aggregator"], span, label, kind)
            added.setdefault(at, Figure()).add(1, record["meta"]["count"], sums)
    for (name, span, label, kind), figure in added.items():
        start, end = spans.get(label) or (_day(label), 0)
        _add(connection, (name, span, label, kind), figure, (start, end))


def _record(value: bytes | None) -> dict[str, Any] | None:
    """A flush or an event; None for what somebody else wrote there."""
    try:
        record: Any = exact_json(value or b"")
    except msgspec.DecodeError:
        return None
    if isinstance(record, dict) and "specversion" in record:
        record = record.get("data")
    if not isinstance(record, dict) or not isinstance(record.get("id"), str):
        return None
    known = "event" in record or ("aggregator" in record and "meta" in record)
    return record if known else None


def _span(periods: Iterable[Mapping[str, str]]) -> tuple[int, int]:
    found = [(parse_instant(p["start"]) or 0, parse_instant(p["end"]) or 0) for p in periods]
    return max(start for start, _ in found), max(end for _, end in found)


def _day(label: str) -> int:
    return parse_instant(f"{label}T00:00:00Z") or 0


def _keep(connection: sqlite3.Connection, record: Mapping[str, Any], at: int) -> None:
    connection.execute(
        "INSERT OR IGNORE INTO events VALUES (?, ?, ?, ?, ?)",
        (record["id"], record["event"], record.get("subject", ""), at, to_json(record)),
    )


def _add(
    connection: sqlite3.Connection, at: tuple[str, ...], figure: Figure, span: tuple[int, int]
) -> None:
    where = "aggregator = ? AND span = ? AND label = ? AND type = ?"
    row = connection.execute(
        f"SELECT flushes, records, sums FROM figures WHERE {where}", at
    ).fetchone()
    if row is not None:
        figure.add(row[0], row[1], exact_json(row[2]))
    sums = to_json(figure.sums)
    connection.execute(
        "REPLACE INTO figures VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 1)",
        (*at, figure.flushes, figure.records, sums, *span),
    )


def _figures(connection: sqlite3.Connection, span: str, label: str) -> list[Any]:
    rows = connection.execute(
        "SELECT aggregator, type, flushes, records, sums FROM figures WHERE span = ? AND label = ?",
        (span, label),
    )
    return [(*row[:4], exact_json(row[4])) for row in rows]


def _news(connection: sqlite3.Connection, now_ms: int) -> list[Any]:
    return connection.execute(
        "SELECT DISTINCT aggregator, label, start, end FROM figures"
        " WHERE news = 1 AND span = 'period' AND end <= ? ORDER BY end",
        (now_ms,),
    ).fetchall()


def _settle(connection: sqlite3.Connection, period: Period, flushes: Mapping[str, int]) -> None:
    for kind, number in flushes.items():
        connection.execute(
            "UPDATE figures SET news = 0 WHERE aggregator = ? AND span = 'period' AND label = ?"
            " AND type = ? AND flushes <= ?",
            (period.aggregator, period.label, kind, number),
        )


def _find(connection: sqlite3.Connection, flush_id: str) -> Any:
    return connection.execute(
        "SELECT on_partition, on_offset FROM flushes WHERE id = ?", (flush_id,)
    ).fetchone()


def _events(connection: sqlite3.Connection, event: str, subject: str | None) -> list[Any]:
    return connection.execute(
        "SELECT body FROM events WHERE event = ? AND (? IS NULL OR subject = ?) ORDER BY at, rowid",
        (event, subject, subject),
    ).fetchall()


def _event(connection: sqlite3.Connection, event_id: str) -> Any:
    return connection.execute("SELECT body FROM events WHERE id = ?", (event_id,)).fetchone()


def _prune(connection: sqlite3.Connection, partition: int, begin: int) -> None:
    connection.execute(
        "DELETE FROM flushes WHERE on_partition = ? AND on_offset < ?", (partition, begin)
    )


def _forget(connection: sqlite3.Connection, before_ms: int) -> None:
    connection.execute("DELETE FROM figures WHERE start < ? AND news = 0", (before_ms,))
    connection.execute("DELETE FROM figures WHERE start < ? AND span = 'day'", (before_ms,))
    connection.execute("DELETE FROM events WHERE at < ?", (before_ms,))
