"""Figures that an API tells as they are now, without history: a snapshot at each fetch."""

from __future__ import annotations

from domain.aggregation.instants import print_instant
from domain.metrics.fetched import Fetched
from domain.metrics.records import Attributes


def snapshot(now_ms: int, figures: Attributes) -> Fetched:
    """The record of figures at a time. `at` tells it from other snapshots of the same."""
    return Fetched(now_ms, {"kind": "snapshot", "at": print_instant(now_ms), **figures})
