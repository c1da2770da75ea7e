"""What shards tell of a metric, put together: series grouped, buckets beside what they lie over."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from domain.aggregation.numbers import Number, add
from domain.metrics.grains import Grain, Overlay, bounds, earlier, text_of
from domain.metrics.partials import Partial, exact, shown, unpacked
from domain.metrics.rolling import figures
from domain.metrics.series import Series

Told: TypeAlias = Iterable[tuple[Series, Iterable[tuple[int, list[Any]]]]]
Group: TypeAlias = tuple[str, ...]
BUCKETS_MAX = 100_000  # of one answer


class Bucket:
    """The values of a bucket over the series of a group. `lasts` adds up the series' last ones."""

    __slots__ = ("lasts", "partial")

    def __init__(self, partial: Partial, lasts: Number) -> None:
        self.partial = partial
        self.lasts = lasts

    def figures(self, kind: str) -> dict[str, Any]:
        """As they are shown: a gauge's value is the sum of what its series were last."""
        found = figures(kind, self.partial)
        if kind == "gauge" and self.partial.count:
            found["value"] = found["last"] = shown(self.lasts)
        return found


Buckets: TypeAlias = dict[int, Bucket]


def grouped(told: Told, group: Sequence[str]) -> tuple[str, dict[Group, Buckets]]:
    """(type of the metric, buckets by start in each group). A series that several shards hold, as
    several sources give it, is one series."""
    kind = "gauge"
    whole: dict[tuple[tuple[str, str], ...], tuple[Series, dict[int, Partial]]] = {}
    for series, points in told:
        kind = series.type
        name = tuple(sorted(series.dimensions.items()))
        _, held = whole.setdefault(name, (series, {}))
        for start, packed in points:
            partial = unpacked(packed)
            if start in held:
                held[start].merge(partial)
            else:
                held[start] = partial
    groups: dict[Group, Buckets] = {}
    for series, held in whole.values():
        key = tuple(series.dimensions.get(dimension, "") for dimension in group)
        buckets = groups.setdefault(key, {})
        for start, partial in held.items():
            last = 0 if partial.last is None else partial.last[2]
            if start in buckets:
                bucket = buckets[start]
                bucket.partial.merge(partial)
                bucket.lasts = add(bucket.lasts, last)
            else:
                buckets[start] = Bucket(partial, last)
    return kind, dict(sorted(groups.items()))


Shown: TypeAlias = dict[Group, dict[int, dict[str, Any]]]


def shown_by(told: Told, group: Sequence[str]) -> Shown:
    """Figures by group and start."""
    kind, groups = grouped(told, group)
    return {
        name: {start: bucket.figures(kind) for start, bucket in buckets.items()}
        for name, buckets in groups.items()
    }


def series_shown(
    found: Shown,
    group: Sequence[str],
    starts: Sequence[int],
    grain: Grain,
    zone: str,
    overlay: Overlay | None,
    now_ms: int,
) -> list[dict[str, Any]]:
    """The series of an answer, every bucket of `starts` among their points."""
    nothing = figures("gauge", Partial())
    made = []
    below = {start: earlier(overlay, grain, zone, start) for start in starts} if overlay else {}
    texts = {at: text_of(zone, at) for at in {*starts, *below.values()}}
    ends = {start: bounds(grain, zone, start)[1] for start in starts}
    for name, held in found.items():
        points = []
        for start in starts:
            point = {"start": texts[start], **held.get(start, nothing)}
            point["partial"] = ends[start] > now_ms
            if overlay is not None:
                at = below[start]
                before = held.get(at, nothing)["value"]
                point["overlay"] = {"start": texts[at], **compared(point["value"], before)}
            points.append(point)
        dimensions = dict(zip(group, name, strict=True))
        made.append({"dimensions": dimensions, "points": points})
    return made


def compared(now: float | None, before: float | None) -> dict[str, Any]:
    """A value beside an earlier one; what can't be said is null."""
    difference = None if now is None or before is None else shown(_minus(now, before))
    ratio = None if difference is None or not before else shown(difference / before)
    return {"value": before, "difference": difference, "ratio": ratio}


def _minus(now: float, before: float) -> float:
    """Without the noise of binary fractions: 0.3 - 0.1 is 0.2."""
    return float(add(exact(now), -exact(before)))


def calculated(
    found: Mapping[str, Shown], evaluate: Callable[[Mapping[str, float | None]], float | None]
) -> Shown:
    """The values of an expression over metrics, where all that it names have one."""
    names = {name for each in found.values() for name in each}
    nothing = figures("gauge", Partial())
    made: Shown = {}
    for name in sorted(names):
        held = {metric: each.get(name, {}) for metric, each in found.items()}
        starts = {start for each in held.values() for start in each}
        made[name] = {
            start: {
                **nothing,
                "value": shown(
                    evaluate(
                        {metric: each.get(start, nothing)["value"] for metric, each in held.items()}
                    )
                ),
            }
            for start in sorted(starts)
        }
    return made
