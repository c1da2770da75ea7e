"""The campaigns of a day as one shard tells them, a page at a time.

What has a part in a day has a row in the index of days (`o/<day>/<request>`), which holds what the
list is sorted and searched by: campaigns of other days are not read, of this day's those that are
shown.
"""

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from typing import Any

from domain.campaigns import views
from domain.campaigns.book import Book
from domain.campaigns.days import day_of, parse_day
from domain.campaigns.document import Flows
from domain.campaigns.keys import flow_of_request
from domain.campaigns.rows import OnDay

HOUR_MS = 3_600_000
ZONES_MS = (-12 * HOUR_MS, 0, 14 * HOUR_MS)  # what clocks on earth show, from first to last
JUDGED = 100  # campaigns that are looked at for an answer: some 10 ms


def listed(book: Book, asked: Mapping[str, Any], now_ms: int, flows: Flows) -> Any:
    """Campaigns of a day, the newest first: `{"tabs", "items": [[order, campaign]], "reached"}`, at
    most `limit` of them behind `after`. Each is of the day in its own zone. `reached`: the order of
    the last of the `judged` ones that were looked at, None when there is none behind them.
    """
    found: list[tuple[str, str, str]] = []
    tabs: dict[str, int] = dict.fromkeys(("uploaded", "attempted", "negative", "pending"), 0)
    asked_day = None if asked["day"] is None else parse_day(asked["day"])
    for day in [asked_day] if asked_day else _todays(now_ms):
        for request_id, one in _on(book, day, None if asked_day else now_ms):
            if _matches(request_id, one, asked["q"]):
                found.append((_order(request_id, one), request_id, day))
        for name, number in views.tabs(book, day, None if asked_day else now_ms).items():
            tabs[name] += number
    found.sort()
    first = 0 if asked["after"] is None else bisect_right(found, asked["after"], key=lambda f: f[0])
    items: list[list[Any]] = []
    judged = 0
    for order, request_id, day in found[first : first + JUDGED]:
        judged += 1
        shown = views.campaign_json(book, request_id, day, now_ms, flows)
        if shown is not None and asked["status"] in (None, shown["status"]):
            items.append([order, shown])
        if len(items) == asked["limit"]:
            break
    reached = found[first + judged - 1][0] if first + judged < len(found) else None
    return {"tabs": tabs, "items": items, "reached": reached, "judged": judged}


def _todays(now_ms: int) -> list[str]:
    """The days that are today somewhere."""
    return sorted({day_of("UTC", now_ms + more_ms) for more_ms in ZONES_MS})


def _on(book: Book, day: str, now_ms: int | None) -> Iterator[tuple[str, OnDay]]:
    """The campaigns of a day; with `now_ms` those that it is today for."""
    today: dict[str, str] = {}
    for request_id, one in views.on_days(book, day, day):
        if now_ms is not None:
            if one.timezone not in today:
                today[one.timezone] = day_of(one.timezone, now_ms)
            if today[one.timezone] != day:
                continue
        yield request_id, one


def _order(request_id: str, one: OnDay) -> str:
    """Sorts the newest upload first, alike in all shards."""
    return f"{10**15 - one.created_ms:016}/{request_id}"


def _matches(request_id: str, one: OnDay, text: str) -> bool:
    wanted = text.casefold()
    texts = (request_id, one.name, flow_of_request(request_id))
    return not wanted or any(wanted in each.casefold() for each in texts)
