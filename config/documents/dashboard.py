"""Reads a document of kind `dashboard`."""

from __future__ import annotations

from collections.abc import Mapping

from config.documents import fields, spans
from config.documents.base import At, DocumentError, Section, section
from config.documents.source_metrics import figure_name
from domain.metrics.dashboard import DAY_MS, WIDGETS, WIDGETS_MAX, Dashboard, Widget
from domain.metrics.grains import GRAINS, OVERLAYS

_HOUR_MS = 3_600_000


def load_dashboard(data: Mapping[str, object]) -> Dashboard:
    """The dashboard that `data` describes. Raises DocumentError with every problem in it."""
    top = Section(data, At())
    top.required("kind", fields.choice((Dashboard.kind,)), Dashboard.kind)
    name = top.required("name", fields.name, "a name")
    title = top.optional("title", fields.text)
    listed = fields.several(_widget, "widgets", most=WIDGETS_MAX)
    widgets = top.required("widgets", listed, "a list of widgets")
    top.close()
    if top.at.problems or name is None or widgets is None:
        raise DocumentError(top.at.problems)
    return Dashboard(name, title or name, widgets)


def _widget(value: object, at: At) -> Widget | None:
    parts = section(value, at, "type, title, metric, grain, range, group, where, overlay")
    if parts is None:
        return None
    before = len(at.problems)
    kind = parts.required("type", fields.choice(WIDGETS), f"one of {', '.join(WIDGETS)}")
    title = parts.optional("title", fields.text)
    metric = parts.required("metric", figure_name, "the name of a metric")
    grain = parts.optional("grain", fields.choice(GRAINS)) or "day"
    reach = spans.span(_HOUR_MS, fields.MAX_DAYS * DAY_MS)
    range_ms = parts.defaulted("range", reach, 30 * DAY_MS)
    group = parts.optional("group", fields.once(figure_name, "dimensions", empty=True)) or ()
    where = parts.optional("where", where_of) or {}
    overlay = parts.optional("overlay", fields.choice(OVERLAYS))
    parts.close()
    if len(at.problems) > before or kind is None or metric is None:
        return None
    return Widget(kind, title or metric, metric, grain, range_ms, group, where, overlay)


def where_of(value: object, at: At) -> dict[str, tuple[str, ...]] | None:
    """Dimensions, each with the values that it may have."""
    if not isinstance(value, Mapping):
        at.refuse(value, "an object of dimensions, each with a value or a list of values")
        return None
    before = len(at.problems)
    found = {}
    for name, inner in value.items():
        place = at.key(str(name))
        values = inner if isinstance(inner, list | tuple) else [inner]
        read = fields.once(fields.text, "values")(values, place)
        if figure_name(name, place) is not None and read is not None:
            found[str(name)] = read
    return found if len(at.problems) == before else None
