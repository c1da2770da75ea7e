"""Sends a flush again: the record that lies on the output topic, byte for byte.

Receivers know it by its id, so it is safe to repeat; nothing of the state changes. Who asked and
why goes to `aggregates.audit` behind it.
"""

from hashlib import sha256

from app.day_shapes import Resent
from app.facade.completeness import tell
from app.facade.ledger import Ledger
from app.facade.parts import Parts
from app.shapes import Change
from domain.aggregation.instants import print_instant
from domain.sinks.records import SENT_AGAIN

EVENT = "flush_resent"


class Resend:
    """Sends flushes again."""

    def __init__(self, parts: Parts, ledger: Ledger) -> None:
        self._parts = parts
        self._ledger = ledger

    async def flush(self, flush_id: str, change: Change) -> Resent | None:
        """See `Backend.resend_flush`."""
        await self._ledger.catch_up()
        place = await self._ledger.find(flush_id)
        if place is None:
            return None
        now = self._parts.clock.now_ms()
        asked = change.idempotency_key or str(now)
        audit_id = sha256(f"{EVENT} {flush_id} {asked}".encode()).hexdigest()
        if change.idempotency_key is not None and await self._ledger.event(audit_id) is not None:
            return Resent(flush_id, place.topic, place.partition, place.offset, True)
        physical = self._parts.names.topic(place.topic)
        found = await self._parts.log.read(physical, place.partition, place.offset)
        if not found.items or found.items[0][0] != place.offset:
            return None  # the topic keeps it no longer
        _, _, key, value, headers = found.items[0]
        # sinks pass over an exact repetition, unless it is meant
        again = (*(pair for pair in headers if pair[0] != SENT_AGAIN), (SENT_AGAIN, b"1"))
        _, offset = await self._parts.log.append(
            physical, place.partition, [(key, value, None, again)]
        )
        event = {
            "id": audit_id,
            "event": EVENT,
            "subject": flush_id,
            "flush_id": flush_id,
            "topic": place.topic,
            "partition": place.partition,
            "offset": offset,
            "actor": change.actor,
            "reason": change.reason,
            "at": print_instant(now),
        }
        await tell(self._parts, key or b"", event)
        return Resent(flush_id, place.topic, place.partition, offset)
