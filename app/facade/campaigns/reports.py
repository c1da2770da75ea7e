"""Reports out of the documents store, read bit by bit: raw by attempts, eod by FDDs."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

from app.campaign_shapes import Json, ReportKind
from app.facade.campaigns.asking import Asking
from app.facade.campaigns.reads import away, shown_day
from app.facade.campaigns.sources import Sources
from connectors.stores.base import FddFilter, StoreUnavailable
from domain.aggregation.instants import parse_instant
from domain.campaigns.days import day_of, instant
from domain.campaigns.rows import PENDING

PAGE = 1_000
Figure = tuple[str, str, str, str]
"""(request id, slot, outcome, reason); "" for none"""


@dataclass(frozen=True)
class Known:
    """A campaign of the report. `day` is the report's, `YYYYMMDD`, in its own zone. `moves`: FDDs
    may start on another day than theirs."""

    name: str
    zone: str
    moves: bool
    days: tuple[str, ...]
    day: str

    @property
    def span_ms(self) -> tuple[int, int]:
        """The day's first instant, and that of the next one."""
        return instant(self.zone, self.day, 0), instant(self.zone, self.day, 1440)


class Reports:
    """See `CampaignsBackend.report`."""

    def __init__(self, parts: Sources, asking: Asking, now_ms: Any) -> None:
        self._parts, self._asking, self._now_ms = parts, asking, now_ms

    async def rows(
        self, kind: ReportKind, day: str | None, request_id: str | None
    ) -> AsyncIterator[Json]:
        """Raises Unavailable when a shard or the store doesn't answer."""
        campaigns = await self._campaigns(day, request_id)
        if not campaigns:
            return
        try:
            if kind == "raw":
                async for row in self._raw(campaigns, request_id):
                    yield row
            else:
                async for row in self._eod(campaigns):
                    yield row
        except StoreUnavailable as error:
            raise away(error) from error

    async def _campaigns(self, day: str | None, request_id: str | None) -> dict[str, Known]:
        told = await self._asking.all("ids")
        now_ms = self._now_ms()
        return {
            ident: Known(
                name,
                zone,
                moves,
                tuple(days),
                day_of(zone, now_ms) if day is None else day.replace("-", ""),
            )
            for rows in told.values()
            for ident, name, zone, moves, days in rows
            if request_id in (None, ident)
        }

    async def _raw(
        self, campaigns: Mapping[str, Known], request_id: str | None
    ) -> AsyncIterator[Json]:
        spans = {known.zone: known.span_ms for known in campaigns.values()}
        begin_ms = min(begin for begin, _ in spans.values())
        end_ms = max(end for _, end in spans.values())
        async for found in self._parts.documents.started(begin_ms, end_ms, request_id):
            fdd, attempt = found.fdd, found.attempt
            known = campaigns.get(fdd["request_id"])
            if known is None:
                continue
            begin, end = spans[known.zone]
            if not begin <= found.at_ms < end:
                continue
            yield {
                "start_time": attempt["started_at"],
                "execution_id": attempt["execution_id"],
                "request_id": fdd["request_id"],
                "campaign": known.name,
                "number": fdd["number"],
                "slot": fdd["slot"],
                "outcome": attempt["outcome"],
                "reason": attempt["reason"],
                "retriggered": attempt["retriggered"],
                "attempt": attempt["attempt"],
            }

    async def _eod(self, campaigns: Mapping[str, Known]) -> AsyncIterator[Json]:
        for ident, known in sorted(campaigns.items()):
            counts: dict[Figure, int] = {}
            if known.day in known.days:
                await self._of_date(ident, known, counts)
            if known.moves:
                await self._of_other_dates(ident, known, counts)
            for (_, slot, outcome, reason), count in sorted(counts.items()):
                yield {
                    "day": shown_day(known.day),
                    "request_id": ident,
                    "campaign": known.name,
                    "slot": slot or None,
                    "outcome": outcome,
                    "reason": reason or None,
                    "count": count,
                }

    async def _of_date(self, ident: str, known: Known, counts: dict[Figure, int]) -> None:
        """FDDs of the date itself, but for those of which the last attempt started on another."""
        day = shown_day(known.day)
        if not known.moves:
            # all started within a slot of the date
            for one in await self._parts.documents.counts(ident, day):
                if one.state not in PENDING:
                    figure = (ident, one.slot or "", one.state, one.reason or "")
                    counts[figure] = counts.get(figure, 0) + one.count
            return
        cursor: str | None = None
        while True:
            page = await self._parts.documents.find_fdds(FddFilter(ident, day=day), cursor, PAGE)
            for fdd in page.items:
                if last_start_day(fdd, known.zone) in (None, known.day):
                    _add(counts, fdd)
            cursor = page.next
            if cursor is None:
                return

    async def _of_other_dates(self, ident: str, known: Known, counts: dict[Figure, int]) -> None:
        """FDDs of other dates of which the last attempt started on this one."""
        begin_ms, end_ms = known.span_ms
        async for found in self._parts.documents.started(begin_ms, end_ms, ident):
            fdd = found.fdd
            is_last = found.attempt["started_at"] == last_start(fdd)
            if fdd["date"] != shown_day(known.day) and is_last:
                _add(counts, fdd)


def _add(counts: dict[Figure, int], fdd: Mapping[str, Any]) -> None:
    if fdd["state"] in PENDING:
        return
    figure = (fdd["request_id"], fdd["slot"] or "", fdd["state"], fdd["reason"] or "")
    counts[figure] = counts.get(figure, 0) + 1


def last_start(fdd: Mapping[str, Any]) -> str | None:
    """When the last attempt that started did; None without one."""
    starts = [one["started_at"] for one in fdd["attempts"] if one["started_at"] is not None]
    return max(starts, default=None)


def last_start_day(fdd: Mapping[str, Any], zone: str) -> str | None:
    """The local day of that."""
    at_ms = parse_instant(last_start(fdd))
    return None if at_ms is None else day_of(zone, at_ms)
