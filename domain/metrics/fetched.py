"""A fetched record: when, and what. A page of them is cut by hour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from domain.metrics.page_names import Written, folder_of
from domain.metrics.records import Attributes


@dataclass(frozen=True, slots=True)
class Fetched:
    """One record: epoch milliseconds, and its attributes by name."""

    ts_ms: int
    attributes: Attributes


@dataclass(frozen=True, slots=True)
class Cut:
    """The records of a page in one hour: a file of it, `name`, with part number `part`. `first`:
    the index of its first record in the page as it is archived."""

    name: str
    part: int
    first: int
    records: Sequence[Fetched]


def cut(source: str, of: Written, records: Sequence[Fetched]) -> list[Cut]:
    """The files of a page, the earliest hour first; within a file the order stays."""
    folders: dict[str, list[Fetched]] = {}
    for record in records:
        folders.setdefault(folder_of(source, record.ts_ms), []).append(record)
    found: list[Cut] = []
    first = 0
    for part, folder in enumerate(sorted(folders), 1):
        name = of.name(folder, part, len(folders))
        found.append(Cut(name, part, first, folders[folder]))
        first += len(folders[folder])
    return found
