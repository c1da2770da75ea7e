"""A campaign shard in memory with a clock of its own: rules are driven as an engine drives them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from domain.aggregation.instants import print_instant
from domain.aggregation.zones import first_instant_at
from domain.campaigns import machine
from domain.campaigns.book import MemoryBook
from domain.campaigns.check import slots_of, total
from domain.campaigns.document import (
    CampaignAlert,
    ContactPolicy,
    Flow,
    FlowsOf,
    Reattempts,
    WorkingTime,
    flow_json,
)
from domain.campaigns.fdds import is_queued
from domain.campaigns.keys import ref_of_key
from domain.campaigns.rows import Campaign, Channels, Command, Fdd, decode
from domain.campaigns.work import pending_of

ZONE = "Asia/Kolkata"
REQUEST = "reminder-0011223344556677"


def at(text: str, zone: str = ZONE) -> int:
    """Epoch ms of `2025-11-03 10:00` on the zone's clock."""
    return first_instant_at(zone, datetime.fromisoformat(text))


def flow(**changes: Any) -> Flow:
    made: dict[str, Any] = {
        "name": "reminder",
        "timezone": ZONE,
        "country": "IN",
        "working_time": WorkingTime(9 * 60, 21 * 60),
        "channels": 100,
        "lease_ms": 120_000,
        "reattempts": Reattempts(3, 600_000, ("BUSY", "NO_ANSWER")),
        "max_slots_per_day": 3,
    }
    return Flow(**{**made, **changes})


def number(index: int) -> str:
    return f"+9198{index:08}"


class Shard:
    """The rules, a book, and time that is moved by hand."""

    def __init__(
        self, *documents: Flow | ContactPolicy | CampaignAlert, now: str = "2025-11-03 08:00"
    ) -> None:
        self.documents = documents or (flow(),)
        self.flows = FlowsOf(*self.documents)
        self.book = MemoryBook()
        self.now_ms = at(now, self.flow.timezone)
        self.answered = 0
        self.commands = 0

    @property
    def flow(self) -> Flow:
        return next(each for each in self.documents if isinstance(each, Flow))

    def change(self, *documents: Flow | ContactPolicy | CampaignAlert) -> None:
        self.documents = documents
        self.flows = FlowsOf(*documents)

    # Time

    def settle(self) -> None:
        """Everything that is due now."""
        for _ in range(100_000):
            due_ms = self.book.due_ms()
            if due_ms is None or due_ms > self.now_ms:
                return
            found = self.book.next_due()
            assert found is not None
            machine.due(self.book, found[1], self.now_ms, self.flows)
        raise AssertionError("what is due never ends")

    def until(self, text: str) -> None:
        """Moves the clock; what becomes due happens at its time."""
        self.move(at(text, self.flow.timezone))

    def move(self, to_ms: int) -> None:
        while (due_ms := self.book.due_ms()) is not None and due_ms <= to_ms:
            self.now_ms = max(self.now_ms, due_ms)
            self.settle()
        self.now_ms = to_ms

    def jump(self, text: str) -> None:
        """Moves the clock while nobody works, then does what is due."""
        self.now_ms = at(text, self.flow.timezone)
        self.settle()

    # Events

    def apply(self, event: dict[str, Any], settle: bool = True) -> None:
        machine.apply(self.book, event, self.now_ms, self.flows)
        if settle:
            self.settle()

    def command(
        self, name: str, body: dict[str, Any] | None = None, request: str = REQUEST, **more: Any
    ) -> dict[str, Any]:
        """Applies a command; its answer."""
        self.commands += 1
        ident = f"c{self.commands}"
        event = {"kind": "command", "id": ident, "command": name, "request_id": request}
        self.apply({**event, "body": body or {}, **more})
        row = self.book.get(f"k/{ident}".encode())
        if row is None:
            return {}
        return machine.command_json(decode(Command, row))

    def upload(
        self,
        count: int | list[str] = 3,
        slots: tuple[str, ...] = ("10:00-12:00",),
        request: str = REQUEST,
        schedule: list[int | None] | None = None,
        rejected: int = 0,
        end: bool = True,
        **description: Any,
    ) -> str:
        numbers = [number(i) for i in range(count)] if isinstance(count, int) else count
        described = {"flow": self.flow.name, "name": "dues", "slots": list(slots), **description}
        self.command(
            "upload",
            {"description": described, "flow": flow_json(self.flow), "now_ms": self.now_ms},
            request,
        )
        times = schedule or [None] * len(numbers)
        rows = [
            [n, {"name": f"n{i}"}, t] for i, (n, t) in enumerate(zip(numbers, times, strict=True))
        ]
        self.command("rows", {"first": 1, "rows": rows, "rejected": rejected}, request)
        if end:
            self.command("rows_end", {"accepted": len(rows), "rejected": rejected}, request)
        return request

    def started(self, order: dict[str, Any], at_ms: int | None = None) -> None:
        self.apply(self._result(order, "started", at_ms))

    def finished(
        self,
        order: dict[str, Any],
        outcome: str = "COMPLETED",
        reason: str | None = None,
        at_ms: int | None = None,
        started_at: str | None = None,
    ) -> None:
        event = self._result(order, "finished", at_ms)
        self.apply({**event, "outcome": outcome, "reason": reason, "started_at": started_at})

    def _result(self, order: dict[str, Any], event: str, at_ms: int | None) -> dict[str, Any]:
        return {
            "kind": "result",
            "event": event,
            "execution_id": order["execution_id"],
            "fdd_id": order["fdd_id"],
            "at": print_instant(self.now_ms if at_ms is None else at_ms),
        }

    # Looks

    def orders(self, event: str = "execute") -> list[dict[str, Any]]:
        """Orders since the last look."""
        found = [v for topic, _, v in self.book.sent if topic == "executions"]
        new, self.answered = found[self.answered :], len(found)
        return [each for each in new if each["event"] == event]

    def sent(self, topic: str) -> list[dict[str, Any]]:
        return [value for name, _, value in self.book.sent if name == topic]

    def show(self, day: str | None = None, request: str = REQUEST) -> dict[str, Any]:
        shown = machine.campaign_json(self.book, request, day, self.now_ms, self.flows)
        assert shown is not None
        return shown

    def counts(self, day: str | None = None, request: str = REQUEST) -> dict[str, Any]:
        found: dict[str, Any] = self.show(day, request)["counts"]
        return found

    def fdds(self) -> dict[str, dict[str, Any]]:
        return self.book.stored.get("fdds", {})

    def states(self) -> list[str]:
        """State and reason of every FDD, by id."""
        return [
            f"{each['state']}:{each['reason']}" if each["reason"] else each["state"]
            for _, each in sorted(self.fdds().items())
        ]

    def prove(self) -> None:
        """Every invariant, and every figure counted anew."""
        prove(self.book)


