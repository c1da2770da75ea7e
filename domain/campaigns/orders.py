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


def records_of(work: Work, request_id: str, record_nos: Sequence[int]) -> dict[int, bytes]:
    """The rows of the records of these numbers, which rise, by number."""
    first, last = record_nos[0], record_nos[-1]
    if last - first < SPARSE * len(record_nos):
        prefix = f"r/{request_id}/".encode()
        rows = work.book.scan(prefix, record_key(request_id, first - 1), last - first + 1)
        return {int(row[-RECORD_DIGITS:]): raw for row, raw in rows}
    found = work.book.get_all([record_key(request_id, each) for each in record_nos])
    pairs = zip(record_nos, found, strict=True)
    return {record_no: raw for record_no, raw in pairs if raw is not None}


class FirstOrders:
    """First orders of the FDDs of one slot, at one time, encoded: what they share is once."""

    __slots__ = ("_fdd", "_head", "_tail")

    def __init__(
        self, campaign: Campaign, ref: Ref, at_ms: int, deadline_ms: int, not_after_ms: int
    ) -> None:
        order = Order(campaign, ref, at_ms, deadline_ms, not_after_ms)
        shared = order.shared(ref, 1, False)
        # open: the record number comes
        fdd = _json(ref.id[: ref.id.rindex(".") + 1])[:-1]
        names = list(shared)
        number = names.index("number")
        head = {name: shared[name] for name in names[3 : number - 1]}
        self._fdd = b'{"event":"execute","execution_id":' + fdd, b'.1","fdd_id":' + fdd
        self._head = b'",' + _json(head)[1:-1] + b',"record_no":'
        tail = {name: shared[name] for name in names[number + 1 :]}
        self._tail = b'",' + _json(tail)[1:-1] + b',"fields":'

    def of(self, record_no: int, number: bytes, raw: bytes | None) -> bytes:
        """The order of an FDD, as `Order.of` tells it. number: E.164. raw: the row of its
        record."""
        fields = b"{}" if raw is None else _json(_decode_record(raw).fields)
        first, second = self._fdd
        return b'%b%d%b%d%b%d,"number":"%b%b%b}' % (
            first, record_no, second, record_no, self._head, record_no, number, self._tail, fields,
        )  # fmt: skip
