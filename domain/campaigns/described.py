"""What an upload says of itself, checked against its flow; and what a row of it means."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple

import msgspec

from domain.aggregation.instants import parse_instant
from domain.aggregation.zones import first_instant_at
from domain.campaigns.days import LAST_TAKEN, Slot, day_of, instant, parse_day, parse_slot
from domain.campaigns.document import Flow
from domain.campaigns.numbers import normalised
from domain.campaigns.upload import problems
from domain.errors import SluiceError

Duplicates = Literal["allow", "first", "reject"]
NAME_CHARS = 200
_KEYS = (
    "flow", "name", "number_column", "schedule_column", "slots", "days", "start_date", "duplicates",
)  # fmt: skip
_OFFSET = re.compile(r"[Zz]|[+-]")
_EPOCH = datetime(1970, 1, 1)


class Description(msgspec.Struct, frozen=True):
    """An upload's description, defaults filled in. Days are `YYYYMMDD`; `last_day` is the last one
    that may be in it or in its rows."""

    flow: str
    name: str
    number_column: str
    schedule_column: str | None
    slots: tuple[Slot, ...]
    days: int
    start_day: str
    duplicates: Duplicates
    last_day: str


class Wrong(NamedTuple):
    """What is not accepted: where, what it is, what would be right."""

    path: str
    value: object
    expected: str


class DescriptionRefused(SluiceError):
    """A description that can't be, with all that is wrong in it."""

    def __init__(self, wrongs: Sequence[Wrong]) -> None:
        self.wrongs = tuple(wrongs)
        super().__init__("; ".join(f"{w.path}: {w.value!r}, expected {w.expected}" for w in wrongs))


def described(
    data: Mapping[str, Any],
    flow_of: Callable[[str], Flow | None],
    now_ms: int,
    last_day: str = LAST_TAKEN,
) -> tuple[Description, Flow]:
    """The description and its flow. `last_day`: the last one that may be in it or in its rows.
    Raises DescriptionRefused."""
    wrongs = [
        Wrong(key, data[key], f"only {', '.join(_KEYS)}") for key in sorted(data.keys() - {*_KEYS})
    ]
    name = data.get("flow")
    flow = flow_of(name) if isinstance(name, str) else None
    if flow is None:
        raise DescriptionRefused([*wrongs, Wrong("flow", name, "the name of a flow in force")])
    title = _text(data, "name", flow.name, wrongs)
    if len(title) > NAME_CHARS:
        wrongs.append(Wrong("name", title[:NAME_CHARS], f"at most {NAME_CHARS} characters"))
    schedule = data.get("schedule_column")
    if schedule is not None:
        schedule = _text(data, "schedule_column", "", wrongs)
    number_column = _text(data, "number_column", "number", wrongs)
    wrongs += (Wrong(*one) for one in problems(flow, data, now_ms, last_day))
    if wrongs:
        raise DescriptionRefused(wrongs)
    slots = sorted(filter(None, map(parse_slot, data.get("slots") or [])))
    made = Description(
        flow=flow.name,
        name=title,
        number_column=number_column,
        schedule_column=schedule,
        slots=tuple(slots),
        days=data.get("days", 1),
        start_day=parse_day(data.get("start_date")) or day_of(flow.timezone, now_ms),
        duplicates=data.get("duplicates", "allow"),
        last_day=last_day,
    )
    return made, flow


def columns_wrong(description: Description, columns: Sequence[str]) -> list[Wrong]:
    """Columns that are asked for and that the header doesn't have."""
    wanted = [("number_column", description.number_column)]
    if description.schedule_column is not None and not description.slots:
        wanted.append(("schedule_column", description.schedule_column))
    expected = f"one of the columns {', '.join(columns)}"
    return [Wrong(path, name, expected) for path, name in wanted if name not in columns]


def warnings(description: Description) -> list[dict[str, str]]:
    """What its sender may not expect."""
    if not description.slots or description.schedule_column is None:
        return []
    message = (
        f"The campaign has slots: every FDD is due at its slot's start, and the column "
        f"{description.schedule_column!r} is not looked at."
    )
    return [{"code": "schedule_column_ignored", "message": message}]


def _text(data: Mapping[str, Any], key: str, default: str, wrongs: list[Wrong]) -> str:
    value = data.get(key)
    if value is None:
        return default
    if not isinstance(value, str) or not value.strip():
        wrongs.append(Wrong(key, value, "text"))
        return default
    return value


# Rows


class Accepted(NamedTuple):
    """A row: the number in E.164, the other columns, its schedule time."""

    number: str
    fields: dict[str, str]
    schedule_ms: int | None


class Rejected(NamedTuple):
    """What is wrong in a row."""

    column: str
    code: Literal["bad_number", "bad_schedule"]
    value: str


class RowRule:
    """Takes the rows of one file. `columns` are its header, with those that are asked for."""

    def __init__(self, description: Description, flow: Flow, columns: Sequence[str]) -> None:
        self._country, self._zone = flow.country, flow.timezone
        self._number = columns.index(description.number_column)
        self._others = [(i, name) for i, name in enumerate(columns) if i != self._number]
        self._columns = columns
        self._last_ms = instant("UTC", description.last_day, 1440) - 1
        schedule = None if description.slots else description.schedule_column
        self._schedule = None if schedule is None else columns.index(schedule)

    def take(self, cells: Sequence[str]) -> Accepted | Rejected:
        """What a row of as many cells as there are columns means."""
        text = cells[self._number]
        number = normalised(text.strip(), self._country)
        if number is None:
            return Rejected(self._columns[self._number], "bad_number", text)
        schedule_ms = None
        if self._schedule is not None and cells[self._schedule].strip():
            schedule_ms = instant_in(cells[self._schedule].strip(), self._zone)
            if schedule_ms is None or schedule_ms > self._last_ms:
                column = self._columns[self._schedule]
                return Rejected(column, "bad_schedule", cells[self._schedule])
        return Accepted(number, {name: cells[i] for i, name in self._others}, schedule_ms)


def instant_in(text: str, zone_name: str) -> int | None:
    """Epoch ms of an instant that is in the zone unless it has an offset; None for none."""
    ms = parse_instant(text)
    if ms is None or _OFFSET.search(text, 16):
        return ms
    try:
        return first_instant_at(zone_name, _EPOCH + timedelta(milliseconds=ms))
    except OverflowError:
        return None
