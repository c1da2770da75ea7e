"""Records into buckets: what a batch of records changes in the rows of a shard.

Of the records with one key the one with the highest version counts. What it gave is kept beside
it, so a newer version takes exactly that out again. A batch is collected by series and quarter,
then each bucket that it touches is changed once, the small ones first: what a large one has lost
(its highest value was taken out) is looked up in the smaller ones. The rows are the same whatever
the batches, order and repetitions; only revisions count how often a bucket was changed.
"""

from __future__ import annotations

from functools import partial as bound
from typing import Any, Protocol

from domain.metrics import partials
from domain.metrics.grains import GRAINS, LOWER, QUARTER_MS, Grain, bounds, text_of
from domain.metrics.partials import Partial, exact, merged, number_of_text, replaced
from domain.metrics.records import Record
from domain.metrics.series import (
    QUARTER,
    UNTOLD,
    VALUE,
    Given,
    Rows,
    Series,
    between,
    bucket_key,
    cube_key,
    cube_prefix,
    decode_given,
    decode_series,
    encode,
    instant_bytes,
    instant_of,
    plain,
    quarter_key,
    quarter_of,
    record_digest,
    record_key,
    series_id,
    series_key,
    value_key,
)

ROLLUPS = "rollups"


class Book(Rows, Protocol):
    """One transaction on a shard's rows, and what goes out of it."""

    def put(self, key: bytes, value: bytes) -> None:
        """Writes a row; `get` and `scan` see it at once."""

    def delete(self, key: bytes) -> None:
        """Takes a row away."""

    def send(self, topic: str, key: bytes, value: dict[str, Any]) -> None:
        """A record for a public topic."""


class Rolling:
    """Changes of one commit. `take` records, then `close` once.

    `quiet` tells nobody of buckets that change: what was told last is kept in a row, until the
    bucket is told of again or `tell_changed` compares them.
    """

    def __init__(self, book: Book, *, quiet: bool = False) -> None:
        self._book = book
        self._quiet = quiet
        self._untold = not quiet and bool(book.scan(UNTOLD, b"", 1))
        # series -> quarter -> [values out, values in]: {(ts, version, record): value as text}
        self._moved: dict[bytes, dict[int, tuple[dict[Any, str], dict[Any, str]]]] = {}
        self._series: dict[bytes, Series] = {}
        self._rezoned: dict[bytes, str] = {}
        self.taken = 0

    def take(self, record: Record, *, again: bool = False) -> bool:
        """Takes one record; False when it, or a newer version of it, was taken before. `again`
        takes the very version once more, which may give other values by now."""
        digest = record_digest(record.source, record.key)
        key = record_key(record.source, digest)
        known = self._book.get(key)
        if known is not None:
            before = decode_given(known)
            if record.version < before.version or (record.version == before.version and not again):
                return False
            if record.version == before.version and self._gives(record, before):
                return False
            self._take_out(digest, before)
        given = Given(record.version, [])
        seen: set[bytes] = set()
        for value in record.values:
            series = series_id(value.metric, value.dimensions)
            if series in seen:
                continue  # a mapping that names one series twice: the first counts
            seen.add(series)
            self._meet(series, Series(value.metric, value.type, value.dimensions, record.timezone))
            text = str(exact(value.value))
            self._move(series, (record.ts, record.version, digest), text, out=False)
            given.values.append((series, value.metric, record.ts, text))
        self._book.put(key, encode(given))
        self.taken += 1
        return True

    def drop(self, source: str, digest: bytes) -> None:
        """Takes out a record and what it gave; one that isn't there is no error."""
        key = record_key(source, digest)
        known = self._book.get(key)
        if known is not None:
            self._take_out(digest, decode_given(known))
            self._book.delete(key)
            self.taken += 1

    def _take_out(self, digest: bytes, given: Given) -> None:
        for series, metric, ts, text in given.values:
            self._know(series, metric)
            self._move(series, (ts, given.version, digest), text, out=True)

    def _gives(self, record: Record, before: Given) -> bool:
        """Whether the record gives what it gave before, to series that are as they were."""
        found: dict[bytes, tuple[int, str]] = {}
        for value in record.values:
            series = series_id(value.metric, value.dimensions)
            wanted = Series(value.metric, value.type, value.dimensions, record.timezone)
            if self._know(series, value.metric) != wanted:
                return False
            found.setdefault(series, (record.ts, str(exact(value.value))))
        return found == {series: (ts, text) for series, _, ts, text in before.values}

    def _know(self, series: bytes, metric: str) -> Series | None:
        if series not in self._series:
            found = self._book.get(series_key(metric, series))
            if found is None:
                return None
            self._series[series] = decode_series(found)
        return self._series[series]

    def _meet(self, series: bytes, wanted: Series) -> None:
        known = self._know(series, wanted.metric)
        if known == wanted:
            return
        if known is not None and known.zone != wanted.zone:
            self._rezoned.setdefault(series, known.zone)
        self._series[series] = wanted
        self._book.put(series_key(wanted.metric, series), encode(wanted))

    def _move(self, series: bytes, at: tuple[int, int, bytes], text: str, *, out: bool) -> None:
        sides = self._moved.setdefault(series, {}).setdefault(quarter_of(at[0]), ({}, {}))
        row = value_key(series, *at)
        if not out:
            sides[1][at] = text
            self._book.put(row, text.encode())
            return
        self._book.delete(row)
        if sides[1].pop(at, None) is None:  # else it came in this very commit
            sides[0][at] = text

    def close(self) -> None:
        """Brings every bucket that was touched up to date, and sends its figures."""
        for series, quarters in self._moved.items():
            self._close(series, quarters)

    def _close(
        self, series: bytes, quarters: dict[int, tuple[dict[Any, str], dict[Any, str]]]
    ) -> None:
        book = self._book
        deltas: dict[int, tuple[Partial, Partial]] = {}
        for quarter, (out, new) in quarters.items():
            minus, plus = _partial(out), _partial(new)
            if not minus.count and not plus.count:
                continue
            deltas[quarter] = minus, plus
            key = quarter_key(series, quarter)
            again = bound(self._again, series, quarter)
            after = replaced(partials.from_bytes(book.get(key)), minus, plus, again)
            if after.count:
                book.put(key, partials.to_bytes(after))
            else:
                book.delete(key)
        told = self._series[series]
        if series in self._rezoned:
            self._clear(series, told, self._rezoned[series])
            deltas = {
                at: (Partial(), partials.from_bytes(value))
                for at, value in between(book, QUARTER + series, -(1 << 61), 1 << 61)
            }
        for grain in GRAINS:
            self._roll(series, told, grain, deltas)

    def _again(self, series: bytes, quarter: int) -> Partial:
        """The figures of a quarter from its values."""
        found = Partial()
        prefix = VALUE + series + instant_bytes(quarter)
        after = b""
        while rows := self._book.scan(prefix, after, 1000):
            for key, value in rows:
                place = key[len(prefix) :]
                ts, version = instant_of(place[:8]), instant_of(place[8:16])
                found.add(ts, version, number_of_text(value.decode()))
            after = rows[-1][0]
        return found

    def _roll(
        self,
        series: bytes,
        told: Series,
        grain: Grain,
        deltas: dict[int, tuple[Partial, Partial]],
    ) -> None:
        touched: dict[tuple[int, int], tuple[Partial, Partial]] = {}
        for quarter, (minus, plus) in deltas.items():
            sums = touched.setdefault(bounds(grain, told.zone, quarter), (Partial(), Partial()))
            sums[0].merge(minus)
            sums[1].merge(plus)
        for (start, end), (minus, plus) in touched.items():
            key = cube_key(series, grain, start)
            held = self._book.get(key)
            revision, before = (0, Partial()) if held is None else cube_of(held)
            again = bound(self._lower, series, grain, start, end)
            after = replaced(before, minus, plus, again)
            differs = held is None or not after.looks_as(before)
            tells = differs and not self._quiet
            if differs or after != before:
                self._book.put(key, cube_bytes(revision + tells, after))
            if tells:
                send_bucket(self._book, told, told.zone, grain, start, revision + 1, after)
                if self._untold:
                    self._book.delete(UNTOLD + key)
            elif differs and self._book.get(UNTOLD + key) is None:
                self._book.put(UNTOLD + key, encode([told.metric, held]))

    def _lower(self, series: bytes, grain: Grain, start: int, end: int) -> Partial:
        return merged(lower_of(self._book, series, grain, start, end))

    def _clear(self, series: bytes, told: Series, zone: str) -> None:
        """Buckets of a zone that the series had before are empty from now on."""
        for grain in GRAINS:
            prefix = cube_prefix(series, grain)
            for start, held in list(between(self._book, prefix, -(1 << 61), 1 << 61)):
                revision, before = cube_of(held)
                if before.count:
                    send_bucket(self._book, told, zone, grain, start, revision + 1, Partial())
                self._book.put(cube_key(series, grain, start), cube_bytes(revision + 1, Partial()))