def prove(book: MemoryBook) -> None:
    """Counts equal a recount, the tabs follow from them, the queue and channels from the FDDs."""
    places = [row.decode().split("/")[1:] for row, _ in book.scan(b"z/", limit=100_000)]
    tabs: dict[str, list[int]] = {}
    for request, day in sorted({(p[0], p[1]) for p in places}):
        machine.check(book, request, day)
        kept = slots_of(book, campaign_of(book, request), day)
        assert machine.recount(book, request, day) == kept
        found = total(list(kept.values()))
        sums = tabs.setdefault(day, [0, 0])
        sums[0] += found.created - pending_of(found)
        sums[1] += pending_of(found)
    for day, (attempted, pending) in tabs.items():
        shown = machine.tabs(book, day)
        assert (shown["attempted"], shown["pending"]) == (attempted, pending)
    queued = {row.rsplit(b"/", 1)[1].decode() for row, _ in book.scan(b"q/", limit=100_000)}
    busy = 0
    expected = set()
    for row, raw in book.scan(b"f/", limit=1_000_000):
        ref, fdd = ref_of_key(row), decode(Fdd, raw)
        busy += fdd.state in ("LEASED", "STARTED")
        if is_queued(ref, fdd):
            expected.add(ref.id)
        assert book.stored["fdds"][ref.id]["state"] == fdd.state
    assert queued == expected
    rows = book.scan(b"h/")
    assert busy == sum(decode(Channels, raw).busy for _, raw in rows)


def campaign_of(book: MemoryBook, request: str) -> Campaign:
    raw = book.get(f"c/{request}".encode())
    assert raw is not None
    return decode(Campaign, raw)
