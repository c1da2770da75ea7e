"""Salesforce: the results of SOQL queries, moved on by `SystemModstamp`.

Each query is asked for what was changed at the cursor or behind it, in that order; what is known
at the cursor itself is left out. So a lead that is edited comes again, under the same `Id` and at
the same `CreatedDate`. The org's limit of calls is watched: what is left of it belongs to others.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any

from connectors.sources.base import Cursor, Kit, Page, Window
from connectors.sources.errors import CallFailed
from connectors.sources.oauth import Tokens
from domain.aggregation.instants import print_instant
from domain.metrics.fetched import Fetched
from domain.metrics.moments import moment_ms
from domain.metrics.records import attributes_of

API = "/services/data/v62.0"
RESERVE = 0.05  # of the org's calls in a day, left for others
NEEDED = ("Id", "CreatedDate", "SystemModstamp")
_SELECT = re.compile(r"\s*SELECT\s+(?P<fields>.*?)\s+FROM\s+(?P<rest>.*)", re.I | re.S)
_BEHIND = re.compile(r"\b(?:ORDER\s+BY|LIMIT|OFFSET)\b", re.I)
_GROUPED = re.compile(r"\b(?:GROUP\s+BY|HAVING)\b", re.I)
_WHERE = re.compile(r"\bWHERE\b", re.I)


def moving(soql: str, since: str | None, until: str | None = None, by: str = NEEDED[2]) -> str:
    """The query for what is at `since` and behind, in that order. Raises CallFailed for one that
    can't be moved on."""
    found = _SELECT.fullmatch(soql)
    if found is None or _GROUPED.search(found["rest"]):
        raise CallFailed("a query must be SELECT … FROM … without GROUP BY, to be moved on by time")
    listed = [name.strip() for name in found["fields"].split(",")]
    lower = {name.lower() for name in listed}
    listed += [name for name in NEEDED if name.lower() not in lower]
    head = _BEHIND.split(found["rest"], maxsplit=1)[0].strip()
    source, *conditions = _WHERE.split(head, maxsplit=1)
    wanted = [f"({condition.strip()})" for condition in conditions]
    wanted += [f"{by} >= {since}"] if since is not None else []
    wanted += [f"{by} < {until}"] if until is not None else []
    where = f" WHERE {' AND '.join(wanted)}" if wanted else ""
    return f"SELECT {', '.join(listed)} FROM {source.strip()}{where} ORDER BY {by}, Id"


class Salesforce:
    """Its cursor: by query, `since` (the last `SystemModstamp`) and `known` (the ids at it); and
    `next`, the number of the query that a fetch goes on with."""

    RANGED = True
    BASE_URL: str | None = None

    def __init__(self, kit: Kit) -> None:
        self._kit = kit
        self._base = (kit.source.base_url or "").rstrip("/")
        self._tokens = Tokens(kit, f"{self._base}/services/oauth2/token")
        self._queries = list(kit.source.fetch["queries"])

    async def fetch(self, cursor: Cursor, window: Window | None = None) -> AsyncIterator[Page]:
        """See `Connector`. A window is of `CreatedDate`."""
        if window is not None:
            async for page in self._of_window(cursor, window):
                yield page
            return
        held = dict(cursor or {})
        queries: dict[str, Any] = dict(held.get("queries", {}))
        first = min(int(held.get("next", 0)), len(self._queries))
        for number, query in enumerate(self._queries[first:], first):
            name = query["name"]
            since, known = self._begin(queries.get(name))
            async for rows, more in self._rows(moving(query["soql"], since)):
                fresh = [
                    row
                    for row in rows
                    if not (row["Id"] in known and _instant(row["SystemModstamp"]) == since)
                ]
                for row in rows:
                    at = _instant(row["SystemModstamp"])
                    if at != since:
                        since, known = at, set()
                    known.add(row["Id"])
                queries = {**queries, name: {"since": since, "known": sorted(known)}}
                following = number if more else (number + 1) % len(self._queries)
                records = [self._record(name, row) for row in fresh]
                last = not more and number + 1 == len(self._queries)
                yield Page(records, {"next": following, "queries": queries}, last=last)

    def _begin(self, state: dict[str, Any] | None) -> tuple[str | None, set[str]]:
        if state is not None:
            return state["since"], set(state["known"])
        begin = moment_ms(self._kit.source.fetch.get("from"), self._kit.source.timezone)
        return (None if begin is None else print_instant(begin)), set()

    async def _of_window(self, cursor: Cursor, window: Window) -> AsyncIterator[Page]:
        first, end = print_instant(window.from_ms), print_instant(window.to_ms)
        for query in self._queries:
            soql = moving(query["soql"], first, end, by="CreatedDate")
            async for rows, _ in self._rows(soql):
                yield Page([self._record(query["name"], row) for row in rows], cursor)

    async def _rows(self, soql: str) -> AsyncIterator[tuple[list[dict[str, Any]], bool]]:
        """Page by page: its rows, and whether there are more."""
        url, params = f"{self._base}{API}/query", {"q": soql}
        while True:
            self._watch()
            answer = await self._tokens.call("GET", url, params=params)
            body = answer.json()
            following = None if body["done"] else body.get("nextRecordsUrl")
            yield body["records"], following is not None
            if following is None:
                return
            url, params = f"{self._base}/{str(following).lstrip('/')}", {}

    def _watch(self) -> None:
        limits = self._kit.call.limits
        if limits.left is not None and limits.left <= (limits.most or 0) * RESERVE:
            self._kit.call.told(type(limits)())  # the next fetch looks again
            raise CallFailed(
                f"{limits.left} of {limits.most} calls of the org are left; "
                "the source goes on when there are more"
            )

    def _record(self, query: str, row: dict[str, Any]) -> Fetched:
        created = moment_ms(row["CreatedDate"])
        if created is None:
            raise CallFailed(f"query {query}: CreatedDate {row['CreatedDate']!r} is no instant")
        plain = {name: value for name, value in row.items() if name != "attributes"}
        return Fetched(created, {**attributes_of(plain), "query": query})


def _instant(text: str) -> str:
    """`SystemModstamp` as SOQL takes it: an instant in UTC."""
    at = moment_ms(text)
    if at is None:
        raise CallFailed(f"SystemModstamp {text!r} is no instant")
    return print_instant(at)
