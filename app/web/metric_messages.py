"""What lies on the topics of metrics, for the AsyncAPI description."""

from typing import Literal

import msgspec

from domain.metrics.grains import Grain


class RollupMessage(msgspec.Struct):
    """A bucket that changed; of those with one key the highest `revision` counts. `start` is in
    `timezone`, the source's. `value`: a counter's sum, a gauge's last; all are null and `count`
    is 0 when the bucket has lost its values."""

    metric: str
    dimensions: dict[str, str]
    grain: Grain
    start: str
    revision: int
    timezone: str
    type: Literal["counter", "gauge"]
    value: float | None
    count: int
    sum: float | None
    min: float | None
    max: float | None
    last: float | None
    mean: float | None
    stddev: float | None


class MetricAlertMessage(msgspec.Struct, omit_defaults=True):
    """An alert about a metric, or about a source whose calls fail (then `value` is 1, 0 at its
    end). `value` is compared with `mark`: the metric's, seconds without data, or percent of change.
    `since`: when it began to hold."""

    alert: str
    state: Literal["started", "ended"]
    value: float | None
    mark: float | None
    since: str
    text: str
    metric: str = ""
    source: str = ""
