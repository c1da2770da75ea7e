"""A document of kind `source`: what figures are fetched from where, and when. Plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from domain.sinks.document import Retry as Backoff


@dataclass(frozen=True)
class Budget:
    """At most `requests` calls in any `per_ms`."""

    requests: int
    per_ms: int


@dataclass(frozen=True)
class Source:
    """One source. `credentials`: by the connector's name of each, the environment variable that
    holds it. `fetch`: what to fetch, as the connector has it. `key`: attributes that make a record
    the same record; empty: the connector's own. `backoff.times` are the tries after the first."""

    kind: ClassVar[str] = "source"
    name: str
    connector: str
    schedule: str | None
    timezone: str
    base_url: str | None
    credentials: Mapping[str, str]
    fetch: Mapping[str, Any]
    key: tuple[str, ...]
    backoff: Backoff
    budget: Budget | None = None
    metrics: tuple[Mapping[str, Any], ...] = ()
