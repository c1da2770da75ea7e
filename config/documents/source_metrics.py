"""Reads the `metrics` of a source: what its records are worth."""

from __future__ import annotations

import re
from collections.abc import Mapping

from config.documents import fields
from config.documents.base import At, section
from domain.metrics.document import Metric, MetricType

_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_.-]{0,199}")
_LONG = 1 << 63
_TYPES: tuple[MetricType, ...] = ("gauge", "counter")


def metrics(value: object, at: At) -> tuple[Metric, ...] | None:
    """A list of metrics, each name once."""
    found = fields.several(_metric, "metrics")(value, at)
    seen: set[str] = set()
    for index, each in enumerate(found or ()):
        if each.name in seen:
            at.item(index).key("name").refuse(each.name, "each name once")
        seen.add(each.name)
    return found


def _metric(value: object, at: At) -> Metric | None:
    parts = section(value, at, "name, value, type, dimensions")
    if parts is None:
        return None
    before = len(at.problems)
    name = parts.required("name", figure_name, "a name like github.stars")
    worth = parts.required("value", _value, "a path into the record, or a number")
    kind = parts.required("type", _type, "gauge or counter")
    dimensions = parts.optional("dimensions", _dimensions) or ()
    parts.close()
    if len(at.problems) > before or name is None or worth is None or kind is None:
        return None
    return Metric(name, worth, kind, dimensions)


def figure_name(value: object, at: At) -> str | None:
    """The name of a metric of a source, or of a dimension."""
    if isinstance(value, str) and _NAME.fullmatch(value):
        return value
    at.refuse(value, "a name of letters, digits, `_`, `-` and points, like github.stars")
    return None


def _type(value: object, at: At) -> MetricType | None:
    return fields.choice(_TYPES)(value, at)


def _value(value: object, at: At) -> str | int | float | None:
    number = fields.number(value)
    if number is not None:
        return int(number) if number == int(number) and -_LONG < number < _LONG else float(number)
    return fields.path(value, at)


def _dimensions(value: object, at: At) -> tuple[tuple[str, str], ...] | None:
    if not isinstance(value, Mapping):
        at.refuse(value, "an object of dimensions, each with the path of its value")
        return None
    before = len(at.problems)
    found = []
    for name, inner in value.items():
        place = at.key(str(name))
        path = fields.path(inner, place)
        if figure_name(name, place) is not None and path is not None:
            found.append((str(name), path))
    return tuple(found) if len(at.problems) == before else None