def send_bucket(
    book: Book, told: Series, zone: str, grain: Grain, start: int, revision: int, after: Partial
) -> None:
    """Tells of a bucket on `rollups`."""
    begins = text_of(zone, start)
    place = {"metric": told.metric, "dimensions": told.dimensions, "grain": grain}
    record = {**place, "start": begins, "revision": revision, "timezone": zone}
    record |= {"type": told.type, **figures(told.type, after)}
    book.send(ROLLUPS, bucket_key(told, grain, begins), record)


def _partial(values: dict[Any, str]) -> Partial:
    found = Partial()
    for (ts, version, _), text in values.items():
        found.add(ts, version, number_of_text(text))
    return found


def lower_of(rows: Rows, series: bytes, grain: Grain, start: int, end: int) -> list[Partial]:
    """The partials of the next smaller buckets that make up this one."""
    lower = LOWER[grain]
    if lower is None:
        first = -(-start // QUARTER_MS) * QUARTER_MS
        found = between(rows, QUARTER + series, first, end)
        return [partials.from_bytes(value) for _, value in found]
    prefix = cube_prefix(series, lower)
    return [cube_of(value)[1] for _, value in between(rows, prefix, start, end)]


def cube_bytes(revision: int, partial: Partial) -> bytes:
    """A bucket at rest."""
    return encode([revision, partials.packed(partial)])


def cube_of(data: bytes) -> tuple[int, Partial]:
    """(revision, figures), the inverse."""
    revision, held = plain(data)
    return revision, partials.unpacked(held)


def figures(kind: str, partial: Partial) -> dict[str, Any]:
    """The figures of a bucket as they are shown; null without values."""
    if not partial.count or partial.last is None:
        names = ("sum", "min", "max", "last", "mean", "stddev")
        return {"value": None, "count": 0, **dict.fromkeys(names)}
    last = partials.shown(partial.last[2])
    total = partials.shown(partial.sum)
    return {
        "value": total if kind == "counter" else last,
        "count": partial.count,
        "sum": total,
        "min": partials.shown(partial.min),
        "max": partials.shown(partial.max),
        "last": last,
        "mean": partial.mean,
        "stddev": partial.stddev,
    }
