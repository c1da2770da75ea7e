"""What a shard of events does with one: keeps it, counts it, and forgets it when its time has come.

What is forgotten is taken back from every figure, so a shard is as large as what it keeps. It does
not matter how events are cut into commits.
"""

from collections.abc import Mapping
from typing import Any

from domain.campaigns.book import Book
from domain.insight import counts, reach
from domain.insight.events import DAY_MS, EXECUTION, FUNNEL, REACHING, event_of
from domain.insight.kept import Kept, Trace, decode_kept, decode_trace, encode, raw_of
from domain.insight.keys import (
    Position,
    hashed,
    newest_first,
    number,
    position_of,
    position_part,
    value_of,
)

FUNNEL_KEPT_MS = 7 * DAY_MS
USAGE_KEPT_MS = 92 * DAY_MS  # a quarter
_ALL, _CAMPAIGN, _LABEL, _CAMPAIGN_LABEL, _CUSTOMER = b"abcde"


def take(
    book: Book, raw: Mapping[str, Any], body: bytes, where: Position, timestamp: int, now_ms: int
) -> None:
    """Takes an event that stood at `where`; `timestamp` is that of its record, `now_ms` when it
    came to the shard. Raises Reject before it has changed anything."""
    event = event_of(raw, timestamp)
    at, kept = position_part(where), Kept(now_ms, event.at_ms, body)
    customer = hashed(event.customer) if event.customer else b""
    trace = Trace(event.kind, event.at_ms, event.campaign, customer, event.what, event.placeholder)
    if event.kind == FUNNEL:
        book.put(b"f" + at, encode(kept))
        for key in _index(event.at_ms, event.campaign, event.label, event.customer, at):
            book.put(key, encode([event.label, hashed(event.campaign)]))
        book.put(b"ef" + number(now_ms, 8) + at, b"")
    else:
        if event.what != EXECUTION:
            book.put(b"u" + at, encode(kept))
            book.put(_of_what(event.what, event.at_ms, at), b"")
            counts.count(book, event, 1)
        if customer and event.what in REACHING:
            reach.reach(book, event.at_ms, customer, _told_at(event.what, where))
    counts.note_campaign(book, event, 1)
    book.put(b"eu" + number(now_ms, 8) + at, encode(trace))


def forget(book: Book, now_ms: int, limit: int) -> int:
    """Forgets what is old enough, the oldest first, at most `limit` events of each kind; how many
    of one kind there were at most: `limit` when there may be more."""
    return max(_forget_funnel(book, now_ms, limit), _forget_usage(book, now_ms, limit))


def _old(book: Book, prefix: bytes, before_ms: int, limit: int) -> list[tuple[bytes, bytes]]:
    end = prefix + number(max(0, before_ms), 8)
    return [row for row in book.scan(prefix, b"", limit) if row[0] < end]


def _forget_funnel(book: Book, now_ms: int, limit: int) -> int:
    old = _old(book, b"ef", now_ms - FUNNEL_KEPT_MS, limit)
    for key, _ in old:
        at = key[10:]
        raw = book.get(b"f" + at)
        if raw is not None:
            kept = decode_kept(raw)
            event = event_of(raw_of(kept), kept.at_ms)
            for entry in _index(kept.at_ms, event.campaign, event.label, event.customer, at):
                book.delete(entry)
            book.delete(b"f" + at)
        book.delete(key)
    return len(old)


def _forget_usage(book: Book, now_ms: int, limit: int) -> int:
    old = _old(book, b"eu", now_ms - USAGE_KEPT_MS, limit)
    for key, raw in old:
        at, trace = key[10:], decode_trace(raw)
        event = trace.event()
        if trace.kind != FUNNEL:
            if trace.what != EXECUTION:
                book.delete(b"u" + at)
                book.delete(_of_what(trace.what, trace.at_ms, at))
                counts.count(book, event, -1)
            if trace.customer and trace.what in REACHING:
                where = _told_at(trace.what, position_of(at))
                reach.forget(book, trace.at_ms, trace.customer, where)
        counts.note_campaign(book, event, -1)
        book.delete(key)
    return len(old)


def next_forgotten_ms(book: Book) -> int | None:
    """When something is to be forgotten next."""
    found = [
        value_of(key[2:10]) + kept_ms
        for prefix, kept_ms in ((b"ef", FUNNEL_KEPT_MS), (b"eu", USAGE_KEPT_MS))
        for key, _ in book.scan(prefix, b"", 1)
    ]
    return min(found, default=None)


def _told_at(what: str, where: Position) -> Position | None:
    """An execution may be told of again after a kill, at another position."""
    return None if what == EXECUTION else where


def _of_what(what: str, at_ms: int, at: bytes) -> bytes:
    return b"v" + what[:1].encode() + newest_first(at_ms) + at


def _index(at_ms: int, campaign: str, label: str, customer: str, at: bytes) -> list[bytes]:
    """The keys by which a funnel event is found."""
    tail = newest_first(at_ms) + at
    return [
        head + tail
        for head in (
            index_of("", "", ""),
            index_of(campaign, "", ""),
            index_of("", label, ""),
            index_of(campaign, label, ""),
            index_of("", "", customer),
        )
    ]


def index_of(campaign: str, label: str, customer: str) -> bytes:
    """The beginning of the index for these filters ("": any). A customer's events are few: theirs
    are looked through for the other two."""
    texts = [text for text in ((customer,) if customer else (campaign, label)) if text]
    if customer:
        kind = _CUSTOMER
    elif campaign:
        kind = _CAMPAIGN_LABEL if label else _CAMPAIGN
    else:
        kind = _LABEL if label else _ALL
    return b"i" + bytes([kind]) + (hashed(*texts) if texts else b"")
