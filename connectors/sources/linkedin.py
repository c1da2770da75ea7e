"""LinkedIn: share statistics of an organization, by day; the last days again, and replaced."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date
from typing import Any

from connectors.sources.base import Cursor, Kit, Page, Window
from connectors.sources.days import round_of
from connectors.sources.errors import CallFailed
from domain.aggregation.instants import print_instant
from domain.metrics.fetched import Fetched
from domain.metrics.moments import DAY, day_ms, day_of, days
from domain.metrics.records import attributes_of

DAYS = 30  # of one call
VERSION = "202511"


class LinkedIn:
    """Days are LinkedIn's, which are UTC. One call brings many days, each a page."""

    RANGED = True
    BASE_URL = "https://api.linkedin.com"

    def __init__(self, kit: Kit) -> None:
        self._kit = kit
        base = (kit.source.base_url or self.BASE_URL).rstrip("/")
        self._url = f"{base}/rest/organizationalEntityShareStatistics"
        self._organization = str(kit.source.fetch["organization"])

    async def fetch(self, cursor: Cursor, window: Window | None = None) -> AsyncIterator[Page]:
        """See `Connector`."""
        todo = round_of(self._kit, cursor, window)
        first = todo.first
        while first < todo.end:
            end = min(todo.end, first + DAYS * DAY)
            found = await self._statistics(first, end)
            for day in days(first, end):
                page = todo.page(day, found.get(day, []))
                if window is None:
                    todo = todo.behind(page)
                else:
                    page = Page(page.records, cursor)
                yield page
            first = end

    async def _statistics(self, first: date, end: date) -> dict[date, list[Fetched]]:
        token = self._kit.secret("token")
        if not token:
            raise CallFailed("the document names no credential `token`")
        between = f"(start:{day_ms(first)},end:{day_ms(end)})"
        params = {
            "q": "organizationalEntity",
            "organizationalEntity": f"urn:li:organization:{self._organization}",
            "timeIntervals": f"(timeRange:{between},timeGranularityType:DAY)",
        }
        headers = {
            "Authorization": f"Bearer {token}",
            "LinkedIn-Version": VERSION,
            "X-Restli-Protocol-Version": "2.0.0",
        }
        answer = await self._kit.call.call("GET", self._url, params=params, headers=headers)
        found: dict[date, list[Fetched]] = {}
        for element in answer.json()["elements"]:
            record = self._record(element)
            found.setdefault(day_of(record.ts_ms), []).append(record)
        return found

    def _record(self, element: dict[str, Any]) -> Fetched:
        start = int(element["timeRange"]["start"])
        figures = attributes_of(element["totalShareStatistics"])
        named = {"organization": self._organization, "at": print_instant(start)}
        return Fetched(start, {**named, **figures})
