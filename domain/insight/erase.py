"""Customers are taken out of the events that are kept of them; every figure stays as it is.

What is left of an event is what it was about: which campaign and step, when, with what outcome. A
page of events is one transaction, and a page done again finds nothing, so a kill anywhere leaves
what is left to a repeat. The figures know a customer by a hash, which goes with the events'
time: it is what an event that is told again after a kill is recognised by.
"""

from collections.abc import Collection
from typing import NamedTuple

import msgspec

from domain.campaigns.book import Book
from domain.insight.events import EXECUTION, FUNNEL
from domain.insight.kept import Kept, decode_kept, decode_trace, encode, raw_of
from domain.insight.keys import hashed, newest_first
from domain.insight.taking import index_of

PAGE = 5_000  # events looked at in one transaction: some hundredths of a second
STAYS = frozenset(
    {"kind", "operation", "label", "what", "campaign", "step", "placeholder", "channel", "ok", "at"}
)
"""Members of an event that say nothing of who it was."""
_to_json = msgspec.json.Encoder().encode


class Whom(NamedTuple):
    """Customers by any of these names, and whoever had to do with these campaigns."""

    customers: Collection[str] = ()
    campaigns: Collection[str] = ()


class Erased(NamedTuple):
    """How many events named somebody; up to where they were looked at (None: to the end)."""

    events: int
    reached: bytes | None


def erase(book: Book, whom: Whom, after: bytes, dry_run: bool, limit: int = PAGE) -> Erased:
    """The next events behind `after` (b"": from the first)."""
    customers = {hashed(name) for name in whom.customers}
    rows = book.scan(b"eu", after, limit)
    events = 0
    for key, raw in rows:
        trace = decode_trace(raw)
        if trace.what == EXECUTION:
            continue  # its number is in no row
        whole = trace.campaign in whom.campaigns
        if whole or trace.customer in customers:
            row = (b"f" if trace.kind == FUNNEL else b"u") + key[10:]
            events += _erase_one(book, row, None if whole else whom.customers, dry_run)
    return Erased(events, rows[-1][0] if len(rows) == limit else None)


def _erase_one(book: Book, row: bytes, only: Collection[str] | None, dry_run: bool) -> int:
    """One event, of these customers only (None: of whoever it is); how many named somebody."""
    raw = book.get(row)
    if raw is None:
        return 0
    kept = decode_kept(raw)
    event = raw_of(kept)
    customer = event.get("customer") or ""
    left = {name: value for name, value in event.items() if name in STAYS}
    if (only is not None and customer not in only) or left == event:
        return 0
    if not dry_run:
        body = _to_json(left)
        book.put(row, encode(Kept(kept.received_ms, kept.at_ms, body)))
        if row[:1] == b"f" and customer:
            book.delete(index_of("", "", customer) + newest_first(kept.at_ms) + row[1:])
    return 1
