"""Periods of usage, and what their charts show."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from app.facade.rollups import instant_in
from app.insight_backend import CHARTS, Chart, Point
from domain.aggregation.instants import MIN_INSTANT_MS
from domain.insight.usage import Tally

HOUR_MS, DAY_MS = 3_600_000, 86_400_000
USUAL_MS = 30 * DAY_MS
BY_HOURS_MS = 2 * DAY_MS  # periods up to this are shown by the hour
POINTS = 400  # of a chart: in longer periods only days that have any


class Period(NamedTuple):
    """[from_ms, to_ms), shown in buckets of `grain_ms` (UTC)."""

    from_ms: int
    to_ms: int
    grain_ms: int

    def bucket(self, at_ms: int) -> int:
        """The bucket that an instant is in; the first begins with the period."""
        return max(at_ms // self.grain_ms * self.grain_ms, self.from_ms)


def period_of(from_: str, to: str, now_ms: int) -> Period:
    """As it is asked for; "" is up to now, and 30 days before the end. Raises BadRange."""
    to_ms = instant_in("UTC", "to", to) if to else now_ms + 1
    from_ms = instant_in("UTC", "from", from_) if from_ else max(to_ms - USUAL_MS, MIN_INSTANT_MS)
    return Period(from_ms, to_ms, HOUR_MS if to_ms - from_ms <= BY_HOURS_MS else DAY_MS)


def _by_bucket(tally: Tally, period: Period) -> dict[int, int]:
    found: dict[int, int] = {}
    for (hour_ms, _), count in tally.items():
        bucket = period.bucket(hour_ms)
        found[bucket] = found.get(bucket, 0) + count
    return found


def _by_placeholder(tally: Tally) -> dict[str, int]:
    found: dict[str, int] = {}
    for (_, name), count in tally.items():
        found[name] = found.get(name, 0) + count
    return found


def charts_of(tallies: Mapping[str, Tally], period: Period) -> dict[str, Sequence[Point]]:
    """The four charts: points of every bucket, and banners by placeholder, most first."""
    found: dict[str, Sequence[Point]] = {}
    for chart in ("synced_pages", "messages", "banners"):
        found[chart] = _points(_by_bucket(tallies[CHARTS[chart]], period), period)
    placed = sorted(_by_placeholder(tallies["banner"]).items(), key=lambda one: (-one[1], one[0]))
    found["banners_by_placeholder"] = [Point(value, placeholder=name) for name, value in placed]
    return found


def _points(values: Mapping[int, int], period: Period) -> list[Point]:
    span_ms = period.to_ms - period.from_ms
    if span_ms <= 0 or span_ms // period.grain_ms > POINTS:
        return [Point(value, at_ms) for at_ms, value in sorted(values.items())]
    found, at_ms = [], period.from_ms
    while at_ms < period.to_ms:
        found.append(Point(values.get(at_ms, 0), at_ms))
        at_ms = (at_ms // period.grain_ms + 1) * period.grain_ms
    return found


def highest_of(chart: Chart, tally: Tally, period: Period) -> Point | None:
    """The highest bucket, the first of those that are alike; of banners by placeholder that of one
    placeholder."""
    if chart != "banners_by_placeholder":
        values = _by_bucket(tally, period)
        points = [Point(value, at_ms) for at_ms, value in values.items()]
    else:
        placed: dict[tuple[int, str], int] = {}
        for (hour_ms, name), count in tally.items():
            at = period.bucket(hour_ms), name
            placed[at] = placed.get(at, 0) + count
        points = [Point(value, at_ms, name) for (at_ms, name), value in placed.items()]
    return min(
        points,
        key=lambda point: (-point.value, point.at_ms or 0, point.placeholder or ""),
        default=None,
    )
