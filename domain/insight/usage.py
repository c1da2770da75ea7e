"""Usage as it is asked for: points of charts, the events behind, active campaigns.

Periods are [from_ms, to_ms). Whole hours and minutes are counted from their figures, what is beside
them event by event.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from domain.campaigns.book import Book
from domain.insight.events import DAY_MS, LAST_MS, WHATS
from domain.insight.kept import decode_any, decode_kept, raw_of
from domain.insight.keys import (
    HOUR_MS,
    MINUTE_MS,
    instant_of,
    newest_first,
    number,
    position_of,
    value_of,
)
from domain.insight.taking import index_of

PIECE = 500
Tally = dict[tuple[int, str], int]
"""(begin of an hour, placeholder) -> how many"""


def tally(book: Book, what: str, from_ms: int, to_ms: int) -> Tally:
    """How many of `what` there were, by hour and placeholder."""
    found: Tally = {}
    from_ms, to_ms = max(0, from_ms), min(to_ms, LAST_MS)
    if from_ms >= to_ms:
        return found
    for part_ms, end_ms, grain_ms in _parts(from_ms, _upto(book, what, to_ms)):
        if grain_ms:
            grain = b"h" if grain_ms == HOUR_MS else b"m"
            for bucket_ms, name, count in _buckets(book, what, grain, grain_ms, part_ms, end_ms):
                _add(found, bucket_ms, name, count)
        else:
            for at_ms, _, at in _events(book, what, part_ms, end_ms):
                raw = book.get(b"u" + at)
                event = {} if raw is None else raw_of(decode_kept(raw))
                _add(found, at_ms, event.get("placeholder") or "", 1)
    return found


def _upto(book: Book, what: str, to_ms: int) -> int:
    """The end of the period; that of its hour when nothing comes after it, as mostly now: then the
    last minute's events need not be looked at one by one."""
    head = b"v" + what[:1].encode()
    newest = book.scan(head, b"", 1)
    later = newest and instant_of(newest[0][0][2:10]) >= to_ms
    return to_ms if later else min(_up(to_ms, HOUR_MS), LAST_MS)


def _add(found: Tally, at_ms: int, name: str, count: int) -> None:
    at = at_ms // HOUR_MS * HOUR_MS, name
    found[at] = found.get(at, 0) + count


def _parts(from_ms: int, to_ms: int) -> list[tuple[int, int, int]]:
    """(from, to, grain) of the parts of a period: whole hours, whole minutes, the rest (0)."""
    ends = [
        (min(_up(from_ms, MINUTE_MS), to_ms), 0),
        (min(_up(from_ms, HOUR_MS), _down(to_ms, MINUTE_MS)), MINUTE_MS),
        (_down(to_ms, HOUR_MS), HOUR_MS),
        (_down(to_ms, MINUTE_MS), MINUTE_MS),
        (to_ms, 0),
    ]
    found, at = [], from_ms
    for end_ms, grain_ms in ends:
        if end_ms > at:
            found.append((at, end_ms, grain_ms))
            at = end_ms
    return found


