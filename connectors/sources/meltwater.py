"""Meltwater: the mentions that a saved search finds, with the reach of each; by day, the last ones
again.

`POST /v3/search/{id}` for one day, page by page. A page of the source is a day, so that its
mentions are archived together with the cursor that follows them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date
from typing import Any

import msgspec

from connectors.sources.base import Cursor, Kit, Page, Window
from connectors.sources.days import round_of
from connectors.sources.errors import CallFailed
from domain.metrics.fetched import Fetched
from domain.metrics.moments import DAY, days, moment_ms
from domain.metrics.records import Attributes, attributes_of
from domain.metrics.walk import walk

ROWS = 100  # of one answer: the most that Meltwater gives
_PLAIN = (
    ("title", "content.title"),
    ("source_name", "source.name"),
    ("country", "location.country_code"),
    ("language", "enrichments.language_code"),
    ("sentiment", "enrichments.sentiment"),
    ("content_type", "content_type"),
    ("url", "url"),
)


class Meltwater:
    """See the module."""

    RANGED = True
    BASE_URL = "https://api.meltwater.com"

    def __init__(self, kit: Kit) -> None:
        self._kit = kit
        self._search = str(kit.source.fetch["search"])
        base = (kit.source.base_url or self.BASE_URL).rstrip("/")
        self._url = f"{base}/v3/search/{self._search}"

    async def fetch(self, cursor: Cursor, window: Window | None = None) -> AsyncIterator[Page]:
        """See `Connector`."""
        todo = round_of(self._kit, cursor, window)
        for day in days(todo.first, todo.end):
            page = todo.page(day, await self._day(day))
            if window is None:
                todo = todo.behind(page)
                yield page
            else:
                yield Page(page.records, cursor)

    async def _day(self, day: date) -> list[Fetched]:
        found: dict[str, Fetched] = {}
        number = 1
        while True:
            result = await self._result(day, number)
            documents = result.get("documents", [])
            for document in documents:
                found[str(document["id"])] = self._record(document)
            total = int(result.get("document_count", 0))
            if len(documents) < ROWS or number * ROWS >= total:
                return sorted(found.values(), key=lambda each: (each.ts_ms, each.attributes["id"]))
            number += 1

    async def _result(self, day: date, number: int) -> dict[str, Any]:
        key = self._kit.secret("apikey")
        if not key:
            raise CallFailed("the document names no credential `apikey`")
        body = {
            "start": f"{day.isoformat()}T00:00:00",
            "end": f"{(day + DAY).isoformat()}T00:00:00",
            "tz": self._kit.source.timezone,
            "page": number,
            "page_size": ROWS,
            "sort_by": "date",
            "sort_order": "asc",
            "template": {"name": "api.json"},
        }
        headers = {"apikey": key, "Accept": "application/json", "Content-Type": "application/json"}
        answer = await self._kit.call.call(
            "POST", self._url, headers=headers, body=msgspec.json.encode(body)
        )
        found = answer.json()
        result: dict[str, Any] = found.get("result", found)
        return result

    def _record(self, document: dict[str, Any]) -> Fetched:
        at = moment_ms(document.get("published_date"))
        if at is None:
            raise CallFailed(f"mention {document['id']} has no published_date that is an instant")
        reach = walk(document, "source.metrics.reach")
        if reach is None:
            reach = walk(document, "metrics.reach")
        named: Attributes = {"id": str(document["id"]), "search": self._search}
        plain = {name: walk(document, path) for name, path in _PLAIN}
        return Fetched(at, {**attributes_of(plain), "reach": _number(reach), **named})


def _number(value: object) -> int | float:
    """A mention without a known reach has none."""
    return value if isinstance(value, int | float) and not isinstance(value, bool) else 0
