"""Questions to the rows of one shard: the figures of a metric's series by bucket, in any zone.

In the series' own zone the buckets are there. In another zone they are merged from quarters of an
hour, and from whole days of the series' zone where these lie within a bucket.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import msgspec

from domain.metrics import partials
from domain.metrics.grains import Grain, bounds
from domain.metrics.partials import Partial
from domain.metrics.rolling import cube_of
from domain.metrics.series import (
    METRIC,
    QUARTER,
    Rows,
    Series,
    between,
    cube_prefix,
    decode_series,
    plain,
)

Points: TypeAlias = list[tuple[int, list[Any]]]
"""(start of a bucket in epoch ms, packed partial), in order; those without values are left out."""


PAGE = 1000  # rows read at a time at most
_DAY_MS = 86_400_000
LEAST_MS: Mapping[Grain, int] = {
    "hour": 1_800_000, "day": 20 * 3_600_000, "week": 6 * _DAY_MS, "month": 27 * _DAY_MS,
    "quarter": 89 * _DAY_MS, "year": 364 * _DAY_MS,
}  # fmt: skip
"""No bucket is shorter, whatever the zone's clocks do."""


class Question(msgspec.Struct, frozen=True):
    """Buckets of a metric that overlap [from, to). `where`: dimension -> the values it may have."""

    metric: str
    grain: Grain
    zone: str
    from_ms: int
    to_ms: int
    where: Mapping[str, Sequence[str]]


def series_of(rows: Rows, metric: str) -> list[tuple[bytes, Series]]:
    """(id, series) of all series of a metric."""
    prefix = METRIC + metric.encode() + b"\0"
    found, after = [], b""
    while part := rows.scan(prefix, after, 1000):
        found += [(key[len(prefix) :], decode_series(value)) for key, value in part]
        after = part[-1][0]
    return found


def some_of(rows: Rows, metrics: Sequence[str]) -> dict[str, tuple[str, str]]:
    """As `metrics_of`, of these metrics."""
    found = {}
    for metric in metrics:
        for _, value in rows.scan(METRIC + metric.encode() + b"\0", b"", 1):
            series = decode_series(value)
            found[metric] = series.type, series.zone
    return found


def dimensions_of(rows: Rows, metric: str) -> list[str] | None:
    """The dimensions of a metric's series; None without series."""
    found = [series.dimensions for _, series in series_of(rows, metric)]
    return sorted({name for each in found for name in each}) if found else None


def metrics_of(rows: Rows) -> dict[str, tuple[str, str]]:
    """Every metric with the type and zone of its first series."""
    found: dict[str, tuple[str, str]] = {}
    after = b""
    while part := rows.scan(METRIC, after, 1):
        series = decode_series(part[0][1])
        found[series.metric] = series.type, series.zone
        after = METRIC + series.metric.encode() + b"\0" + b"\xff" * 17
    return found


def answer(rows: Rows, question: Question) -> list[tuple[Series, Points]]:
    """The series that fit, each with its points."""
    return [
        (series, points(rows, ident, series, question))
        for ident, series in series_of(rows, question.metric)
        if all(series.dimensions.get(name) in some for name, some in question.where.items())
    ]


def points(rows: Rows, ident: bytes, series: Series, question: Question) -> Points:
    """The buckets of one series."""
    grain, zone = question.grain, question.zone
    first = bounds(grain, zone, question.from_ms)[0]
    if series.zone == zone:
        page = min(PAGE, (question.to_ms - first) // LEAST_MS[grain] + 2)
        held = between(rows, cube_prefix(ident, grain), first, question.to_ms, page)
        # as they are at rest: to unpack them here would be half the cost of an answer
        return [(start, packed) for start, value in held if (packed := plain(value)[1])]
    found = _merged(rows, ident, series.zone, question, first)
    return [(start, partials.packed(partial)) for start, partial in found if partial.count]


def _merged(
    rows: Rows, ident: bytes, own: str, question: Question, first: int
) -> list[tuple[int, Partial]]:
    grain, zone = question.grain, question.zone
    if question.to_ms <= first:
        return []
    end = bounds(grain, zone, question.to_ms - 1)[1]
    found: dict[int, Partial] = {}
    whole: list[tuple[int, int]] = []  # stretches of whole days that were merged already
    if grain not in ("hour", "day"):
        for day, value in between(rows, cube_prefix(ident, "day"), first, end):
            day_end = bounds("day", own, day)[1]
            bucket = bounds(grain, zone, day)
            if day_end <= bucket[1]:
                found.setdefault(bucket[0], Partial()).merge(cube_of(value)[1])
                whole.append((day, day_end))
    at = 0
    for quarter, value in _outside(rows, ident, first, end, whole):
        while at < len(whole) and whole[at][1] <= quarter:
            at += 1
        if at < len(whole) and whole[at][0] <= quarter:
            continue
        bucket = bounds(grain, zone, quarter)
        found.setdefault(bucket[0], Partial()).merge(partials.from_bytes(value))
    return sorted(found.items())


def _outside(
    rows: Rows, ident: bytes, first: int, end: int, whole: list[tuple[int, int]]
) -> list[tuple[int, bytes]]:
    """The quarters of [first, end) outside of those stretches."""
    found: list[tuple[int, bytes]] = []
    at = first
    for start, over in [*whole, (end, end)]:
        if start > at:
            found += between(rows, QUARTER + ident, at, start)
        at = over
    return found


def series_of_all(rows: Rows, after: bytes = b"") -> Iterator[tuple[bytes, bytes, Series]]:
    """(row's key, id, series) of all metrics' series behind that key, in order."""
    while part := rows.scan(METRIC, after, 100):
        for key, value in part:
            yield key, key[-16:], decode_series(value)
        after = part[-1][0]
