"""An order as it stands on topic `executions`."""

from __future__ import annotations

from typing import Any

from domain.campaigns.days import day_text, slot_shown
from domain.campaigns.keys import Ref, record_key
from domain.campaigns.rows import Campaign, Fdd, Record, decoder
from domain.campaigns.work import Work, shown_instant

_decode_record = decoder(Record).decode


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
        fdd_id = ref.id
        return {
            "event": "execute",
            "execution_id": f"{fdd_id}.{attempt}",
            "fdd_id": fdd_id,
            "request_id": ref.request_id,
            "record_no": ref.record_no,
            "number": fdd.number,
            "flow": self._flow,
            "date": self._date,
            "slot": self._slot,
            "attempt": attempt,
            "retriggered": fdd.retriggered,
            "ordered_at": self._at,
            "deadline": self._deadline,
            "not_after": self._not_after,
            "fields": {} if raw is None else _decode_record(raw).fields,
        }
