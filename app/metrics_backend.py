"""What the console and the HTTP API ask of the running system about figures.

Part of `app.backend.Backend`; what is said there of errors and times holds here.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Protocol

from app.alert_shapes import AlertStatus, DigestSent, DigestStatus
from domain.errors import SluiceError
from domain.masking import Masker
from domain.metrics.grains import Grain, Overlay


class TooManyBuckets(SluiceError):
    """A question for more than one answer may hold (422)."""

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"more than {limit:,} buckets; ask for a shorter time, a larger grain or fewer groups"
        )


@dataclass(frozen=True)
class Asked:
    """A question. `from_`, `to`: a date or an instant, in `zone` when it has no offset; "" is the
    usual range up to now. `zone` "" is that of the metric's source."""

    metric: str
    grain: Grain = "day"
    from_: str = ""
    to: str = ""
    group: Sequence[str] = ()
    where: Mapping[str, Sequence[str]] = field(default_factory=dict)
    overlay: Overlay | None = None
    zone: str = ""


class BadRange(SluiceError):
    """A `from` or `to` that can't be read (400). `name` says which."""

    def __init__(self, name: str, value: str, expected: str) -> None:
        self.name, self.value, self.expected = name, value, expected
        super().__init__(f"{name}={value!r} is not {expected}")


@dataclass(frozen=True)
class Figured:
    """The answer: series as metrics-api.md §3 prints them."""

    metric: str
    grain: Grain
    zone: str
    series: list[dict[str, Any]]


@dataclass(frozen=True)
class MetricDimensions:
    """The dimensions of a metric. `closed`: it can have no other ones."""

    names: Collection[str]
    closed: bool = True


class MetricsBackend(Protocol):
    """Figures of the running system."""

    async def figures(self, asked: Asked) -> Figured:
        """A metric's buckets, every one of the range. Raises TooManyBuckets, BadRange; a metric
        that nothing was heard of has no series."""

    async def sql(self, statement: str, masker: Masker | None = None) -> dict[str, Any]:
        """{"columns":[{"name","type"}],"rows":[[…]],"truncated"} of one SELECT over the table
        `rollups`, whose dimensions `masker` masks before anything is done with them. Raises
        SqlRefused, SqlLimit, and TooManyBuckets when the table is too large."""

    async def metric_alerts(self) -> Sequence[AlertStatus]:
        """Every alert about metrics and sources that is in force, by name."""

    async def change_alert(
        self, name: str, changes: Mapping[str, str | int], key: str | None = None
    ) -> bool:
        """Sets `acknowledged_by` or `silent_until_ms`; False for an alert that nobody knows.
        `key`: an Idempotency-Key. Raises IdempotencyConflict; Unavailable while no worker has its
        shard."""

    async def digests(self) -> Sequence[DigestStatus]:
        """Every digest in force, by name."""

    async def send_digest(self, name: str, day: date | None, key: str | None) -> DigestSent | None:
        """Sends the digest of the period that the day is in, without one of the last that is over;
        returns once that can't be lost. None for one that nobody knows. `key`: an Idempotency-Key.
        Raises DigestRefused, IdempotencyConflict; Unavailable while no worker has its shard."""

    async def metric_dimensions(
        self, metric: str, named: Collection[str] = ()
    ) -> MetricDimensions | None:
        """What a question about a metric may name: all of it, unless documents in force have those
        that are `named`. None for one that no document in force speaks of and that has no values.
        Raises Unavailable."""

    async def known_metrics(self) -> Mapping[str, tuple[str, str]]:
        """Every metric that has values: name -> (type, zone)."""
