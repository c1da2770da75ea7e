"""Usage: what did the campaigns of a period bring?"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple
from urllib.parse import urlencode

from aiohttp import web

from app.insight_backend import CHARTS, Chart, Point
from app.web.api.usage import detail_of, usage_of
from app.web.bars import Bar, bars
from app.web.context import BACKEND
from app.web.pages.shell import Context, Page, View
from app.web.params import cursor

DAY_MS = 86_400_000
ROWS = 50
NAMES: Mapping[Chart, str] = {
    "synced_pages": "Synced pages",
    "messages": "Sent messages",
    "banners": "Banners viewed",
    "banners_by_placeholder": "Banners by placeholder",
    "leads": "Leads",
    "conversions": "Conversions",
}
SHOWN: Sequence[Chart] = ("synced_pages", "messages", "banners", "banners_by_placeholder")


class Drawn(NamedTuple):
    """A chart as the page shows it."""

    chart: Chart
    name: str
    total: int
    bars: list[Bar]
    link: str


def _drawn(points: Sequence[Point]) -> list[Bar]:
    return bars([(one.value, one.at_ms, one.placeholder or "no placeholder") for one in points])


def _period(request: web.Request) -> dict[str, str]:
    return {name: request.query[name] for name in ("from", "to") if request.query.get(name)}


def _address(path: str, query: Mapping[str, str]) -> str:
    return f"{path}?{urlencode(query)}" if query else path


def _day(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).date().isoformat()


def _quick(now_ms: int) -> list[tuple[str, dict[str, str]]]:
    """Periods that are asked for most, up to the end of today."""
    end = _day(now_ms + DAY_MS)
    return [
        (name, {"from": _day(now_ms - (days - 1) * DAY_MS), "to": end})
        for name, days in (("Today", 1), ("7 days", 7), ("30 days", 30), ("Quarter", 92))
    ]


def _shared(request: web.Request, from_ms: int, to_ms: int, now_ms: int) -> dict[str, Any]:
    query = _period(request)
    whole = _day(to_ms) if to_ms % DAY_MS == 0 else _day(to_ms + DAY_MS)
    return {
        "from_ms": from_ms,
        "to_ms": to_ms,
        "from_day": _day(from_ms),
        "to_day": whole,
        "quick": [
            (name, _address(request.path, span), span == query) for name, span in _quick(now_ms)
        ],
        "back": _address("/usage", query),
    }


async def build(request: web.Request) -> Context:
    """The five figures and the four charts."""
    found = await usage_of(request)
    now_ms = (await request.app[BACKEND].clock_info()).now_ms
    query = _period(request)
    return {
        **_shared(request, found.from_ms, found.to_ms, now_ms),
        "found": found,
        "charts_shown": [
            Drawn(
                chart,
                NAMES[chart],
                sum(point.value for point in found.charts[chart]),
                _drawn(found.charts[chart]),
                _address(f"/usage/{chart}", query),
            )
            for chart in SHOWN
        ],
        "leads": _address("/usage/leads", query),
        "conversions": _address("/usage/conversions", query),
        "grain": "hour" if found.grain_ms < DAY_MS else "day",
    }


async def build_detail(request: web.Request) -> Context:
    """A chart's total, its highest value and when, the events behind it."""
    found = await detail_of(request, ROWS)
    now_ms = (await request.app[BACKEND].clock_info()).now_ms
    query = _period(request)
    return {
        **_shared(request, found.from_ms, found.to_ms, now_ms),
        "found": found,
        "name": NAMES[found.chart],
        "what": CHARTS[found.chart].replace("_", " "),
        "grain": "hour" if found.grain_ms < DAY_MS else "day",
        "records": found.records.items,
        "more": _address(request.path, {**query, "cursor": found.records.next})
        if found.records.next
        else "",
        "first": _address(request.path, query) if cursor(request) else "",
    }


PAGE = Page(
    "Usage",
    "u",
    (
        View("/usage", "usage.html", build, ("answer", "figures", "charts"), every_s=10.0),
        View("/usage/{chart}", "usage_chart.html", build_detail),
    ),
)
