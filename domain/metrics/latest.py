"""The latest value of a metric in one shard, now or at an earlier instant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from domain.metrics import partials
from domain.metrics.asking import series_of
from domain.metrics.grains import LOWER, QUARTER_MS, Grain, bounds
from domain.metrics.partials import number_of_text, shown
from domain.metrics.rolling import cube_of
from domain.metrics.series import (
    QUARTER,
    VALUE,
    Rows,
    between,
    cube_key,
    cube_prefix,
    instant_bytes,
    instant_of,
)

Last = tuple[int, int | float]
"""(epoch ms, value)"""


def latest(
    rows: Rows, metric: str, where: Mapping[str, Sequence[str]], grain: Grain, at_ms: int
) -> tuple[int | float, int] | None:
    """(value, epoch ms of the last record) at that instant: of a counter what its bucket of `grain`
    adds up to, of gauges the last of each series, added. None before the first record."""
    total: int | float = 0
    newest: int | None = None
    for ident, series in series_of(rows, metric):
        if any(series.dimensions.get(name) not in some for name, some in where.items()):
            continue
        last = last_at(rows, ident, series.zone, at_ms)
        if last is None:
            continue
        newest = last[0] if newest is None else max(newest, last[0])
        if series.type == "counter":
            start = bounds(grain, series.zone, at_ms)[0]
            held = rows.get(cube_key(ident, grain, start))
            bucket = None if held is None else cube_of(held)[1]
            total += _shown(bucket.sum) if bucket is not None and bucket.count else 0
        else:
            total += last[1]
    return None if newest is None else (total, newest)


def last_at(
    rows: Rows, ident: bytes, zone: str, at_ms: int, grain: Grain = "year",
    from_ms: int = -(1 << 61), to_ms: int = 1 << 61,
) -> Last | None:  # fmt: skip
    """The last value of a series at or before an instant: by the buckets, the large ones first."""
    found = list(between(rows, cube_prefix(ident, grain), from_ms, min(to_ms, at_ms + 1)))
    for start, held in reversed(found):
        partial = cube_of(held)[1]
        if not partial.count or partial.last is None:
            continue
        if partial.last[0] <= at_ms:
            return partial.last[0], _shown(partial.last[2])
        end, lower = bounds(grain, zone, start)[1], LOWER[grain]
        if lower is None:
            inner = _in_quarters(rows, ident, at_ms, start, end)
        else:
            inner = last_at(rows, ident, zone, at_ms, lower, start, end)
        if inner is not None:
            return inner
    return None


def _in_quarters(rows: Rows, ident: bytes, at_ms: int, from_ms: int, to_ms: int) -> Last | None:
    quarters = list(between(rows, QUARTER + ident, from_ms, min(to_ms, at_ms + 1)))
    for quarter, held in reversed(quarters):
        partial = partials.from_bytes(held)
        if partial.last is not None and partial.last[0] <= at_ms:
            return partial.last[0], _shown(partial.last[2])
        if quarter + QUARTER_MS > at_ms:
            found = _of_values(rows, ident, quarter, at_ms)
            if found is not None:
                return found
    return None


def _of_values(rows: Rows, ident: bytes, quarter: int, at_ms: int) -> Last | None:
    prefix, after, best = VALUE + ident + instant_bytes(quarter), b"", None
    while part := rows.scan(prefix, after, 1000):
        for key, value in part:
            ts = instant_of(key[len(prefix) : len(prefix) + 8])
            if ts > at_ms:
                return best
            best = ts, _shown(number_of_text(value.decode()))
        after = part[-1][0]
    return best


def _shown(number: int | Decimal) -> int | float:
    found = shown(number)
    return 0 if found is None else found
