"""A document of kind `dashboard`: figures that are looked at together. Plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal, TypeAlias, get_args

from domain.metrics.grains import Grain, Overlay
from domain.metrics.source import Source

WidgetType: TypeAlias = Literal["line", "bar", "pie", "scatter", "number", "table"]
WIDGETS: tuple[WidgetType, ...] = get_args(WidgetType)
DAY_MS = 86_400_000
WIDGETS_MAX = 50  # each is a question of its own to every shard


@dataclass(frozen=True)
class Widget:
    """One figure. `range_ms`: how far back from now; `where`: the values that a dimension may
    have."""

    type: WidgetType
    title: str
    metric: str
    grain: Grain = "day"
    range_ms: int = 30 * DAY_MS
    group: tuple[str, ...] = ()
    where: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    overlay: Overlay | None = None


@dataclass(frozen=True)
class Dashboard:
    """Widgets in their order, which is what they are asked for by (from 0)."""

    kind: ClassVar[str] = "dashboard"
    name: str
    title: str
    widgets: tuple[Widget, ...]


def default_of(source: Source) -> Dashboard | None:
    """The dashboard of a source without one of its name: every metric by its dimensions, the last
    30 days. None when its records are worth nothing."""
    widgets = tuple(
        Widget("line", metric.name, metric.name, group=tuple(name for name, _ in metric.dimensions))
        for metric in source.mapping.metrics[:WIDGETS_MAX]
    )
    return Dashboard(source.name, source.name, widgets) if widgets else None
