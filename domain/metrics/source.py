"""A document of kind `source`: what figures are fetched from where, and when. Plain data."""

from __future__ import annotations

from collections.abc import Mapping as Items
from dataclasses import dataclass
from typing import Any, ClassVar

from domain.metrics.defaults import default_of
from domain.metrics.document import Mapping, Metric
from domain.sinks.document import Retry as Backoff


@dataclass(frozen=True)
class Budget:
    """At most `requests` calls in any `per_ms`."""

    requests: int
    per_ms: int


@dataclass(frozen=True)
class Source:
    """One source. `credentials`: by the connector's name of each, the environment variable that
    holds it. `fetch`: what to fetch, as the connector has it. `key` and `metrics`: the document's
    own, empty for the connector's. `backoff.times` are the tries after the first."""

    kind: ClassVar[str] = "source"
    name: str
    connector: str
    schedule: str | None
    timezone: str
    base_url: str | None
    credentials: Items[str, str]
    fetch: Items[str, Any]
    key: tuple[str, ...]
    backoff: Backoff
    budget: Budget | None = None
    metrics: tuple[Metric, ...] = ()

    @property
    def mapping(self) -> Mapping:
        """What its records are worth, and what makes one the same record."""
        default = default_of(self.connector)
        key = self.key or default.key
        if self.connector == "google_analytics" and not key:
            key = ("date", *(name for name in self.fetch["dimensions"] if name != "date"))
        metrics = self.metrics or default.metrics
        always = tuple(path for path in default.always if path not in key)
        return Mapping(self.name, metrics, (*key, *always), self.timezone)
