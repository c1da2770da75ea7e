"""What a digest tells: figures of a period and of the one before, by series, and how they went.

It is kept as it was decided, and every mail and file is made of it alone: the same whenever it is
made. Bounded, so that it fits into a record of the changelog: FIGURES_MAX by LINES_MAX by the
periods that are drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from app.charts.charted import Charted, Series
from app.charts.drawing import SERIES_MAX
from app.charts.figures import bucket, figure, percent, signed
from domain.masking import Masker
from domain.metrics.combining import compared
from domain.metrics.dashboard import WidgetType
from domain.metrics.digest import Every

LINES_MAX = 20  # series of a figure, the largest; the dashboard has the others


class Line(msgspec.Struct, array_like=True, frozen=True):
    """A series. points: its values by period, the newest last; only of those that are drawn."""

    name: str
    value: float | None
    before: float | None
    points: tuple[float | None, ...] = ()


class Figure(msgspec.Struct, array_like=True, frozen=True):
    """A metric. adds: its values may be added up. series: how many there are; of them `lines`.
    failed: why it has none."""

    title: str
    metric: str
    type: WidgetType
    unit: str = ""
    adds: bool = False
    lines: tuple[Line, ...] = ()
    series: int = 0
    failed: str = ""


class Content(msgspec.Struct, array_like=True, frozen=True):
    """A digest of a period. first, last, before: dates of its first and last day and of the first
    day of the period before. starts: of the periods that are drawn, as the API prints them.
    partial: it isn't over. failing: sources that could not be fetched when it was made."""

    title: str
    every: Every
    zone: str
    words: str
    first: str
    last: str
    before: str
    made: str
    starts: tuple[str, ...]
    figures: tuple[Figure, ...]
    partial: bool = False
    failing: tuple[str, ...] = ()


encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(Content).decode


@dataclass(frozen=True)
class Row:
    """A series in words. sign: 1 more than before, -1 less, 0 the same or unknown."""

    name: str
    value: str
    before: str
    difference: str
    percent: str
    sign: int


def before_words(every: Every) -> str:
    """The period before, as a heading."""
    return "Day before" if every == "day" else "Week before"


def rows(one: Figure, masker: Masker | None = None) -> list[Row]:
    """A figure's series in words."""
    return [_row(one, line, masker) for line in one.lines]


def _row(one: Figure, line: Line, masker: Masker | None) -> Row:
    beside = compared(line.value, line.before)
    difference = beside["difference"]
    sign = 0 if not difference else 1 if difference > 0 else -1
    unit = f" {one.unit}" if one.unit else ""
    name = line.name or one.metric
    return Row(
        name if masker is None else masker.text(name),
        figure(line.value) + (unit if line.value is not None else ""),
        figure(line.before) + (unit if line.before is not None else ""),
        "" if difference is None else signed(difference),
        percent(beside["ratio"]),
        sign,
    )


def sentence(row: Row, every: Every) -> str:
    """A series in words: "12, +20 % to the day before"."""
    what = "the day before" if every == "day" else "the week before"
    if row.value == "–":
        return f"no value; {row.before} {what}" if row.before != "–" else "no value"
    if not row.difference:
        return f"{row.value}; no value {what}"
    if not row.sign:
        return f"{row.value}, as {what}"
    change = row.percent or row.difference
    return f"{row.value}, {change} to {what}"


def chart_of(content: Content, one: Figure, masker: Masker | None = None) -> Charted | None:
    """What is drawn of a figure; None for numbers and tables, and of what has no values."""
    lines = one.lines[:SERIES_MAX]
    if one.type in ("number", "table") or not any(_known(line) for line in lines):
        return None
    starts: Sequence[str] = content.starts
    if one.type == "pie":  # shares of the period itself
        starts = starts[-1:]
    names = [line.name if masker is None else masker.text(line.name) for line in lines]
    return Charted(
        one.type,
        one.title,
        content.every,
        tuple(bucket(content.every, start) for start in starts),
        tuple(content.partial and start == content.starts[-1] for start in starts),
        tuple(
            Series(name, line.points[-len(starts) :])
            for name, line in zip(names, lines, strict=True)
        ),
        None,
        one.adds,
    )


def _known(line: Line) -> bool:
    return any(value is not None for value in line.points)


def failing(name: str) -> str:
    """What is said of a source that could not be fetched."""
    return f"Source {name} could not be fetched: its figures may be missing or old."
