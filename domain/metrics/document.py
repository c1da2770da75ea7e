"""The part of a document of kind `source` that says what its records are worth. Plain data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

MetricType: TypeAlias = Literal["gauge", "counter"]


@dataclass(frozen=True)
class Metric:
    """One metric. `value`: a dotted path into the attributes, or a number that each record gives.
    `dimensions`: (dimension, path of its value), in the document's order.
    """

    name: str
    value: str | int | float
    type: MetricType
    dimensions: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Mapping:
    """What a source's records give. `key`: paths that make a record the same record; empty: the
    whole record. `timezone`: where its hours, days, … begin and end.
    """

    source: str
    metrics: tuple[Metric, ...]
    key: tuple[str, ...] = ()
    timezone: str = "UTC"
