"""Funnel, usage and processes of the backend in memory."""

import json
from typing import Any, Literal

from app.facade.cursors import cursor_of, place_of
from app.facade.insight import active
from app.facade.usage_period import charts_of, highest_of, period_of
from app.insight_backend import (
    CHARTS,
    Chart,
    FunnelAsked,
    FunnelEvent,
    FunnelMessage,
    Usage,
    UsageDetail,
    UsageRecord,
)
from app.process_shapes import Minute, Processes, Running, Vitals
from app.shapes import Page
from domain.aggregation.instants import print_instant
from domain.campaigns.book import MemoryBook
from domain.insight import funnel, reach, taking, usage
from domain.insight.events import WHATS
from tests.app.web import made

FUNNEL = {"none": 0, "little": 8, "big": 240}
USAGE = {"none": 0, "little": 20, "big": 600}
OPERATIONS = ("Enter", "Confirm", "Action", "Error")
MINUTE_MS = 60_000


class FakeInsight:
    """Answers at once, by the product's own rules over a book in memory."""

    size: Literal["none", "little", "big"]

    def __init__(self) -> None:
        super().__init__()
        self.exact = True
        self.cancelled: list[str] = []
        self.book = MemoryBook()
        self.taken = 0
        for n in range(FUNNEL[self.size]):
            self.take_event(made.NOW_MS - n * 61_000, kind="funnel", operation=OPERATIONS[n % 4],
                            campaign=f"dues-{n % 3}", step="pay",
                            customer=f"+9198000000{n % 10:02}",
                            ok=n % 4 != 3, detail={"page": n, "a b": [1.5, None, "x"]})  # fmt: skip
        for n in range(USAGE[self.size]):
            self.take_event(made.NOW_MS - n * 3_500_000, kind="usage", what=WHATS[n % 5],
                            campaign=f"dues-{n % 3}", customer=f"p{n % 40}", channel="web",
                            placeholder=("top", "side", "")[n % 3])  # fmt: skip

    def take_event(self, at_ms: int, **event: Any) -> None:
        """One more event."""
        event["at"] = print_instant(at_ms)
        where = (0, self.taken)
        self.taken += 1
        taking.take(self.book, event, json.dumps(event).encode(), where, at_ms, made.NOW_MS)

    async def funnel(self, asked: FunnelAsked, limit: int, cursor: str | None) -> Page[FunnelEvent]:
        since_ms = 0 if asked.span_ms is None else made.NOW_MS - asked.span_ms
        after = b"" if cursor is None else place_of(cursor, bytes)
        question = funnel.Asked(asked.campaign, asked.label, asked.customer, since_ms, after, limit)
        rows, reached = funnel.page(self.book, question)
        items = [FunnelEvent(f"0-0-{row.offset}", row.at_ms, row.item) for row in rows]
        return Page(items, None if reached is None else cursor_of(reached))

    async def funnel_event(self, event_id: str) -> FunnelMessage | None:
        offset = event_id.removeprefix("0-0-")
        found = funnel.whole(self.book, (0, int(offset))) if offset.isdigit() else None
        return None if found is None else FunnelMessage(event_id, *found)

    async def usage(self, from_: str, to: str) -> Usage:
        period = period_of(from_, to, made.NOW_MS)
        span = period.from_ms, period.to_ms
        tallies = {what: usage.tally(self.book, what, *span) for what in WHATS[:-1]}
        reached = reach.Reached(self.book, *span)
        for _ in reached.steps():
            pass
        return Usage(
            *period, total=2, active=active([], usage.campaigns(self.book, *span)),
            reached=reached.count, exact=self.exact, leads=sum(tallies["lead"].values()),
            conversions=sum(tallies["conversion"].values()), charts=charts_of(tallies, period),
        )  # fmt: skip

    async def usage_detail(
        self, chart: Chart, from_: str, to: str, limit: int, cursor: str | None
    ) -> UsageDetail:
        period = period_of(from_, to, made.NOW_MS)
        span, what = (period.from_ms, period.to_ms), CHARTS[chart]
        after = b"" if cursor is None else place_of(cursor, bytes)
        rows, reached = usage.records(self.book, what, *span, after, limit)
        tally = usage.tally(self.book, what, *span)
        items = [UsageRecord(f"0-0-{row.offset}", row.at_ms, row.event) for row in rows]
        return UsageDetail(
            chart, *period, sum(tally.values()), highest_of(chart, tally, period),
            Page(items, None if reached is None else cursor_of(reached)),
        )  # fmt: skip

    async def processes(self) -> Processes:
        minutes = {"none": 1, "little": 5, "big": 60}[self.size]
        history = [
            Minute(made.NOW_MS // MINUTE_MS * MINUTE_MS - n * MINUTE_MS, 0.1 + n % 7 / 10,
                   (200 + n) << 20, n % 5 / 100, (40 + n) << 20)
            for n in reversed(range(minutes))
        ]  # fmt: skip
        names = {"none": ("w-1",), "little": ("w-1", "w-2"), "big": ("w-1", "w-2", "w-3")}
        states: Any = ("ready", "gone", "recovering")
        workers = [
            Vitals(name, state, 0.42, 241 << 20, 0.004, 41 << 20, history, [], made.NOW_MS)
            for name, state in zip(names[self.size], states, strict=False)
        ]
        kinds: Any = ("upload", "day creation", "slot run", "retrigger", "change", "source fetch",
                      "impression step", "export", "table recovery", "preview")  # fmt: skip
        running = [
            Running(
                f"w-1:{kind}/{n}", kind, f"dues {n}", "w-1", made.NOW_MS - n * MINUTE_MS,
                None if kind in ("source fetch", "export") else n / 10, 12.5 * n,
                made.NOW_MS + n * MINUTE_MS, "row", "reminder-0000000000000000",
            )
            for n, kind in enumerate(kinds if self.size != "none" else ())
        ]  # fmt: skip
        return Processes(workers, [one for one in running if one.id not in self.cancelled])

    async def cancel_process(self, process_id: str) -> bool | None:
        found = [one for one in (await self.processes()).running if one.id == process_id]
        if not found:
            return None
        if found[0].cancellable:
            self.cancelled.append(process_id)
        return found[0].cancellable
