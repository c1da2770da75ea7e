"""Figures kept beside the events: how many of what when, and which campaigns had any.

Each call adds events or takes them back; a row that comes to nothing is deleted.
"""

from domain.campaigns.book import Book
from domain.insight.events import DAY_MS, Event
from domain.insight.kept import decode_any, encode
from domain.insight.keys import HOUR_MS, MINUTE_MS, number


def count(book: Book, event: Event, by: int) -> None:
    """A usage event, counted by hour and by minute."""
    name = event.placeholder.encode("utf-8", "surrogatepass")
    for grain, length_ms in ((b"h", HOUR_MS), (b"m", MINUTE_MS)):
        bucket = number(event.at_ms // length_ms, 4)
        _add(book, b"n" + event.what[:1].encode() + grain + bucket + name, by)


def _add(book: Book, key: bytes, by: int) -> None:
    raw = book.get(key)
    found = by + (0 if raw is None else decode_any(raw))
    if found > 0:
        book.put(key, encode(found))
    else:
        book.delete(key)


def note_campaign(book: Book, event: Event, by: int) -> None:
    """An event of a campaign, by day, and by hour with the first and the last of the hour (which
    stay as they are while events are taken back)."""
    if not event.campaign:
        return
    name = event.campaign.encode("utf-8", "surrogatepass")
    _add(book, b"gd" + number(event.at_ms // DAY_MS, 2) + name, by)
    key = b"gh" + number(event.at_ms // HOUR_MS, 4) + name
    raw = book.get(key)
    found, first, last = [0, event.at_ms, event.at_ms] if raw is None else decode_any(raw)
    if found + by <= 0:
        book.delete(key)
        return
    if by > 0:
        first, last = min(first, event.at_ms), max(last, event.at_ms)
    book.put(key, encode([found + by, first, last]))
