"""The built-in executor, at work inside the shard that orders.

What it does is due like everything else of the shard, so it comes in the order of due times, at the
product's time, and a restart changes nothing: an execution's start and end are rows with a wake.
What it reports is applied at once, and also stands on `execution-results`, as any executor's does.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from agents.campaign_route import RESULTS, flow_of
from agents.flow_shard import Machine
from connectors.executors.simulated import simulate
from domain.aggregation.instants import parse_instant, print_instant
from domain.campaigns.document import Flow, Flows, Simulated
from domain.errors import Reject
from tables.ledger_book import LedgerBook

ORDERS = "executions"
RUN = b"v/"
"""RUN + execution_id -> Run"""
START_MS = 1_000  # after the order; half of the lease where that is shorter


class Run(msgspec.Struct, array_like=True):
    """An execution that was ordered. `starts_ms`, `ends_ms`: as it was decided at the order."""

    key: bytes
    fdd_id: str
    request_id: str
    number: str
    starts_ms: int
    ends_ms: int
    outcome: str
    reason: str | None
    started: bool = False


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Run).decode
_decode_json = msgspec.json.Decoder().decode


class Executing:
    """The rules, with the executor of flows that have `executor: simulated` beside them."""

    def __init__(self, machine: Machine[Flows]) -> None:
        self._machine = machine

    def apply(self, book: LedgerBook, event: Mapping[str, Any], now_ms: int, flows: Flows) -> None:
        """See `Machine`."""
        before = len(book.outputs)
        self._machine.apply(book, event, now_ms, flows)
        self._take_orders(book, before, now_ms, flows)

    def due(self, book: LedgerBook, key: bytes, now_ms: int, flows: Flows) -> None:
        """See `Machine`."""
        before = len(book.outputs)
        if key.startswith(RUN):
            self._go_on(book, key, now_ms, flows)
        else:
            self._machine.due(book, key, now_ms, flows)
        self._take_orders(book, before, now_ms, flows)

    def _take_orders(self, book: LedgerBook, before: int, now_ms: int, flows: Flows) -> None:
        at, outputs = before, book.outputs
        own: dict[bytes, Flow | None] = {}  # by request: the flow, if its orders are for here
        while at < len(outputs):
            topic, key, value = outputs[at]
            at += 1
            if topic != ORDERS or key is None:
                continue
            request = key.partition(b"/")[0]
            if request not in own:
                flow = flows(flow_of(request.decode()))
                own[request] = flow if flow is not None and flow.executor == "simulated" else None
            flow = own[request]
            if flow is None:
                continue
            order = _decode_json(value)
            if order["event"] == "cancel":
                self._cancel(book, order["execution_id"], now_ms, flows)
            else:
                self._begin(book, key, order, flow, now_ms)

    def _begin(
        self, book: LedgerBook, key: bytes, order: dict[str, Any], flow: Flow, now_ms: int
    ) -> None:
        ident = order["execution_id"]
        dice = flow.simulated or Simulated()
        found = simulate(dice.seed, dice.outcomes, dice.seconds, ident)
        ordered_ms = parse_instant(order["ordered_at"]) or now_ms
        starts_ms = ordered_ms + min(START_MS, flow.lease_ms // 2)
        run = Run(
            key, order["fdd_id"], order["request_id"], order["number"],
            starts_ms, starts_ms + found.duration_ms, found.outcome, found.reason,
        )  # fmt: skip
        book.put(RUN + ident.encode(), _encode(run))
        book.wake(starts_ms, RUN + ident.encode())

    def _go_on(self, book: LedgerBook, key: bytes, now_ms: int, flows: Flows) -> None:
        data = book.get(key)
        if data is None:
            return  # cancelled before it started
        run, ident = _decode(data), key[len(RUN) :].decode()
        if not run.started:
            run.started = True
            book.put(key, _encode(run))
            book.wake(run.ends_ms, key)
            told = _event("started", ident, run, run.starts_ms)
        else:
            book.delete(key)
            told = _event("finished", ident, run, run.ends_ms)
            told["started_at"] = print_instant(run.starts_ms)
            told |= {"outcome": run.outcome, "reason": run.reason}
        self._report(book, run, told, now_ms, flows)

    def _cancel(self, book: LedgerBook, ident: str, now_ms: int, flows: Flows) -> None:
        key = RUN + ident.encode()
        data = book.get(key)
        run = None if data is None else _decode(data)
        if run is None or run.started:
            return  # it runs on, and tells how it ends
        book.delete(key)
        told = _event("finished", ident, run, now_ms)
        told |= {"started_at": None, "outcome": "CANCELLED", "reason": None}
        self._report(book, run, told, now_ms, flows)

    def _report(
        self, book: LedgerBook, run: Run, told: dict[str, Any], now_ms: int, flows: Flows
    ) -> None:
        book.send(RESULTS, run.key, told)
        point = book.savepoint()
        try:
            self._machine.apply(book, {"kind": "result", **told}, now_ms, flows)
        except Reject:
            # the FDD was erased meanwhile; what stands on the topic becomes a dead letter
            book.back_to(point)


def _event(event: str, ident: str, run: Run, at_ms: int) -> dict[str, Any]:
    return {
        "event": event, "execution_id": ident, "fdd_id": run.fdd_id, "request_id": run.request_id,
        "number": run.number, "at": print_instant(at_ms),
    }  # fmt: skip
