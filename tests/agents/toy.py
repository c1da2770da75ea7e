"""Campaign rules small enough to see through, with the signatures of the real ones.

`make` makes FDDs in pages, each of which is ordered at once; a result counts; what was made for a
slot and is not ordered when it ends fails. Orders wait while `limit` of them are open.
"""

import json
from collections.abc import Mapping
from typing import Any

from domain.errors import Reject
from tables.ledger_book import LedgerBook

PAGE = 3
FLOWS = ("f", "g", "h")


class Toy:
    """The machine. `limit`: orders open at a time in a flow."""

    def __init__(self, limit: int = 2) -> None:
        self.limit = limit

    def apply(
        self, book: LedgerBook, event: Mapping[str, Any], now_ms: int, _flows: object
    ) -> None:
        """Applies `make`, `retrigger` or a result."""
        if event["kind"] == "result":
            self._result(book, event, now_ms)
        elif event["command"] == "make":
            self._make(book, event, now_ms)
        elif event["command"] == "retrigger":
            _add(book, event["request_id"], "retriggers", 1)
        else:
            book.put(b"half/done", b"!")
            raise Reject("unknown_request", f"command {event['command']}")

    def _make(self, book: LedgerBook, event: Mapping[str, Any], now_ms: int) -> None:
        request = event["request_id"]
        _add(book, request, "made", 0)
        book.put(f"j/{request}".encode(), json.dumps([0, event["body"]["count"]]).encode())
        book.wake(0, f"j/{request}".encode())
        book.wake(event["body"]["end_ms"], f"s/{request}".encode())
        book.store("campaigns", request, {"count": event["body"]["count"]})

    def _result(self, book: LedgerBook, event: Mapping[str, Any], now_ms: int) -> None:
        fdd = event["execution_id"].removesuffix(".1")
        key = f"f/{fdd}".encode()
        if book.get(key) is None:
            raise Reject("unknown_execution", fdd)
        if book.get(key) == b"LEASED":
            request = fdd.partition(".")[0]
            book.put(key, b"COMPLETED")
            _add(book, request, "completed", 1)
            _add(book, request.rpartition("-")[0], "open", -1)
            book.store("fdds", fdd, {"state": "COMPLETED"})
            book.wake(now_ms, f"g/{request.rpartition('-')[0]}".encode())

    def due(self, book: LedgerBook, key: bytes, now_ms: int, _flows: object) -> None:
        """A page of making, of ordering, or of what the slot's end does."""
        kind, _, name = key.decode().partition("/")
        if kind == "j":
            self._make_page(book, key, name, now_ms)
        elif kind == "g":
            self._order(book, key, name, now_ms)
        elif kind == "s":
            self._end(book, key, name, now_ms)

    def _make_page(self, book: LedgerBook, key: bytes, request: str, now_ms: int) -> None:
        first, count = json.loads(book.get(key) or b"[0,0]")
        for number in range(first, min(first + PAGE, count)):
            fdd = f"{request}.{number:04d}"
            if book.get(f"f/{fdd}".encode()) is None:
                book.put(f"f/{fdd}".encode(), b"QUEUED")
                book.put(f"q/{request.rpartition('-')[0]}/{fdd}".encode(), b"")
                book.store("fdds", fdd, {"state": "QUEUED"})
                _add(book, request, "made", 1)
        if first + PAGE < count:
            book.put(key, json.dumps([first + PAGE, count]).encode())
            book.wake(0, key)
        else:
            book.delete(key)
        book.wake(now_ms, f"g/{request.rpartition('-')[0]}".encode())

    def _order(self, book: LedgerBook, key: bytes, flow: str, now_ms: int) -> None:
        free = self.limit - _count(book, flow, "open")
        for at, _ in book.scan(f"q/{flow}/".encode(), limit=max(0, min(free, PAGE))):
            fdd = at.decode().rpartition("/")[2]
            book.delete(at)
            book.put(f"f/{fdd}".encode(), b"LEASED")
            _add(book, flow, "open", 1)
            _add(book, fdd.partition(".")[0], "ordered", 1)
            order = {"event": "execute", "execution_id": f"{fdd}.1", "ordered_at": now_ms}
            book.send("executions", f"{fdd.partition('.')[0]}/n".encode(), order)
            book.store("fdds", fdd, {"state": "LEASED"})
            book.wake(now_ms, key)

    def _end(self, book: LedgerBook, key: bytes, request: str, now_ms: int) -> None:
        flow = request.rpartition("-")[0]
        found = book.scan(f"q/{flow}/{request}.".encode(), limit=PAGE)
        for at, _ in found:
            fdd = at.decode().rpartition("/")[2]
            book.delete(at)
            book.put(f"f/{fdd}".encode(), b"FAILED")
            _add(book, request, "failed", 1)
            book.send("slot-failures", f"{request}/n".encode(), {"fdd_id": fdd})
            book.store("fdds", fdd, {"state": "FAILED"})
        if found or book.get(f"j/{request}".encode()) is not None:
            book.wake(now_ms, key)


def _count(book: LedgerBook, name: str, what: str) -> int:
    return int(book.get(f"z/{name}/{what}".encode()) or b"0")


def _add(book: LedgerBook, name: str, what: str, number: int) -> None:
    total = _count(book, name, what) + number
    book.put(f"z/{name}/{what}".encode(), str(total).encode())
