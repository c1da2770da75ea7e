"""Figures that the tests' backend tells."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

from app.alert_shapes import (
    AlertStatus,
    DigestRefused,
    DigestSent,
    DigestStatus,
    WaitingMail,
)
from app.backend import IdempotencyConflict
from app.metrics_backend import Asked, BadRange, Figured, MetricDimensions, TooManyBuckets
from app.sql.run import SqlLimit, SqlRefused
from domain.masking import Masker
from tests.app.web import made_figures
from tests.app.web.made import NOW_MS

POINT = {
    "start": "2024-03-31T00:00:00+01:00", "value": 12, "count": 1, "sum": 12, "min": 12, "max": 12,
    "last": 12, "mean": 12, "stddev": 0, "partial": False,
}  # fmt: skip
NOTHING = {**POINT, **dict.fromkeys(("value", "sum", "min", "max", "last", "mean", "stddev"))}
NOTHING |= {"start": "2024-04-01T00:00:00+02:00", "count": 0, "partial": True}
BESIDE = {"start": "2024-03-24T00:00:00+01:00", "value": 10, "difference": 2, "ratio": 0.2}


class FakeFigures:
    """Two days of one series, whatever is asked; made up ones of `shop.*` for up to `shops`."""

    shops = 12
    unheard: Collection[str] = ()
    size: str

    async def figures(self, asked: Asked) -> Figured:
        if asked.metric.startswith("shop."):
            return made_figures.figured(asked, NOW_MS, self.shops)
        if asked.from_ == "soon":
            raise BadRange("from", "soon", "a date")
        if asked.grain == "hour" and asked.from_ == "1900-01-01":
            raise TooManyBuckets(100_000)
        if asked.metric in self.unheard:
            return Figured(asked.metric, asked.grain, asked.zone or "UTC", [])
        over = {"overlay": BESIDE} if asked.overlay else {}
        points = [{**point, **over} for point in (POINT, NOTHING)]
        names = dict.fromkeys(asked.group, "a")
        series = [{"dimensions": names, "points": points}]
        return Figured(asked.metric, asked.grain, asked.zone or "UTC", series)

    async def metric_dimensions(
        self, metric: str, named: Collection[str] = ()
    ) -> MetricDimensions | None:
        return None if metric in self.unheard else MetricDimensions({"repo", "shop", "customer"})

    async def sql(self, statement: str, masker: Masker | None = None) -> dict[str, Any]:
        if "passwd" in statement:
            raise SqlRefused("one SELECT is wanted, and nothing else")
        if "forever" in statement:
            raise SqlLimit("the statement took more than 10 s")
        columns = [{"name": "metric", "type": "VARCHAR"}]
        return {"columns": columns, "rows": [["github.stars"]], "truncated": False}

    async def metric_alerts(self) -> Sequence[AlertStatus]:
        text = "github.stars is at 101.5, the high mark is 100"
        since_ms, changed = NOW_MS - 600_000, self.alert_changes
        high = AlertStatus("too-high", "metric", "github.stars", 100, True, since_ms, 101.5, "", 0,
                           text, since_ms)  # fmt: skip
        calls = AlertStatus("calls", "source", "stars", 0, False, 0, None, "", 0)
        more = [replace(calls, name=f"calls-{n:03}") for n in range(118)]
        found = {"none": [], "little": [high, calls], "big": [high, calls, *more]}[self.size]
        return [replace(one, **changed.get(one.name, {})) for one in found]

    @property
    def alert_changes(self) -> dict[str, dict[str, Any]]:
        """What was said of alerts, by name."""
        found: dict[str, dict[str, Any]] = self.__dict__.setdefault("_alert_changes", {})
        return found

    async def change_alert(
        self, name: str, changes: Mapping[str, str | int], key: str | None = None
    ) -> bool:
        if key == "taken":
            raise IdempotencyConflict(key)
        if name not in ("too-high", "calls"):
            return False
        self.alert_changes.setdefault(name, {}).update(changes)
        return True

    async def digests(self) -> Sequence[DigestStatus]:
        if self.size == "none":
            return []
        wait = WaitingMail("digest:daily/day/2025-11-01", "ann@example.com", "the mail server: no")
        return [
            DigestStatus("daily", "day", "07:00", "UTC", ["ann@example.com"], "2025-11-01",
                         NOW_MS - 3_600_000, NOW_MS + 82_800_000, [wait]),
            DigestStatus("weekly", "week", "07:00", "UTC", [], "", 0, NOW_MS + 82_800_000, []),
        ]  # fmt: skip

    async def send_digest(self, name: str, day: date | None, key: str | None) -> DigestSent | None:
        if name == "weekly":
            raise DigestRefused(name, "its document names nobody in `to`")
        if name != "daily":
            return None
        told = "2025-11-02" if day is None else day.isoformat()
        return DigestSent(f"digest:daily/day/{told}/{key}", name, told, told, ["ann@example.com"])

    async def known_metrics(self) -> Mapping[str, tuple[str, str]]:
        return {"github.stars": ("gauge", "UTC"), "shop.visits": ("counter", made_figures.ZONE)}
