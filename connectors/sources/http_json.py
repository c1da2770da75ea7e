"""Any JSON API: URL, paging, cursor and fields are in the document.

    fetch: {path, params, headers, records, key, ts, paging, cursor}

`records` is the path of the list in the answer; without it the answer is the list. `paging`:
`{next, param}` (a token, or the next URL, at path `next`), `link` (the header), `page` or `offset`
(parameters of that name). `cursor: {field, param}` asks for what is behind the last record; without
one every fetch begins at the beginning, and records of a known key replace each other. A parameter
or header that is `{NAME}` is the credential NAME.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import urljoin, urlsplit

from connectors.sources.base import Cursor, Kit, Page, Window
from connectors.sources.caller import Answer
from connectors.sources.errors import CallFailed
from domain.metrics.fetched import Fetched
from domain.metrics.moments import moment_ms
from domain.metrics.records import attributes_of
from domain.metrics.walk import walk

_LINK = re.compile(r'<([^>]*)>\s*;[^,]*?\brel="?next"?')
_NAMED = re.compile(r"\{([a-z_]+)\}")
SIZES = ("limit", "per_page", "page_size", "pageSize", "size", "count")


class HttpJson:
    """See the module. Its cursor: `last` (the field of the last record), and inside a fetch `since`
    (what it began with) and `next`."""

    RANGED = True
    BASE_URL: str | None = None

    def __init__(self, kit: Kit) -> None:
        self._kit = kit
        self._fetch = kit.source.fetch
        base = kit.source.base_url or ""
        self._url = urljoin(base.rstrip("/") + "/", str(self._fetch.get("path", "")).lstrip("/"))

    async def fetch(self, cursor: Cursor, window: Window | None = None) -> AsyncIterator[Page]:
        """See `Connector`. A window leaves out what is of other times."""
        state: dict[str, Any] = {} if window is not None else dict(cursor or {})
        if "next" not in state and "last" in state:
            state["since"] = state["last"]
        while True:
            answer = await self._ask(state)
            body = answer.json()
            items = self._items(body)
            records = [self._record(item, number) for number, item in enumerate(items)]
            state = self._moved(state, items)
            following = self._next(state.get("next"), answer, body, len(items))
            if following is None:
                state.pop("next", None)
                state.pop("since", None)
            else:
                state["next"] = following
            if window is not None:
                records = [r for r in records if window.from_ms <= r.ts_ms < window.to_ms]
                yield Page(records, cursor)
            else:
                yield Page(records, dict(state), last=following is None)
            if following is None:
                return

    async def _ask(self, state: Mapping[str, Any]) -> Answer:
        params = {name: self._filled(str(v)) for name, v in self._fetch.get("params", {}).items()}
        headers = {"Accept": "application/json"}
        headers |= {name: self._filled(v) for name, v in self._fetch.get("headers", {}).items()}
        token = self._kit.secret("token")
        if token:
            headers["Authorization"] = f"Bearer {token}"
        moves = self._fetch.get("cursor")
        if moves is not None and state.get("since") is not None:
            params[moves["param"]] = str(state["since"])
        following, paging, url = state.get("next"), self._fetch.get("paging"), self._url
        if paging in ("page", "offset"):
            params[paging] = str(following if following is not None else int(paging == "page"))
        elif following is not None:
            if paging == "link" or str(following).startswith(("http://", "https://", "/")):
                url, params = self._same_origin(str(following)), {}
            elif isinstance(paging, Mapping):
                params[paging["param"]] = str(following)
        return await self._kit.call.call("GET", url, params=params, headers=headers)

    def _filled(self, text: str) -> str:
        named = _NAMED.fullmatch(text)
        if named is None or named[1] not in self._kit.source.credentials:
            return text
        return self._kit.secret(named[1])

    def _same_origin(self, target: str) -> str:
        url = urljoin(self._url, target)
        if urlsplit(url)[:2] != urlsplit(self._url)[:2]:
            raise CallFailed(
                f"{urlsplit(self._url).hostname} names a next page at "
                f"{urlsplit(url).hostname}; another host is not asked"
            )
        return url

    def _items(self, body: object) -> list[object]:
        path = self._fetch.get("records")
        found = body if path is None else walk(body, path)
        if found is None and path is not None:
            return []
        if isinstance(found, list):
            return found
        if path is None and isinstance(found, dict):
            return [found]
        where = "the answer" if path is None else f"`{path}` of the answer"
        raise CallFailed(f"{where} is no list; `records` is the path of the list of records")

    def _record(self, item: object, number: int) -> Fetched:
        record = item if isinstance(item, dict) else {"value": item}
        path = self._fetch.get("ts")
        if path is None:
            return Fetched(self._kit.now_ms(), attributes_of(record))
        at = moment_ms(walk(record, path), self._kit.source.timezone)
        if at is None:
            raise CallFailed(
                f"record {number} of the answer has no time at `{path}`; "
                "an ISO instant, a date or an epoch number is one"
            )
        return Fetched(at, attributes_of(record))

    def _moved(self, state: dict[str, Any], items: list[object]) -> dict[str, Any]:
        moves = self._fetch.get("cursor")
        if moves is None:
            return dict(state)
        last = state.get("last")
        for item in items:
            found = walk(item, moves["field"])
            if isinstance(found, str | int | float) and not isinstance(found, bool):
                last = _later(last, found)
        return dict(state) if last is None else {**state, "last": last}

    def _next(self, at: Any, answer: Answer, body: object, count: int) -> Any:
        """What the next page is asked with; None behind the last."""
        paging = self._fetch.get("paging")
        if isinstance(paging, Mapping):
            found = walk(body, paging["next"])
            return found if isinstance(found, str | int) and found not in ("", False) else None
        if paging == "link":
            link = _LINK.search(answer.headers.get("Link", ""))
            return None if link is None else link[1]
        if paging is None or count == 0 or count < self._size():
            return None
        if paging == "page":
            return (1 if at is None else int(at)) + 1
        return (0 if at is None else int(at)) + count

    def _size(self) -> int:
        """Records of a full page, as far as the parameters tell."""
        params = self._fetch.get("params", {})
        sizes = (str(params.get(name, "")) for name in SIZES)
        return next((int(text) for text in sizes if text.isascii() and text.isdigit()), 0)


def _later(one: Any, other: Any) -> Any:
    """Of two values of a cursor the later: numbers and times by size, else the one that came
    last."""
    if isinstance(one, int | float) and isinstance(other, int | float):
        return max(one, other)
    if isinstance(one, str) and isinstance(other, str):
        times = moment_ms(one), moment_ms(other)
        if times[0] is not None and times[1] is not None and times[0] > times[1]:
            return one
    return other
