"""An order as it stands on topic `executions`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from domain.campaigns.days import day_text, slot_shown
from domain.campaigns.keys import RECORD_DIGITS, Ref, record_key
from domain.campaigns.rows import Campaign, Fdd, Record, decoder
from domain.campaigns.work import Work, shown_instant

_json = msgspec.json.Encoder().encode
_decode_record = decoder(Record).decode


SPARSE = 4  # so many rows are read in a row in the time that one is looked up


class Order:
    """Orders of one slot, at one time: `of` gives that of each FDD."""

    __slots__ = ("_at", "_date", "_deadline", "_flow", "_not_after", "_slot")

    def __init__(
        self, campaign: Campaign, ref: Ref, at_ms: int, deadline_ms: int, not_after_ms: int
    ) -> None:
        self._flow = campaign.flow.name
        self._date, self._slot = day_text(ref.day), slot_shown(ref.slot)
        self._at, self._deadline = shown_instant(at_ms), shown_instant(deadline_ms)
        self._not_after = shown_instant(not_after_ms)

    def of(self, work: Work, ref: Ref, fdd: Fdd, attempt: int) -> dict[str, Any]:
        """The order of an attempt."""
        raw = work.book.get(record_key(ref.request_id, ref.record_no))
        told = self.shared(ref, attempt, fdd.retriggered)
        told["number"] = fdd.number
        return {**told, "fields": {} if raw is None else _decode_record(raw).fields}

    def shared(self, ref: Ref, attempt: int, retriggered: bool) -> dict[str, Any]:
        """An order without its number and fields."""
        fdd_id = ref.id
        return {
            "event": "execute",
            "execution_id": f"{fdd_id}.{attempt}",
            "fdd_id": fdd_id,
            "request_id": ref.request_id,
            "record_no": ref.record_no,
            "number": "",
            "flow": self._flow,
            "date": self._date,
            "slot": self._slot,
            "attempt": attempt,
            "retriggered": retriggered,
            "ordered_at": self._at,
            "deadline": self._deadline,
            "not_after": self._not_after,
        }


def records_of(work: Work, refs: Sequence[Ref]) -> dict[int, bytes]:
    """The rows of the records of these FDDs of one slot, in order, by record number."""
    first, last = refs[0], refs[-1].record_no
    if last - first.record_no < SPARSE * len(refs):
        prefix = f"r/{first.request_id}/".encode()
        rows = work.book.scan(
            prefix, record_key(first.request_id, first.record_no - 1), last - first.record_no + 1
        )
        return {int(row[-RECORD_DIGITS:]): raw for row, raw in rows}
    keys = {ref.record_no: record_key(ref.request_id, ref.record_no) for ref in refs}
    work.book.prefetch(keys.values())
    found = {record_no: work.book.get(row) for record_no, row in keys.items()}
    return {record_no: raw for record_no, raw in found.items() if raw is not None}


class FirstOrders:
    """First orders of the FDDs of one slot, at one time, encoded: what they share is once."""

    __slots__ = ("_fdd", "_head", "_tail")

    def __init__(
        self, campaign: Campaign, ref: Ref, at_ms: int, deadline_ms: int, not_after_ms: int
    ) -> None:
        order = Order(campaign, ref, at_ms, deadline_ms, not_after_ms)
        shared = order.shared(ref, 1, False)
        self._fdd = _json(ref.id[: ref.id.rindex(".") + 1])[:-1]  # open: the record number comes
        names = list(shared)
        number = names.index("number")
        head = {name: shared[name] for name in names[3 : number - 1]}
        self._head = b"," + _json(head)[1:-1] + b',"record_no":'
        self._tail = b"," + _json({name: shared[name] for name in names[number + 1 :]})[1:-1]

    def of(self, ref: Ref, number: str, raw: bytes | None) -> msgspec.Raw:
        """The order of an FDD, as `Order.of` tells it. raw: the row of its record."""
        fields = b"{}" if raw is None else _json(_decode_record(raw).fields)
        record_no = b"%d" % ref.record_no
        ident = self._fdd + record_no
        return msgspec.Raw(
            b'{"event":"execute","execution_id":%b.1","fdd_id":%b"%b%b,"number":%b%b,"fields":%b}'
            % (ident, ident, self._head, record_no, _json(number), self._tail, fields)
        )
