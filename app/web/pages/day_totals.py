"""A day's reconciliation: what came in, where it is now, what was flushed, by aggregator."""

from datetime import date, timedelta
from urllib.parse import urlencode

from aiohttp import web

from app.day_shapes import DayTotals
from app.web.context import BACKEND
from app.web.pages.shell import Context
from app.web.problems import bad_parameter
from domain.aggregation.instants import print_instant

ADDRESS = "/sessions/day"
PLACES = ("opening", "in", "flushed", "duplicates", "rejected", "expired", "deleted", "open")


async def build(request: web.Request) -> Context:
    """The day that is asked for, else today as far as it has come."""
    backend = request.app[BACKEND]
    today = print_instant((await backend.clock_info()).now_ms)[:10]
    day = _day(request.query.get("day") or today, today)
    name = request.query.get("aggregator", "")
    names = [item.name for item in await backend.documents("aggregator")]
    found = await backend.day_totals(day.isoformat(), name or None)
    before = day - timedelta(days=1) if day > date.min else None
    after = day + timedelta(days=1) if day.isoformat() < today else None
    return {
        "found": found,
        "day": day.isoformat(),
        "over": day.isoformat() < today,
        "today": today,
        "name": name,
        "names": names if not name or name in names else [*names, name],
        "came": sum(item.count["in"] for item in found.items),
        "unbalanced": [item.aggregator for item in found.items if not item.balanced],
        "before": address(before.isoformat(), name) if before else "",
        "after": address(after.isoformat(), name) if after else "",
        "places": PLACES,
        "results_of": {item.aggregator: _results(item) for item in found.items},
    }


def _results(item: DayTotals) -> list[str]:
    """The sums there are of any flush type."""
    return sorted({result for kind in item.flushes for result in kind.sums})


def _day(text: str, today: str) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise bad_parameter("day", text, "a day like 2024-09-03") from None
    if day.isoformat() > today:
        raise bad_parameter("day", text, f"a day up to today, which is {today} (UTC)")
    return day


def address(day: str, name: str) -> str:
    """The page of a day, of one aggregator or (empty) of all."""
    query = {"day": day, "aggregator": name}
    return f"{ADDRESS}?{urlencode({key: text for key, text in query.items() if text})}"
