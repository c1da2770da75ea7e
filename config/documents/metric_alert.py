"""Reads what documents of kind `alert` say about metrics and sources."""

from __future__ import annotations

from typing import NamedTuple

from config.documents import fields, spans
from config.documents.base import At, Section, section
from config.documents.dashboard import where_of
from config.documents.source_metrics import figure_name
from domain.metrics.alerting import MetricAlert
from domain.metrics.grains import GRAINS

CONDITIONS = ("high", "low", "no_data", "change", "failing")
ONLY = ("metric", "where", "grain", "clear", "for", "source")
"""What only alerts of this kind have, besides their condition."""
LEAST_MS, MOST_MS = 1_000, 366 * 86_400_000


class Told(NamedTuple):
    """Who is told, as read already."""

    to: tuple[str, ...]
    sms: tuple[str, ...]
    webhook: str | None


def read_metric_alert(top: Section, name: str | None, told: Told) -> MetricAlert | None:
    """The rest of such a document; None with problems noted."""
    top.optional("failing", _failing)
    metric = source = None
    if top.has("failing"):
        source = top.required("source", _source, 'a source or "*"')
    else:
        metric = top.required("metric", figure_name, "the name of a metric")
    where = top.optional("where", where_of) or {}
    grain = top.optional("grain", fields.choice(GRAINS)) or "day"
    high, low = top.optional("high", _mark), top.optional("low", _mark)
    clear = top.optional("clear", _mark)
    no_data_ms = top.optional("no_data", spans.span(LEAST_MS, MOST_MS))
    change = top.optional("change", _change)
    for_ms = top.optional("for", spans.span(0, MOST_MS)) or 0
    _check(top, high, low, clear)
    if top.at.problems or name is None:
        return None
    over_ms, percent = change or (None, 0.0)
    return MetricAlert(
        name=name, metric=metric or "", where=where, grain=grain, high=high, low=low, clear=clear,
        no_data_ms=no_data_ms, change_over_ms=over_ms, change_percent=percent,
        source=source or "", for_ms=for_ms, to=told.to, sms=told.sms, webhook=told.webhook,
    )  # fmt: skip


def _check(top: Section, high: float | None, low: float | None, clear: float | None) -> None:
    if clear is None:
        return
    if high is None and low is None:
        top.at.key("clear").refuse(clear, "a clearing mark beside `high` or `low` only")
    elif high is not None and clear > high:
        top.at.key("clear").refuse(clear, f"at most the high mark, {high:g}")
    elif low is not None and clear < low:
        top.at.key("clear").refuse(clear, f"at least the low mark, {low:g}")


def _mark(value: object, at: At) -> float | None:
    found = fields.number(value)
    if found is None:
        at.refuse(value, "a number")
        return None
    return float(found)


def _failing(value: object, at: At) -> bool | None:
    if value is True:
        return True
    at.refuse(value, "true")
    return None


def _source(value: object, at: At) -> str | None:
    return "*" if value == "*" else fields.name(value, at)


def _change(value: object, at: At) -> tuple[int, float] | None:
    parts = section(value, at, "over, percent")
    if parts is None:
        return None
    over_ms = parts.required("over", spans.span(LEAST_MS, MOST_MS), "a span like 1d")
    percent = parts.required("percent", _percent, "a number of percent above 0")
    parts.close()
    return None if over_ms is None or percent is None else (over_ms, percent)


def _percent(value: object, at: At) -> float | None:
    found = fields.number(value)
    if found is not None and found > 0:
        return float(found)
    at.refuse(value, "a number of percent above 0")
    return None
