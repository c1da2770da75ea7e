"""The rules of campaigns, from outside: each call is one transaction on a Book.

What raises `EventRefused` has changed nothing that may be kept: drop the transaction and make a
dead letter of the event, with `reason`. Everything else that is refused (a retrigger too early) is
an answer: a row `k/<command id>` and a record on `campaign-audit`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from domain.campaigns.book import Book
from domain.campaigns.document import Flows
from domain.errors import SluiceError


class EventRefused(SluiceError):
    """An event that can't be applied. reason: the dead letter's, e.g. `unknown_execution`."""

    def __init__(self, reason: str, detail: str) -> None:
        self.reason = reason
        super().__init__(detail)


def apply(book: Book, event: Mapping[str, Any], now_ms: int, flows: Flows) -> None:
    """Applies one event: `kind: command` or `kind: result`. Raises EventRefused."""


def due(book: Book, key: bytes, now_ms: int, flows: Flows) -> None:
    """What a wake of that key asks for; a key that no longer matters does nothing."""


def dispatch(book: Book, flow: str, now_ms: int, flows: Flows, limit: int = 1000) -> int:
    """Orders what may be ordered, at most `limit` FDDs of the flow; how many it took up.

    The rules wake `g/<flow>` whenever there is something to dispatch, and `due` of that key calls
    this: an engine that calls `apply` and `due` need not call it.
    """
    return 0
