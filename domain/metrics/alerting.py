"""Alerts about metrics and sources: when one starts, when it ends, and who is told.

A state per alert and subject moves by `step` alone, between quiet and started; what it tells has
the same id whenever it is told again. A value between the clearing mark and the mark changes
nothing, in either state. Times are epoch ms.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import msgspec

from domain.aggregation.instants import print_instant
from domain.metrics.grains import Grain

Number = int | float
State = Literal["started", "ended"]


class MetricAlert(msgspec.Struct, frozen=True, kw_only=True):
    """One alert document about a metric or a source; of high, low, no_data_ms, change_over_ms and
    source exactly one is there. `source`: its calls fail; `*` is any.

    for_ms: what is wrong must last so long. to, sms, webhook: who is told.
    """

    kind: ClassVar[str] = "alert"

    name: str
    metric: str = ""
    where: Mapping[str, tuple[str, ...]] = {}
    grain: Grain = "day"
    high: float | None = None
    low: float | None = None
    clear: float | None = None
    no_data_ms: int | None = None
    change_over_ms: int | None = None
    change_percent: float = 0
    source: str = ""
    for_ms: int = 0
    to: tuple[str, ...] = ()
    sms: tuple[str, ...] = ()
    webhook: str | None = None


class Watch(msgspec.Struct, array_like=True, frozen=True):
    """How an alert stands. held_ms: since when what it looks for holds. number: of its starts.
    text: of its last start or end, which was told at told_ms."""

    started: bool = False
    held_ms: int | None = None
    since_ms: int = 0
    value: Number | None = None
    number: int = 0
    acknowledged_by: str = ""
    silent_until_ms: int = 0
    about: Literal["metric", "source"] = "metric"
    text: str = ""
    told_ms: int = 0


class Reading(msgspec.Struct, frozen=True):
    """What is known now. value: the latest, None without; last_ms: of its record, else since when
    one is waited for; before: the value to compare with; failing: what a source says."""

    value: Number | None = None
    last_ms: int = 0
    before: Number | None = None
    failing: str | None = None


def holds(alert: MetricAlert, reading: Reading, started: bool, now_ms: int) -> bool | None:
    """Whether what the alert looks for is so; None when that can't be told from the reading."""
    if alert.source:
        return reading.failing is not None
    if alert.no_data_ms is not None:
        return now_ms - reading.last_ms >= alert.no_data_ms
    value = reading.value
    if value is None:
        return None
    if alert.high is not None:
        if started and alert.clear is not None:
            return value > alert.clear
        return value >= alert.high
    if alert.low is not None:
        if started and alert.clear is not None:
            return value < alert.clear
        return value <= alert.low
    percent = changed_percent(value, reading.before)
    return None if percent is None else abs(percent) >= alert.change_percent


def changed_percent(value: Number, before: Number | None) -> float | None:
    """By how much the value differs from the one before; None where there is nothing to compare."""
    if before is None or (before == 0 and value != 0):
        return None
    return 0.0 if value == before else 100 * (value - before) / abs(before)


def step(
    alert: MetricAlert, watch: Watch, reading: Reading, now_ms: int
) -> tuple[Watch, State | None]:
    """The next state, and what is to be told. The same reading at the same time again tells
    nothing."""
    so = holds(alert, reading, watch.started, now_ms)
    change = msgspec.structs.replace
    if so is None:
        return watch, None
    if watch.started:
        if so:
            return watch, None
        shown = shown_value(alert, reading, now_ms)
        return change(watch, started=False, held_ms=None, value=shown, acknowledged_by=""), "ended"
    if not so:
        return (watch if watch.held_ms is None else change(watch, held_ms=None)), None
    held_ms = now_ms if watch.held_ms is None else watch.held_ms
    if now_ms - held_ms < alert.for_ms:
        return (watch if watch.held_ms is not None else change(watch, held_ms=held_ms)), None
    shown = shown_value(alert, reading, now_ms)
    return change(
        watch, started=True, held_ms=held_ms, since_ms=held_ms, value=shown,
        number=watch.number + 1, acknowledged_by="",
        about="source" if alert.source else "metric",
    ), "started"  # fmt: skip


def shown_value(alert: MetricAlert, reading: Reading, now_ms: int) -> Number | None:
    """What the alert compares: the value, seconds without data, percent of change; 1 for a source
    that fails."""
    if alert.source:
        return int(reading.failing is not None)
    if alert.no_data_ms is not None:
        return (now_ms - reading.last_ms) / 1000
    if alert.change_over_ms is not None and reading.value is not None:
        return changed_percent(reading.value, reading.before)
    return reading.value


def mark_of(alert: MetricAlert) -> Number:
    """What that is compared with."""
    for mark in (alert.high, alert.low):
        if mark is not None:
            return mark
    if alert.no_data_ms is not None:
        return alert.no_data_ms / 1000
    return 0 if alert.source else alert.change_percent


def message(
    alert: MetricAlert, subject: str, watch: Watch, state: State, why: str
) -> dict[str, Any]:
    """As on topic `alerts`. why: what a failing source says."""
    about = {"source": subject} if alert.source else {"metric": alert.metric}
    return {
        "alert": alert.name, **about, "state": state, "value": watch.value,
        "mark": mark_of(alert), "since": print_instant(watch.since_ms),
        "text": _text(alert, subject, watch, state, why),
    }  # fmt: skip


def _text(alert: MetricAlert, subject: str, watch: Watch, state: State, why: str) -> str:
    value = "nothing" if watch.value is None else f"{watch.value:g}"
    if alert.source:
        return f"Source {subject} fails: {why}" if state == "started" else f"Source {subject} works"
    if alert.no_data_ms is not None:
        return f"{alert.metric} has had no data for {value} s" if state == "started" else (
            f"{alert.metric} has data again"
        )  # fmt: skip
    if alert.change_over_ms is not None:
        return f"{alert.metric} changed by {value} %, the mark is {alert.change_percent:g} %"
    side = "high" if alert.high is not None else "low"
    is_ = "is at" if state == "started" else "is back at"
    return f"{alert.metric} {is_} {value}, the {side} mark is {mark_of(alert):g}"


def message_id(alert: str, subject: str, watch: Watch, state: State) -> str:
    """Of a transition: the same whenever it is told. An alert that was removed counts from 1 again,
    so its start is part of the id."""
    return f"{alert}/{subject}/{watch.number}.{watch.since_ms}/{state}"
