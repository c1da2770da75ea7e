"""YouTube: figures of a channel now, and with `metrics` or `from` its reports by day.

Data API v3 `channels` (token or key) gives a snapshot at each fetch; Analytics v2 `reports` (token)
gives days, the last ones again, and replaced.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date
from typing import Any

from connectors.sources.base import Cursor, Kit, Page, Window
from connectors.sources.days import round_of
from connectors.sources.errors import CallFailed
from connectors.sources.google_analytics import TOKEN_URL, numeric
from connectors.sources.oauth import Tokens
from connectors.sources.snapshots import snapshot
from domain.aggregation.instants import print_instant
from domain.metrics.fetched import Fetched
from domain.metrics.moments import DAY, day_ms, days, read_date
from domain.metrics.records import Attributes, attributes_of

DAYS = 90  # of one report
HOUR_MS = 3_600_000
METRICS = (
    "views", "estimatedMinutesWatched", "likes", "comments", "shares", "subscribersGained",
    "subscribersLost",
)  # fmt: skip
SCOPE = "https://www.googleapis.com/auth/yt-analytics.readonly"


class YouTube:
    """The snapshot comes first. Its cursor: `at` of the last one, and `days` of the reports: their
    round begins with the snapshot, so that a fetch that goes on takes no other in that hour."""

    RANGED = True
    BASE_URL = "https://www.googleapis.com"
    REPORTS_URL = "https://youtubeanalytics.googleapis.com"

    def __init__(self, kit: Kit) -> None:
        self._kit = kit
        base = kit.source.base_url
        self._channels = f"{(base or self.BASE_URL).rstrip('/')}/youtube/v3/channels"
        self._reports = f"{(base or self.REPORTS_URL).rstrip('/')}/v2/reports"
        token_url = TOKEN_URL if base is None else f"{base.rstrip('/')}/token"
        self._tokens = Tokens(kit, token_url, SCOPE)
        self._channel = str(kit.source.fetch["channel"])
        self._metrics = tuple(kit.source.fetch.get("metrics", METRICS))
        fetch = kit.source.fetch
        self._reported = "key" not in kit.source.credentials and (
            "metrics" in fetch or "from" in fetch
        )

    async def fetch(self, cursor: Cursor, window: Window | None = None) -> AsyncIterator[Page]:
        """See `Connector`. A window is of the reports alone."""
        held = dict(cursor or {})
        now = self._kit.now_ms()
        todo = round_of(self._kit, held.get("days"), window)
        taken = self._reported and todo.begun and held.get("at", 0) // HOUR_MS == now // HOUR_MS
        if window is None and not taken:
            figures = await self._statistics()
            held = {**held, "at": now, **({"days": todo.cursor} if self._reported else {})}
            records = [snapshot(now, {"channel": self._channel, **figures})]
            yield Page(records, held, last=not self._reported)
        if not self._reported:
            return
        first = todo.first
        while first < todo.end:
            end = min(todo.end, first + DAYS * DAY)
            found = await self._report(first, end)
            for day in days(first, end):
                page = todo.page(day, found.get(day, []))
                if window is None:
                    todo = todo.behind(page)
                    held = {**held, "days": page.cursor}
                    yield Page(page.records, held, last=page.last)
                else:
                    yield Page(page.records, cursor)
            first = end

    async def _statistics(self) -> Attributes:
        params = {"part": "statistics", "id": self._channel}
        if "key" in self._kit.source.credentials:
            params["key"] = self._kit.secret("key")
            answer = await self._kit.call.call("GET", self._channels, params=params)
        else:
            answer = await self._tokens.call("GET", self._channels, params=params)
        items = answer.json().get("items", [])
        if not items:
            raise CallFailed(f"there is no channel {self._channel}", answer.status)
        return {
            name: numeric(value) if isinstance(value, str) else value
            for name, value in attributes_of(items[0]["statistics"]).items()
        }

    async def _report(self, first: date, end: date) -> dict[date, list[Fetched]]:
        params = {
            "ids": f"channel=={self._channel}",
            "startDate": first.isoformat(),
            "endDate": (end - DAY).isoformat(),
            "metrics": ",".join(self._metrics),
            "dimensions": "day",
            "sort": "day",
        }
        answer = (await self._tokens.call("GET", self._reports, params=params)).json()
        names = [str(header["name"]) for header in answer["columnHeaders"]]
        found: dict[date, list[Fetched]] = {}
        for row in answer.get("rows") or []:
            record: dict[str, Any] = dict(zip(names, row, strict=True))
            day = read_date(record.pop("day"))
            if day is None:
                raise CallFailed(f"a row of the report has no day: {row}")
            at = day_ms(day, self._kit.source.timezone)
            named: Attributes = {"kind": "day", "at": print_instant(at), "channel": self._channel}
            found.setdefault(day, []).append(Fetched(at, {**named, **attributes_of(record)}))
        return found
