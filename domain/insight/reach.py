"""Who was reached: distinct customers of a period, exact and as fast for many as for few.

A customer's row knows on which days it was reached. For each of those days one figure is raised:
that of (day, day before it on which the same customer was reached). The customers of days `first`
to `last` are those whose figure has its day in between and the day before it earlier than `first`:
each is counted once, on its first day of the period. What a period has beside whole days is looked
through event by event.
"""

from collections.abc import Iterator

from domain.campaigns.book import Book
from domain.insight.events import DAY_MS, LAST_MS
from domain.insight.kept import decode_any, encode
from domain.insight.keys import HASH, Position, number, position_part, value_of

PIECE = 500  # rows between two breaths of who reads
EDGE_CUSTOMERS = 1_000_000  # of a shard, told apart beside whole days: 100 MB while it lasts


def reach(book: Book, at_ms: int, customer: bytes, where: Position | None) -> None:
    """The customer was reached at that instant. `where` None: by something that may be told more
    than once, which is known by its instant: its row has how often it was told."""
    key = b"t" + number(at_ms, 8) + customer + (b"" if where is None else position_part(where))
    raw = book.get(key)
    told = 0 if raw is None else decode_any(raw)
    if told and where is not None:
        return
    book.put(key, encode(told + 1))
    if not told:
        _note_day(book, customer, at_ms // DAY_MS + 1, 1)


def forget(book: Book, at_ms: int, customer: bytes, where: Position | None) -> None:
    """Takes back what `reach` did."""
    key = b"t" + number(at_ms, 8) + customer + (b"" if where is None else position_part(where))
    raw = book.get(key)
    told = 0 if raw is None else decode_any(raw)
    if told > 1:
        book.put(key, encode(told - 1))
    elif told:
        book.delete(key)
        _note_day(book, customer, at_ms // DAY_MS + 1, -1)


def _note_day(book: Book, customer: bytes, day: int, by: int) -> None:
    """One event more or less on that day (counted from 1)."""
    key = b"c" + customer
    raw = book.get(key)
    days: list[list[int]] = [] if raw is None else decode_any(raw)
    at = next((n for n, (known, _) in enumerate(days) if known >= day), len(days))
    there = at < len(days) and days[at][0] == day
    if there:
        days[at][1] += by
    else:
        days.insert(at, [day, by])
    before = days[at - 1][0] if at else 0
    after = days[at + 1][0] if at + 1 < len(days) else 0
    gone = days[at][1] <= 0
    if gone:
        del days[at]
    if gone or not there:
        change = -1 if gone else 1
        _raise(book, day, before, change)
        if after:
            _raise(book, after, before, -change)
            _raise(book, after, day, change)
    if days:
        book.put(key, encode(days))
    else:
        book.delete(key)


def _raise(book: Book, day: int, before: int, by: int) -> None:
    key = b"x" + number(day, 2) + number(before, 2)
    raw = book.get(key)
    found = by + (0 if raw is None else decode_any(raw))
    if found:
        book.put(key, encode(found))
    else:
        book.delete(key)


class Reached:
    """Counts the customers of [from_ms, to_ms) while `steps` is gone through: between its steps
    others may have their turn. Then `count` is their number; `exact` False: part of it is an
    estimate, since there were more than EDGE_CUSTOMERS beside whole days."""

    def __init__(self, book: Book, from_ms: int, to_ms: int) -> None:
        self._book = book
        # no event is before or after
        self._from_ms, self._to_ms = (min(max(0, ms), LAST_MS) for ms in (from_ms, to_ms))
        self.count = 0
        self.exact = True

    def steps(self) -> Iterator[None]:
        """The work, piece by piece."""
        from_ms, to_ms = self._from_ms, self._upto()
        if from_ms >= to_ms:
            return
        first, end = -(-from_ms // DAY_MS) + 1, to_ms // DAY_MS + 1
        if first >= end:
            edges = [(from_ms, to_ms)]
            end = first
        else:
            edges = [(from_ms, (first - 1) * DAY_MS), ((end - 1) * DAY_MS, to_ms)]
            yield from self._whole(first, end)
        yield from self._beside(edges, first, end)

    def _upto(self) -> int:
        """The end of the period; that of its day when nothing comes after it."""
        whole_ms = -(-self._to_ms // DAY_MS) * DAY_MS
        later = self._book.scan(b"t", b"t" + number(self._to_ms, 8), 1)
        return whole_ms if not later else self._to_ms

    def _whole(self, first: int, end: int) -> Iterator[None]:
        after, stop = b"x" + number(first, 2), b"x" + number(min(end, 65_535), 2)
        while rows := self._book.scan(b"x", after, PIECE):
            for key, raw in rows:
                if key >= stop:
                    return
                if value_of(key[3:5]) < first:
                    self.count += decode_any(raw)
            after = rows[-1][0]
            yield

    def _beside(self, edges: list[tuple[int, int]], first: int, end: int) -> Iterator[None]:
        seen: set[bytes] = set()
        found, passed_ms = 0, 0
        for edge_ms, stop_ms in edges:
            after, stop = b"t" + number(edge_ms, 8), b"t" + number(stop_ms, 8)
            while after < stop and (rows := self._book.scan(b"t", after, PIECE)):
                for key, _ in rows:
                    if key >= stop:
                        break
                    customer = key[9 : 9 + HASH]
                    if customer not in seen:
                        seen.add(customer)
                        found += not self._on_whole_days(customer, first, end)
                after = rows[-1][0]
                if len(seen) > EDGE_CUSTOMERS:
                    passed_ms += value_of(after[1:9]) - edge_ms + 1
                    whole_ms = sum(last - begin for begin, last in edges)
                    self.exact = False
                    self.count += found * whole_ms // max(1, min(passed_ms, whole_ms))
                    return
                yield
            passed_ms += stop_ms - edge_ms
        self.count += found

    def _on_whole_days(self, customer: bytes, first: int, end: int) -> bool:
        raw = self._book.get(b"c" + customer)
        return raw is not None and any(first <= day < end for day, _ in decode_any(raw))