def _up(at_ms: int, grain_ms: int) -> int:
    return -(-at_ms // grain_ms) * grain_ms


def _down(at_ms: int, grain_ms: int) -> int:
    return at_ms // grain_ms * grain_ms


def _buckets(
    book: Book, what: str, grain: bytes, grain_ms: int, from_ms: int, to_ms: int
) -> Iterator[tuple[int, str, int]]:
    head = b"n" + what[:1].encode() + grain
    after, end = head + number(from_ms // grain_ms, 4), head + number(to_ms // grain_ms, 4)
    first = book.get(after)  # without a placeholder: `scan` begins behind it
    if first is not None:
        yield from_ms, "", decode_any(first)
    while rows := book.scan(head, after, PIECE):
        for key, raw in rows:
            if key >= end:
                return
            bucket_ms = value_of(key[3:7]) * grain_ms
            yield bucket_ms, key[7:].decode("utf-8", "surrogatepass"), decode_any(raw)
        after = rows[-1][0]


def _events(
    book: Book, what: str, from_ms: int, to_ms: int, after: bytes = b""
) -> Iterator[tuple[int, bytes, bytes]]:
    """(when, place, position) of events, the newest first, behind the place `after`."""
    head = b"v" + what[:1].encode()
    at = head + max(after, newest_first(to_ms - 1))
    end = head + newest_first(from_ms) + b"\xff" * 16
    while rows := book.scan(head, at, PIECE):
        for key, _ in rows:
            if key > end:
                return
            yield instant_of(key[2:10]), key[2:], key[10:]
        at = rows[-1][0]


class Record(NamedTuple):
    """An event behind a chart. `place` orders those of all shards, the newest first."""

    place: bytes
    at_ms: int
    partition: int
    offset: int
    event: dict[str, Any]


def records(
    book: Book, what: str, from_ms: int, to_ms: int, after: bytes, limit: int
) -> tuple[list[Record], bytes | None]:
    """The newest of the period behind `after`; and up to which place was looked (None: all)."""
    found: list[Record] = []
    if from_ms >= to_ms or to_ms <= 0:
        return found, None
    for at_ms, place, at in _events(book, what, max(0, from_ms), min(to_ms, LAST_MS), after):
        if len(found) == limit:
            return found, found[-1].place
        raw = book.get(b"u" + at)
        if raw is not None:
            event = raw_of(decode_kept(raw))
            found.append(Record(place, at_ms, *position_of(at), event))
    return found, None


def campaigns(book: Book, from_ms: int, to_ms: int) -> set[str]:
    """The campaigns that had an event."""
    from_ms, to_ms = max(0, from_ms), min(to_ms, LAST_MS)
    found: set[str] = set()
    if from_ms >= to_ms:
        return found
    first, end = -(-from_ms // DAY_MS), to_ms // DAY_MS
    if first >= end:
        return _by_hours(book, from_ms, to_ms)
    for day, name, _ in _named(book, b"gd", 2, first):
        if day >= end:
            break
        found.add(name)
    found |= _by_hours(book, from_ms, first * DAY_MS)
    return found | _by_hours(book, end * DAY_MS, to_ms)


def _by_hours(book: Book, from_ms: int, to_ms: int) -> set[str]:
    found: set[str] = set()
    if from_ms >= to_ms:
        return found
    for hour, name, raw in _named(book, b"gh", 4, from_ms // HOUR_MS):
        if hour * HOUR_MS >= to_ms:
            break
        _, first, last = decode_any(raw)
        touches = from_ms <= first < to_ms or from_ms <= last < to_ms
        around = first < from_ms and last >= to_ms
        if touches or (around and _between(book, name, from_ms, to_ms)):
            found.add(name)
    return found


def _between(book: Book, campaign: str, from_ms: int, to_ms: int) -> bool:
    """Whether a campaign had an event in a part of an hour."""
    head = index_of(campaign, "", "")
    rows = book.scan(head, head + newest_first(to_ms - 1), 1)
    if rows and instant_of(rows[0][0][len(head) : len(head) + 8]) >= from_ms:
        return True
    for what in WHATS:
        for _, _, at in _events(book, what, from_ms, to_ms):
            raw = book.get(b"u" + at)
            if raw is not None and raw_of(decode_kept(raw)).get("campaign") == campaign:
                return True
    return False


def _named(book: Book, head: bytes, size: int, first: int) -> Iterator[tuple[int, str, bytes]]:
    after = head + number(first, size)
    while rows := book.scan(head, after, PIECE):
        for key, raw in rows:
            bucket = value_of(key[len(head) : len(head) + size])
            yield bucket, key[len(head) + size :].decode("utf-8", "surrogatepass"), raw
        after = rows[-1][0]
