"""Reads a document of kind `digest`."""

from __future__ import annotations

from collections.abc import Mapping

from config.documents import fields
from config.documents.base import MISSING, At, DocumentError, Section, section
from config.documents.dashboard import where_of
from config.documents.source_metrics import figure_name
from domain.metrics.dashboard import WIDGETS_MAX
from domain.metrics.digest import Digest, DigestMetric, Every

EVERY: tuple[Every, ...] = ("day", "week")
AT = 7 * 60  # unless it says otherwise


def load_digest(data: Mapping[str, object]) -> Digest:
    """The digest that `data` describes. Raises DocumentError with every problem in it."""
    top = Section(data, At())
    top.required("kind", fields.choice((Digest.kind,)), Digest.kind)
    name = top.required("name", fields.name, "a name")
    every = top.required("every", fields.choice(EVERY), "day or week")
    at = top.defaulted("at", fields.minute_of_day, AT)
    zone = top.defaulted("timezone", fields.timezone, "UTC")
    to = top.optional("to", fields.once(_address, "mail addresses", empty=True)) or ()
    listed = fields.several(_metric, "metrics", most=WIDGETS_MAX)
    metrics = top.optional("metrics", listed) or ()
    dashboard = top.optional("dashboard", fields.name) or ""
    if top.has("metrics") == top.has("dashboard"):
        both = ["metrics", "dashboard"] if top.has("metrics") else MISSING
        top.at.refuse(both, "exactly one of metrics, dashboard")
    top.close()
    if top.at.problems or name is None or every is None:
        raise DocumentError(top.at.problems)
    return Digest(
        name=name, every=every, at=AT if at is None else at, timezone=zone or "UTC", to=to,
        metrics=metrics, dashboard=dashboard,
    )  # fmt: skip


def _address(value: object, at: At) -> str | None:
    found = fields.text(value, at)
    if found is not None and "@" not in found.strip("@"):
        at.refuse(value, "a mail address like ann@example.com")
        return None
    return found


def _metric(value: object, at: At) -> DigestMetric | None:
    parts = section(value, at, "metric, where")
    if parts is None:
        return None
    before = len(at.problems)
    metric = parts.required("metric", figure_name, "the name of a metric")
    where = parts.optional("where", where_of) or {}
    parts.close()
    if len(at.problems) > before or metric is None:
        return None
    return DigestMetric(metric, where)
