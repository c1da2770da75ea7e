"""A dashboard to look at: every kind of widget, on figures of `shop.*` that are made up."""

from typing import Any

from app.metrics_backend import Asked, Figured
from domain.metrics.combining import compared
from domain.metrics.grains import bounds, buckets, earlier, text_of
from domain.metrics.moments import moment_ms

SHOPS = ("Berlin", "Göteborg", "Kraków", "Lisboa", "München", "Zürich", "Århus", "Ålesund")
GROUPED = {"group": ["shop"], "metric": "shop.visits"}
BOARD: dict[str, Any] = {
    "kind": "dashboard", "name": "growth", "title": "Growth",
    "widgets": [
        {"type": "line", "title": "Visits", **GROUPED},
        {"type": "bar", "title": "Visits by week", **GROUPED, "grain": "week", "range": "35d",
         "where": {"shop": ["Berlin", "Göteborg", "Kraków"]}},
        {"type": "pie", "title": "Who came where", **GROUPED},
        {"type": "scatter", "title": "Orders of each day", "metric": "shop.orders",
         "overlay": "week"},
        {"type": "number", "title": "Orders", "metric": "shop.orders", "overlay": "month"},
        {"type": "line", "title": "Orders over the week before", "metric": "shop.orders",
         "overlay": "week"},
        {"type": "bar", "title": "Orders by hour", "metric": "shop.orders", "grain": "hour",
         "range": "24h"},
        {"type": "line", "title": "Not heard of", "metric": "shop.nothing"},
        {"type": "table", "title": "Visits and the year before", **GROUPED, "grain": "month",
         "range": "365d", "overlay": "year"},
    ],
}  # fmt: skip
SOURCE: dict[str, Any] = {
    "kind": "source", "name": "stars", "connector": "github", "schedule": "*/15 * * * *",
    "credentials": {"token": "GITHUB"}, "fetch": {"repositories": ["acme/alpha"]},
}  # fmt: skip
ZONE = "Europe/Stockholm"


def figured(asked: Asked, now_ms: int, series: int) -> Figured:
    """The same for the same question: up to `series` shops, a gap on every 11th bucket."""
    from_ms = moment_ms(asked.from_)
    assert from_ms is not None
    names = [name for name in _shops(series) if name in asked.where.get("shop", [name])]
    groups = names if asked.group else [""]
    if asked.metric == "shop.nothing":
        groups = []
    starts = [start for start, _ in buckets(asked.grain, ZONE, from_ms, now_ms, 100_000)]
    made = []
    for k, name in enumerate(groups):
        points = [_point(asked, start, k, now_ms) for start in starts]
        made.append({"dimensions": dict.fromkeys(asked.group, name), "points": points})
    return Figured(asked.metric, asked.grain, ZONE, made)


def _shops(most: int) -> list[str]:
    return [SHOPS[n] if n < len(SHOPS) else f"Shop number {n}" for n in range(most)]


def _value(start_ms: int, k: int) -> int | None:
    day = start_ms // 86_400_000
    if (start_ms // 3_600_000 + k) % 11 == 0:
        return None
    return 1000 * (k + 2) + (day * 37 * (k + 1)) % 600 + (day % 7) * 90


def _point(asked: Asked, start: int, k: int, now_ms: int) -> dict[str, Any]:
    value = _value(start, k)
    names = ("sum", "min", "max", "last", "mean")
    point: dict[str, Any] = {"start": text_of(ZONE, start), "value": value,
                             "count": 0 if value is None else 1, **dict.fromkeys(names, value),
                             "stddev": None if value is None else 0,
                             "partial": bounds(asked.grain, ZONE, start)[1] > now_ms}  # fmt: skip
    if asked.overlay:
        at = earlier(asked.overlay, asked.grain, ZONE, start)
        before = _value(at, k)
        over = compared(value, None if before is None else before - 150)
        point["overlay"] = {"start": text_of(ZONE, at), **over}
    return point
