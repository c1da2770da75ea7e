"""GitHub: stars, forks, watchers, open pull requests and traffic of repositories.

A page is a repository. ETags of what was answered are kept: what has not changed is answered with
304, which costs nothing of the limit; its figures are then archived again once an hour, so that no
hour is without them. Traffic is by day, and replaced while it settles; without the right to it, it
is left out.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from typing import Any

from connectors.sources.base import Cursor, Kit, Page, Window
from connectors.sources.caller import Answer
from connectors.sources.errors import CallFailed
from connectors.sources.snapshots import snapshot
from domain.aggregation.instants import print_instant
from domain.metrics.fetched import Fetched
from domain.metrics.moments import moment_ms
from domain.metrics.records import Attributes, attributes_of

HOUR_MS = 3_600_000
_OF_ONE = (404, 410, 451)  # refused of one repository, not of all
PULLS = 100  # of a page
_NEXT = re.compile(r'<([^>]*)>\s*;[^,]*?\brel="next"')
_TRAFFIC = (("views", "views", "visitors"), ("clones", "clones", "cloners"))
_FIGURES = (
    "id", "name", "full_name", "stargazers_count", "forks_count", "subscribers_count",
    "watchers_count", "open_issues_count", "size", "language", "default_branch", "archived",
    "created_at", "pushed_at",
)  # fmt: skip


class Github:
    """Its cursor: `left` (the repositories that a fetch that was cut short had yet to ask for; it
    was `next` before, the number of the first of them) and, by repository, `tags`, `figures`, when
    they were archived last (`at`), and the last `days` of traffic."""

    RANGED = False
    BASE_URL = "https://api.github.com"

    def __init__(self, kit: Kit) -> None:
        self._kit = kit
        self._base = (kit.source.base_url or self.BASE_URL).rstrip("/")
        self._repositories = list(kit.source.fetch["repositories"])

    async def fetch(self, cursor: Cursor, window: Window | None = None) -> AsyncIterator[Page]:
        """See `Connector`. One that is refused fails the fetch when all others were asked."""
        held = cursor or {}
        known: dict[str, Any] = {
            name: value
            for name, value in held.get("repositories", {}).items()
            if name in self._repositories
        }
        left, trouble = self._left(held, known), None
        while left:
            name, *left = left
            try:
                records, state = await self._repository(name, known.get(name, {}))
            except CallFailed as error:
                if error.status not in _OF_ONE:
                    raise
                trouble = error  # the others don't wait for it
                continue
            known = {**known, name: state}
            last = not left and trouble is None
            yield Page(records, {"left": left, "repositories": known}, last=last)
        if trouble is not None:
            raise trouble

    def _left(self, held: Mapping[str, Any], known: Mapping[str, Any]) -> list[str]:
        """The repositories to ask for. A fetch that goes on in a later hour asks again for those
        that it had behind it: they too have figures of that hour."""
        every = self._repositories
        left = held.get("left", every[int(held.get("next", 0)) :])
        left = [name for name in left if name in every]
        hour = self._kit.now_ms() // HOUR_MS
        if not left:
            return every
        return left + [
            name
            for name in every
            if name not in left and known.get(name, {}).get("at", 0) // HOUR_MS < hour
        ]

    async def _repository(
        self, name: str, state: dict[str, Any]
    ) -> tuple[list[Fetched], dict[str, Any]]:
        tags: dict[str, str] = dict(state.get("tags", {}))
        figures: Attributes = dict(state.get("figures", {}))
        now, changed = self._kit.now_ms(), False
        answer = await self._ask(f"/repos/{name}", tags)
        if answer is not None:
            body = answer.json()
            found = attributes_of({key: body[key] for key in _FIGURES if key in body})
            figures, changed = {**figures, **found}, True
        pulls = await self._pulls(name, tags)
        if pulls is not None:
            figures, changed = {**figures, "open_pulls": pulls}, True
        records = []
        at = int(state.get("at", 0))
        if changed or at // HOUR_MS < now // HOUR_MS:
            records.append(snapshot(now, {**figures, "full_name": name}))
            at = now
        traffic, days = await self._traffic(name, tags, state.get("days", {}))
        return records + traffic, {"tags": tags, "figures": figures, "at": at, "days": days}

    async def _pulls(self, name: str, tags: dict[str, str]) -> int | None:
        """How many are open; None when that has not changed. The tag is that of the first page: one
        that is full does not tell of those behind it, and is always asked for."""
        path = f"/repos/{name}/pulls?state=open&per_page={PULLS}"
        answer = await self._ask(path, tags)
        if answer is None:
            return None
        count = len(answer.json())
        if count >= PULLS:
            tags.pop(path, None)
        while (link := _NEXT.search(answer.headers.get("Link", ""))) is not None:
            answer = await self._call(self._same(link[1]), {})
            count += len(answer.json())
        return count

    async def _traffic(
        self, name: str, tags: dict[str, str], days: dict[str, Any]
    ) -> tuple[list[Fetched], dict[str, Any]]:
        """Days whose figures are new, and the figures of all days that GitHub still tells."""
        if self._kit.source.fetch.get("traffic") is False:
            return [], {}
        records: list[Fetched] = []
        told = dict(days)
        for kind, total, unique in _TRAFFIC:
            try:
                answer = await self._ask(f"/repos/{name}/traffic/{kind}", tags)
            except CallFailed as error:
                if error.status in (403, 404):  # not for everybody who may read the repository
                    continue
                raise
            if answer is None:
                continue
            found = {day["timestamp"]: day for day in answer.json()[kind]}
            for stamp, day in found.items():
                figures = [day["count"], day["uniques"]]
                at = moment_ms(stamp)
                if at is None or told.get(f"{kind} {stamp}") == figures:
                    continue
                told[f"{kind} {stamp}"] = figures
                named: Attributes = {"kind": kind, "at": print_instant(at), "full_name": name}
                records.append(Fetched(at, {**named, total: figures[0], unique: figures[1]}))
            told = {
                key: figures
                for key, figures in told.items()
                if not key.startswith(f"{kind} ") or key.removeprefix(f"{kind} ") in found
            }
        return records, told

    async def _ask(self, path: str, tags: dict[str, str]) -> Answer | None:
        """The answer, whose tag is kept; None for what has not changed."""
        headers = {"If-None-Match": tags[path]} if path in tags else {}
        answer = await self._call(f"{self._base}{path}", headers)
        if answer.status == 304:
            return None
        tag = answer.headers.get("ETag")
        if tag is None:
            tags.pop(path, None)
        else:
            tags[path] = tag
        return answer

    async def _call(self, url: str, headers: dict[str, str]) -> Answer:
        sent = {
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": "2022-11-28",
            **headers,
        }
        token = self._kit.secret("token")
        if token:
            sent["Authorization"] = f"Bearer {token}"
        return await self._kit.call.call("GET", url, headers=sent, allow=(304,))

    def _same(self, url: str) -> str:
        if not url.startswith(f"{self._base}/"):
            raise CallFailed("the answer names a next page on another host; it is not asked")
        return url
