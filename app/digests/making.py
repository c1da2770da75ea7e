"""Makes a digest's content: asks for the figures of its period, all at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from app.charts.charted import named
from app.charts.drawing import SERIES_MAX
from app.digests.content import LINES_MAX, Content, Figure, Line
from app.metrics_backend import Asked, BadRange, Figured, TooManyBuckets
from domain.aggregation.instants import print_instant
from domain.metrics.dashboard import Dashboard, Widget
from domain.metrics.digest import Digest, Period, before, period_words, trend
from domain.metrics.grains import begins

Ask = Callable[[Asked], Awaitable[Figured]]


def widgets_of(digest: Digest, board: Dashboard | None, kinds: Mapping[str, str]) -> list[Widget]:
    """What it tells of. kinds: metric -> type; a counter's periods are bars, others a line."""
    if board is not None:
        return list(board.widgets)
    return [
        Widget(
            "bar" if kinds.get(one.metric) == "counter" else "line",
            _title(one.metric, one.where),
            one.metric,
            where=one.where,
        )
        for one in digest.metrics
    ]


async def content_of(
    digest: Digest,
    period: Period,
    board: Dashboard | None,
    kinds: Mapping[str, str],
    units: Mapping[str, str],
    failing: Sequence[str],
    ask: Ask,
    now_ms: int,
) -> Content:
    """The content. Raises Unavailable; what can't be told is said in its place."""
    zone = digest.timezone
    first, after = trend(digest, period), period.first
    after += timedelta(days=7 if digest.every == "week" else 1)
    span = first.isoformat(), after.isoformat()
    told = await asyncio.gather(
        *(_figure(one, digest, span, kinds, units, ask)
          for one in widgets_of(digest, board, kinds))
    )  # fmt: skip
    last = after - timedelta(days=1)
    starts = next((starts for _, starts in told if starts), ())
    return Content(
        title=digest.name if board is None else board.title,
        every=digest.every,
        zone=zone,
        words=period_words(digest.every, period.first, last),
        first=period.first.isoformat(),
        last=last.isoformat(),
        before=before(digest, period).first.isoformat(),
        made=print_instant(now_ms),
        starts=starts,
        figures=tuple(figure for figure, _ in told),
        partial=begins(zone, after) > now_ms,
        failing=tuple(failing),
    )


async def _figure(
    widget: Widget,
    digest: Digest,
    span: tuple[str, str],
    kinds: Mapping[str, str],
    units: Mapping[str, str],
    ask: Ask,
) -> tuple[Figure, tuple[str, ...]]:
    """The figure, and the starts of its periods."""
    made = Figure(widget.title, widget.metric, widget.type, units.get(widget.metric, ""))
    asked = Asked(
        widget.metric, digest.every, *span, widget.group, widget.where, None, digest.timezone
    )
    try:
        found = await ask(asked)
    except (BadRange, TooManyBuckets) as error:
        return _failed(made, str(error)), ()
    if not found.series:
        return _failed(made, f"Nothing was heard of {widget.metric} in this time."), ()
    largest = sorted(found.series, key=_size, reverse=True)[:LINES_MAX]
    lines = tuple(_line(one, n < SERIES_MAX) for n, one in enumerate(largest))
    starts = tuple(point["start"] for point in found.series[0]["points"])
    return Figure(
        made.title, made.metric, made.type, made.unit,
        kinds.get(widget.metric) == "counter", lines, len(found.series),
    ), starts  # fmt: skip


def _failed(made: Figure, why: str) -> Figure:
    return Figure(made.title, made.metric, made.type, made.unit, failed=why)


def _size(series: dict[str, Any]) -> float:
    """By the latest value: what is largest comes first, what has none last."""
    values = [point["value"] for point in series["points"][-2:]]
    known = [value for value in reversed(values) if value is not None]
    return known[0] if known else float("-inf")


def _line(series: dict[str, Any], drawn: bool) -> Line:
    values = tuple(point["value"] for point in series["points"])
    before = values[-2] if len(values) > 1 else None
    return Line(named(series["dimensions"]), values[-1], before, values if drawn else ())


def _title(metric: str, where: Mapping[str, Sequence[str]]) -> str:
    some = ", ".join(f"{name} {' or '.join(values)}" for name, values in where.items())
    return f"{metric} ({some})" if some else metric
