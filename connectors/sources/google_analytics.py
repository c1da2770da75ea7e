"""Google Analytics 4: `runReport`, day by day; the last days are asked for again, and replaced."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date
from typing import Any

import msgspec

from connectors.sources.base import Cursor, Kit, Page, Window
from connectors.sources.days import round_of
from connectors.sources.oauth import Tokens
from domain.metrics.fetched import Fetched
from domain.metrics.limits import Limits
from domain.metrics.moments import day_ms, days
from domain.metrics.records import Attribute

ROWS = 10_000  # of one answer
SCOPE = "https://www.googleapis.com/auth/analytics.readonly"
TOKEN_URL = "https://oauth2.googleapis.com/token"


class GoogleAnalytics:
    """A page is a day. A row's key is its dimensions, `date` among them."""

    RANGED = True
    BASE_URL = "https://analyticsdata.googleapis.com"

    def __init__(self, kit: Kit) -> None:
        self._kit = kit
        base = (kit.source.base_url or self.BASE_URL).rstrip("/")
        token_url = TOKEN_URL if kit.source.base_url is None else f"{base}/token"
        self._tokens = Tokens(kit, token_url, SCOPE)
        fetch = kit.source.fetch
        number = str(fetch["property"]).removeprefix("properties/")
        self._url = f"{base}/v1beta/properties/{number}:runReport"
        self._dimensions = ["date", *(name for name in fetch["dimensions"] if name != "date")]
        self._metrics = list(fetch["metrics"])

    async def fetch(self, cursor: Cursor, window: Window | None = None) -> AsyncIterator[Page]:
        """See `Connector`."""
        todo = round_of(self._kit, cursor, window)
        for day in days(todo.first, todo.end):
            page = todo.page(day, await self._day(day))
            if window is None:
                todo = todo.behind(page)
            else:
                page = Page(page.records, cursor)
            yield page

    async def _day(self, day: date) -> list[Fetched]:
        found: list[Fetched] = []
        while True:
            answer = await self._report(day, len(found))
            rows = answer.get("rows", [])
            found += [self._record(day, row) for row in rows]
            if not rows or len(found) >= int(answer.get("rowCount", 0)):
                return found

    async def _report(self, day: date, offset: int) -> dict[str, Any]:
        body = {
            "dateRanges": [{"startDate": day.isoformat(), "endDate": day.isoformat()}],
            "dimensions": [{"name": name} for name in self._dimensions],
            "metrics": [{"name": name} for name in self._metrics],
            "limit": str(ROWS),
            "offset": str(offset),
            "returnPropertyQuota": True,
        }
        answer = await self._tokens.call(
            "POST",
            self._url,
            headers={"Content-Type": "application/json"},
            body=msgspec.json.encode(body),
        )
        found: dict[str, Any] = answer.json()
        quota = found.get("propertyQuota", {}).get("tokensPerHour", {}).get("remaining")
        if isinstance(quota, int):
            self._kit.call.told(Limits(quota))
        return found

    def _record(self, day: date, row: dict[str, Any]) -> Fetched:
        attributes: dict[str, Attribute] = {
            name: str(cell["value"])
            for name, cell in zip(self._dimensions, row["dimensionValues"], strict=True)
        }
        for name, cell in zip(self._metrics, row["metricValues"], strict=True):
            attributes[name] = numeric(cell["value"])
        return Fetched(day_ms(day, self._kit.source.timezone), attributes)


def numeric(text: str) -> Attribute:
    """The number that a text is, else the text."""
    try:
        return int(text)
    except ValueError:
        try:
            return float(text)
        except ValueError:
            return text
