"""A fetched record: when, and what. Nested values are JSON text; a page of them is cut by hour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import msgspec

from domain.metrics.page_names import Written, folder_of

Scalar: TypeAlias = bool | int | float | str | None
_LONG = 1 << 63
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Fetched:
    """One record: epoch milliseconds, and its attributes by name."""

    ts_ms: int
    attributes: Mapping[str, Scalar]


@dataclass(frozen=True, slots=True)
class Cut:
    """The records of a page in one hour: a file of it, `name`, with part number `part`."""

    name: str
    part: int
    records: Sequence[Fetched]


def attributes_of(record: Mapping[str, object]) -> dict[str, Scalar]:
    """What is kept of a record: scalars as they are, the rest as JSON text; a whole number that
    has no room in 64 bits as the text of its digits."""
    return {str(name): _scalar(value) for name, value in record.items()}


def _scalar(value: object) -> Scalar:
    if value is None or isinstance(value, bool | str | float):
        return value
    if isinstance(value, int):
        return value if -_LONG <= value < _LONG else str(value)
    return _encode(value).decode()


def cut(source: str, of: Written, records: Sequence[Fetched]) -> list[Cut]:
    """The files of a page, the earliest hour first; within a file the order stays."""
    folders: dict[str, list[Fetched]] = {}
    for record in records:
        folders.setdefault(folder_of(source, record.ts_ms), []).append(record)
    parts = len(folders)
    return [
        Cut(of.name(folder, part, parts), part, folders[folder])
        for part, folder in enumerate(sorted(folders), 1)
    ]
