"""Figures of tables by day and campaign, without reading a list of files twice.

The list of a day never changes (a new one gets a new name), so what was read is kept by its
checksum: of the last KEPT days, one float a file and a few numbers. Every method blocks; any thread
may call.
"""

import threading
from array import array
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import chain

from agents.impressions.store import DamagedTable, Store
from connectors.files.base import Missing
from domain.errors import Invariant
from domain.impressions.figures import Figures, merge
from domain.impressions.manifest import FileEntry, Manifest, PieceRef, totals

KEPT = 400  # days: with 8,000 files each, 26 MB
TRIES = 5  # readings of a table that moves on under them


@dataclass(frozen=True)
class DayFigures:
    """A day (empty in the compat layout) of a table. `sums`: those of its files, in their order."""

    day: str
    files: int
    figures: Figures
    unmatched: int
    bytes: int
    sums: "array[float]"


@dataclass(frozen=True)
class Line:
    """Figures of a day, or of one campaign on it. `campaign` None: of all."""

    day: str
    campaign: str | None
    files: int
    rows: int
    mean: float
    stddev: float
    least: float
    greatest: float
    unmatched: int


@dataclass(frozen=True)
class Summary:
    """A table as a whole, with the figures that `status` tells."""

    manifest: Manifest
    files: int
    rows: int
    mean: float
    stddev: float
    bytes: int


@dataclass
class Summaries:
    """See the module."""

    _held: "OrderedDict[str, DayFigures]" = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def table(self, store: Store, table: str) -> Summary | None:
        """A table; None when it is not there."""
        for _ in range(TRIES):
            manifest, _tag = store.manifest(table)
            if not manifest.version:
                return None
            try:
                days = [self._day(store, d, ref) for d, ref in sorted(manifest.pieces.items())]
            except (Missing, DamagedTable):
                if store.moved(manifest):
                    continue
                raise
            total = in_order(chain.from_iterable(day.sums for day in days))
            figures = merge(day.figures for day in days)
            mean = total / figures.rows if figures.rows else 0.0
            return Summary(
                manifest, sum(day.files for day in days), figures.rows, mean, figures.stddev,
                sum(day.bytes for day in days),
            )  # fmt: skip
        raise Invariant("a table can be read", f"{table} moved on {TRIES} times", "try again later")

    def days(self, store: Store, manifest: Manifest, days: Iterable[str]) -> list[Line]:
        """A line for each of these days of the table that it has. Raises Missing when the table
        has moved on."""
        found = []
        for name in days:
            if name in manifest.pieces:
                day = self._day(store, name, manifest.pieces[name])
                mean = in_order(day.sums) / day.figures.rows if day.figures.rows else 0.0
                found.append(_line(name, None, day.files, day.figures, mean, day.unmatched))
        return found

    def _day(self, store: Store, day: str, ref: PieceRef) -> DayFigures:
        with self._lock:
            found = self._held.get(ref.checksum)
            if found is not None:
                self._held.move_to_end(ref.checksum)
                return found
        files = store.piece(ref).files
        made = DayFigures(
            day, ref.files, merge(one.figures for one in files), ref.unmatched,
            sum(one.bytes for one in files), array("d", (one.sum for one in files)),
        )  # fmt: skip
        with self._lock:
            self._held[ref.checksum] = made
            while len(self._held) > KEPT:
                self._held.popitem(last=False)
        return made


def campaigns(store: Store, manifest: Manifest, day: str) -> list[Line]:
    """A line for each campaign of a day, by its id; none when the table has no such day. The mean
    is that of the files' sums in bucket order."""
    if day not in manifest.pieces:
        return []
    by: dict[str, list[FileEntry]] = {}
    for one in store.piece(manifest.pieces[day]).files:
        by.setdefault(one.campaign, []).append(one)
    found = []
    for campaign, files in sorted(by.items()):
        unmatched = sum(one.rows for one in files if not one.matched)
        merged, mean = merge(one.figures for one in files), totals(files).mean
        found.append(_line(day, campaign, len(files), merged, mean, unmatched))
    return found


def in_order(sums: Iterable[float]) -> float:
    """Their sum, one by one, as the contract has it: `sum` would round otherwise."""
    total = 0.0
    for one in sums:
        total += one
    return total


def _line(
    day: str, campaign: str | None, files: int, figures: Figures, mean: float, unmatched: int
) -> Line:
    return Line(
        day, campaign, files, figures.rows, mean, figures.stddev, figures.least, figures.greatest,
        unmatched,
    )  # fmt: skip
