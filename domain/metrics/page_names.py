"""What the files of the archive are called, and which of them count.

A fetched page is cut by the UTC hour of its records: each hour is a file in the folder of that
hour. The name tells which page it is of, and which part: part P of N is written before part P + 1,
so the page is there whole when the last one is. Of two writings of one page number (by a worker
that had lost the source, or given up before) the one with the higher epoch and attempt counts. A
joined file holds the parts of many pages of its hour, in order; it is made of whole pages only.

    archive/SOURCE/2026/03/31/14/0000000007-000003.0-1of2.avro
    archive/SOURCE/2026/03/31/14/joined-0000000001-0000000009-1.avro
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FOLDER = r"(?P<folder>[^/]+/[0-9]{4}/[0-9]{2}/[0-9]{2}/[0-9]{2})"
_PART = re.compile(
    _FOLDER + r"/(?P<number>[0-9]{10,})-(?P<epoch>[0-9]{6,})\.(?P<attempt>[0-9]+)"
    r"-(?P<part>[0-9]+)of(?P<parts>[0-9]+)\.avro"
)
_JOINED = re.compile(
    _FOLDER + r"/joined-(?P<first>[0-9]{10,})-(?P<last>[0-9]{10,})-(?P<turn>[0-9]+)\.avro"
)


@dataclass(frozen=True, order=True, slots=True)
class Written:
    """One writing of a page: its number, from 1; the epoch of the writer's claim; its attempt."""

    number: int
    epoch: int = 0
    attempt: int = 0

    def name(self, folder: str, part: int, parts: int) -> str:
        """The name of part number `part` (from 1) of `parts`."""
        return f"{folder}/{self.number:010d}-{self.epoch:06d}.{self.attempt}-{part}of{parts}.avro"


@dataclass(frozen=True, slots=True)
class Part:
    """A file of one page, as its name tells."""

    name: str
    folder: str
    of: Written
    part: int
    parts: int


@dataclass(frozen=True, slots=True)
class Joined:
    """A file of the pages `first` to `last` of one hour; `turn` tells it from one it replaces."""

    name: str
    folder: str
    first: int
    last: int
    turn: int


def folder_of(source: str, ts_ms: int) -> str:
    """The folder of records with this time."""
    hour = datetime.fromtimestamp(ts_ms // 1000, UTC)
    return f"{source}/{hour.year:04}/{hour:%m/%d/%H}"


def hour_ms(folder: str) -> int:
    """When the hour of a folder begins."""
    _, year, month, day, hour = folder.split("/")
    at = datetime(int(year), int(month), int(day), int(hour), tzinfo=UTC)
    return int((at - _EPOCH).total_seconds()) * 1000


def version_of(number: int, index: int) -> int:
    """The version of record `index` of page `number`, both as archived: it rises with every record
    of the source."""
    return (number << 24) + index


def joined_name(folder: str, first: int, last: int, turn: int) -> str:
    """The name of a joined file."""
    return f"{folder}/joined-{first:010d}-{last:010d}-{turn}.avro"


def read_name(name: str) -> Part | Joined | None:
    """What a name tells; None for one that is no file of the archive."""
    found = _PART.fullmatch(name)
    if found is not None:
        of = Written(int(found["number"]), int(found["epoch"]), int(found["attempt"]))
        return Part(name, found["folder"], of, int(found["part"]), int(found["parts"]))
    found = _JOINED.fullmatch(name)
    if found is None:
        return None
    return Joined(
        name, found["folder"], int(found["first"]), int(found["last"]), int(found["turn"])
    )


def read_names(names: Iterable[str]) -> Iterator[Part | Joined]:
    """What the names tell, those left out that tell nothing."""
    return (found for found in map(read_name, names) if found is not None)


def whole(parts: Iterable[Part]) -> dict[int, Written]:
    """Of the pages whose last part is there: by number, the writing that counts."""
    found: dict[int, Written] = {}
    for each in parts:
        if each.part == each.parts and each.of >= found.get(each.of.number, each.of):
            found[each.of.number] = each.of
    return found
