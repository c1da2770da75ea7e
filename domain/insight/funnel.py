"""Funnel events as they are asked for: a page by filters, the newest first, and one of them."""

from typing import Any, NamedTuple

from domain.campaigns.book import Book
from domain.insight.events import event_of, shown
from domain.insight.kept import decode_any, decode_kept, raw_of
from domain.insight.keys import Position, hashed, instant_of, newest_first, position_part
from domain.insight.taking import index_of

EXAMINED = 2_000  # entries of a customer's index looked through for a page


class Found(NamedTuple):
    """`place` orders events of all shards, the newest first."""

    place: bytes
    at_ms: int
    partition: int
    offset: int
    item: dict[str, Any]


class Asked(NamedTuple):
    """ "" stands for any. `since_ms`: not before that. `after`: the place of the last one had."""

    campaign: str = ""
    label: str = ""
    customer: str = ""
    since_ms: int = 0
    after: bytes = b""
    limit: int = 100


def page(book: Book, asked: Asked) -> tuple[list[Found], bytes | None]:
    """Events behind `after`, and up to which place was looked (None: to the end)."""
    head = index_of(asked.campaign, asked.label, asked.customer)
    end = head + newest_first(asked.since_ms) + b"\xff" * 16
    after = head + asked.after
    found: list[Found] = []
    examined = 0
    campaign = hashed(asked.campaign) if asked.campaign else b""
    while rows := book.scan(head, after, min(asked.limit + 1, 500)):
        for key, raw in rows:
            if key > end:
                return found, None
            place = key[len(head) :]
            if len(found) == asked.limit or examined == EXAMINED:
                return found, after[len(head) :]
            after, examined = key, examined + 1
            if asked.customer and not _fits(raw, asked.label, campaign):
                continue
            one = _one(book, place)
            if one is not None:
                found.append(one)
    return found, None


def _fits(raw: bytes, label: str, campaign: bytes) -> bool:
    has_label, has_campaign = decode_any(raw)
    return label in ("", has_label) and campaign in (b"", has_campaign)


def _one(book: Book, place: bytes) -> Found | None:
    partition = int.from_bytes(place[8:10], "big")
    offset = int.from_bytes(place[10:], "big")
    raw = book.get(b"f" + place[8:])
    if raw is None:
        return None
    kept = decode_kept(raw)
    event = raw_of(kept)
    item = shown(event, event_of(event, kept.at_ms))
    return Found(place, instant_of(place[:8]), partition, offset, item)


def whole(book: Book, where: Position) -> tuple[int, bytes] | None:
    """(when it was received, the message as it came); None when it is not kept (any more)."""
    raw = book.get(b"f" + position_part(where))
    if raw is None:
        return None
    kept = decode_kept(raw)
    return kept.received_ms, kept.body
