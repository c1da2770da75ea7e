"""Tells, once, that a period of an aggregator is complete, on `aggregates.audit`.

A period that is over is complete when no session of it is open, no dead letter since it began waits
to be replayed, every shard's effective now has passed its end (so nothing that came before waits on
a topic) and no decided flush is still to be sent. The signal has the totals of all flushes of the
period. Its id is a hash of what it says, so one that is written again after a kill, or by two
consoles, is one. Flushes that come later make it news again: the next signal is a revision.
"""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from app.facade.ledger import DELETED, Figure, Ledger, Period
from app.facade.letters import Letters
from app.facade.owners import Owners
from app.facade.parts import Parts
from app.facade.sessions import Sessions
from app.facade.totals import ControlTotals
from config.topics import AUDIT
from connectors.streams.murmur2 import partition_for
from domain.aggregation.flush import to_json
from domain.aggregation.operations import exact_json, plus

EVENT = "period_complete"
FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 300.0  # between two looks at a period that isn't complete yet


class Completeness:
    """Looks at periods that are over. One console of the installation does, the first by id."""

    def __init__(
        self,
        parts: Parts,
        owners: Owners,
        ledger: Ledger,
        sessions: Sessions,
        letters: Letters,
        totals: ControlTotals,
    ) -> None:
        self._parts = parts
        self._owners = owners
        self._ledger = ledger
        self._sessions = sessions
        self._letters = letters
        self._totals = totals
        self._wait: dict[Period, tuple[float, float]] = {}

    async def look(self) -> int:
        """Signals what has become complete; returns how many periods. The ledger is up to date."""
        periods = await self._ledger.ended(self._parts.clock.now_ms())
        self._wait = {period: self._wait[period] for period in periods if period in self._wait}
        done = 0
        for period in periods:
            after_s, wait_s = self._wait.get(period, (0.0, FIRST_WAIT_S))
            if self._parts.monotonic_s() < after_s:
                continue
            if await self._complete(period):
                await self._ledger.catch_up()  # what was sent while we looked
                done += await self._signal(period, await self._ledger.period(period))
                self._wait.pop(period, None)
            else:
                again = self._parts.monotonic_s() + wait_s
                self._wait[period] = again, min(wait_s * 2, LONGEST_WAIT_S)
        return done

    async def _complete(self, period: Period) -> bool:
        """In this order: what is closed when the sessions are looked at is decided, and then
        nothing decided is unsent.
        """
        if any(name == period.aggregator for name, _ in self._parts.documents.unread):
            return False  # what waits, and sessions that nobody can read, may be of the period
        inputs = {rule.document.input for rule in self._sessions.rules(period.aggregator)}
        growths = self._parts.documents.growths
        if growths.under_way:
            return False  # sessions may be on their way from one shard to another
        if await self._letters.waiting(period.aggregator, inputs, period.start_ms):
            return False
        if not await self._settled(period) or await self._any_open(period):
            return False
        return await self._settled(period)

    async def _settled(self, period: Period) -> bool:
        told = await self._owners.all("settled", {})
        grown = self._parts.documents.growths.target(0)
        return all(
            one["effective_now"] >= period.end_ms
            and not one["unsent"]
            and one.get("released", 0) >= grown
            for _, one in told.values()
        )

    async def _any_open(self, period: Period) -> bool:
        labels = {name: each["label"] for name, each in exact_json(period.label.encode()).items()}
        cursor = None
        while True:
            page = await self._sessions.listed(period.aggregator, labels, 1, cursor)
            if page is None or page.items:
                return page is not None
            if page.next is None:
                return False
            cursor = page.next

    async def _signal(self, period: Period, figures: Mapping[str, Figure]) -> bool:
        subject = f"{period.aggregator} {period.label}"
        before = await self._ledger.events(EVENT, subject)
        totals = totals_of(figures, self._totals.names(period.aggregator))
        news = not before or before[-1]["totals"] != totals
        if news:
            signal = {
                "event": EVENT,
                "subject": subject,
                "aggregator": period.aggregator,
                "periods": exact_json(period.label.encode()),
                "revision": len(before) + 1,
                "revises": before[-1]["id"] if before else None,
                "totals": totals,
            }
            signal_id = sha256(to_json(signal)).hexdigest()
            await tell(self._parts, subject.encode(), {"id": signal_id, **signal})
        await self._ledger.settle(period, figures)
        return news


def totals_of(figures: Mapping[str, Figure], names: Mapping[str, str]) -> dict[str, Any]:
    """Figures by kind as the signal and the day have them, sums under the names of results."""
    count = {"flushed": 0, "expired": 0, "deleted": 0}
    sums: dict[str, dict[str, Any]] = {}
    for kind, figure in sorted(figures.items()):
        place = {"TTL_EXPIRED": "expired", DELETED: "deleted"}.get(kind, "flushed")
        count[place] += figure.records
        for field, value in figure.sums.items():
            of = sums.setdefault(names.get(field, f"sum_{field}"), dict.fromkeys(count, 0))
            of[place] = plus(of[place], value)
    flushes = {kind: figure.flushes for kind, figure in sorted(figures.items())}
    return {"flushes": flushes, "count": count, "sums": dict(sorted(sums.items()))}


async def tell(parts: Parts, key: bytes, event: Mapping[str, Any]) -> None:
    """Appends an event to `aggregates.audit`; returns when it is durable."""
    physical = parts.names.topic(AUDIT)
    count = await parts.partitions(physical) or 1
    rows = [(key, to_json(event), None, ())]
    await parts.log.append(physical, partition_for(key, count), rows)
