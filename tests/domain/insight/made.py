"""Events of tests, and what is true of them, counted the long way."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from domain.aggregation.instants import print_instant
from domain.campaigns.book import Book
from domain.insight import taking
from domain.insight.events import REACHING

DAY_MS = 86_400_000
START_MS = 1_762_128_000_000  # 2025-11-03


@dataclass(frozen=True)
class Made:
    """One event and where it stands."""

    raw: dict[str, Any]
    at_ms: int
    offset: int

    def put(self, book: Book, now_ms: int = START_MS) -> None:
        """Into the book."""
        body = json.dumps(self.raw).encode()
        taking.take(book, self.raw, body, (0, self.offset), self.at_ms, now_ms)


def funnel(offset: int, at_ms: int, **fields: Any) -> Made:
    """A funnel event; `fields` replace."""
    raw = {"kind": "funnel", "operation": "Enter", "campaign": "c", "customer": "p", "step": "s"}
    return Made({**raw, "at": print_instant(at_ms), **fields}, at_ms, offset)


def usage(offset: int, at_ms: int, what: str, **fields: Any) -> Made:
    """A usage event."""
    raw = {"kind": "usage", "what": what, "campaign": "c", "customer": "p"}
    return Made({**raw, "at": print_instant(at_ms), **fields}, at_ms, offset)


def between(events: Sequence[Made], from_ms: int, to_ms: int) -> list[Made]:
    """Those of the period."""
    return [one for one in events if from_ms <= one.at_ms < to_ms]


def reached(events: Sequence[Made], from_ms: int, to_ms: int) -> int:
    """Customers with something that reaches them in the period."""
    return len(
        {
            one.raw["customer"]
            for one in between(events, from_ms, to_ms)
            if one.raw.get("what") in REACHING and one.raw["customer"]
        }
    )
