"""What a chart is drawn from: series of values by bucket, from the answer to a question."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.charts.figures import bucket
from domain.metrics.dashboard import WidgetType
from domain.metrics.grains import Grain, Overlay

Value = float | None


@dataclass(frozen=True)
class Series:
    """One series. `before`: the values of the buckets that it is laid over, else empty."""

    name: str
    values: tuple[Value, ...]
    before: tuple[Value, ...] = ()

    @property
    def latest(self) -> Value:
        """Its last value that is none of null."""
        return next((value for value in reversed(self.values) if value is not None), None)

    @property
    def total(self) -> float:
        """All values added up."""
        return sum(value for value in self.values if value is not None)


@dataclass(frozen=True)
class Charted:
    """`buckets` names each; `partial` says which aren't over; `overlay` what the series are laid
    over; `adds`: values of several buckets may be added up."""

    type: WidgetType
    title: str
    grain: Grain
    buckets: tuple[str, ...]
    partial: tuple[bool, ...]
    series: tuple[Series, ...]
    overlay: Overlay | None = None
    adds: bool = False


def charted(
    kind: WidgetType,
    title: str,
    grain: Grain,
    series: Sequence[dict[str, Any]],
    overlay: Overlay | None,
    *,
    adds: bool,
) -> Charted:
    """From series as `GET /api/metrics/query` tells them."""
    points = series[0]["points"] if series else []
    return Charted(
        kind,
        title,
        grain,
        tuple(bucket(grain, point["start"]) for point in points),
        tuple(point["partial"] for point in points),
        tuple(_series(one, overlay is not None) for one in series),
        overlay,
        adds,
    )


def _series(one: dict[str, Any], beside: bool) -> Series:
    points = one["points"]
    before = tuple(point["overlay"]["value"] for point in points) if beside else ()
    return Series(named(one["dimensions"]), tuple(point["value"] for point in points), before)


def named(dimensions: dict[str, str]) -> str:
    """A series by its dimensions' values."""
    return ", ".join(value or "–" for value in dimensions.values())
