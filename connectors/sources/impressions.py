"""Figures of impressions, from the tables' manifests: by day and campaign, each day once.

A day's list of files has the version of the table in its name, so a day that has changed is one
whose version is behind the cursor's. What has left a day (a load was taken out, or replaced) is
found in the archive, and archived once more with nothing in it.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterable, Iterator
from datetime import date
from typing import Any

from connectors.files.base import Files, FilesError
from connectors.sources.base import Cursor, Kit, Page, Window
from connectors.sources.errors import CallFailed
from domain.impressions.figures import merge
from domain.impressions.layout import PARTITIONED, manifest_name
from domain.impressions.manifest import (
    FileEntry,
    Load,
    Manifest,
    PieceRef,
    decode_manifest,
    decode_piece,
    totals,
)
from domain.metrics.fetched import Fetched
from domain.metrics.moments import day_ms, moment_ms
from domain.metrics.records import Attributes

_VERSION = re.compile(r"\.v([0-9]+)\.json$")
DAY, LOAD = "day", "load"
Place = tuple[int, str]
"""(version of the table that wrote a day's list, day)"""


class Impressions:
    """Its cursor: `at`, the place of the day read last; `loads`, how many loads were read; `out`,
    how many of them were taken out again."""

    RANGED = False
    BASE_URL: str | None = None

    def __init__(self, kit: Kit) -> None:
        self._kit = kit
        self._table = str(kit.source.fetch.get("table", PARTITIONED))
        self._zone = kit.source.timezone

    async def fetch(self, cursor: Cursor, window: Window | None = None) -> AsyncIterator[Page]:
        """See `Connector`."""
        held = cursor or {}
        at: Place = (int(held.get("version", 0)), str(held.get("day", "")))
        known, out = int(held.get("loads", 0)), int(held.get("out", 0))
        files = self._files()
        manifest = await self._asked(_manifest, files, self._table)
        gone = sum(load.state != "loaded" for load in manifest.loads)
        left: list[Fetched] = []
        if gone != out:
            left = await self._asked(self._left, files, manifest)

        def place(reached: Place) -> dict[str, Any]:
            return {"version": reached[0], "day": reached[1], "loads": known, "out": out}

        loads = [
            load
            for number, load in enumerate(manifest.loads)
            if number >= known or (gone != out and load.state != "loaded")
        ]
        days = sorted(each for each in self._days(manifest) if each[0] > at)
        for number, (reached, ref) in enumerate(days, 1):
            entries = await self._asked(_entries, files, ref)
            if entries is None:
                return  # the table has moved on: the next round reads it as it is then
            at = reached
            last = number == len(days) and not (loads or left)
            yield Page(self._of_day(reached[1], entries), place(at), last=last)
        if loads or left:
            known, out = len(manifest.loads), gone
            yield Page([*left, *self._of_loads(loads)], place(at), last=True)

    def _files(self) -> Files:
        if self._kit.tables is None:
            raise CallFailed("this worker has no tables of impressions")
        return self._kit.tables()

    async def _asked(self, work: Any, *arguments: Any) -> Any:
        try:
            return await asyncio.to_thread(work, *arguments)
        except FilesError as error:
            raise CallFailed(str(error)) from error

    def _days(self, manifest: Manifest) -> Iterator[tuple[Place, PieceRef]]:
        for day, ref in manifest.pieces.items():
            found = _VERSION.search(ref.path)
            if day and found is not None:  # the compat layout has no days
                yield (int(found[1]), day), ref

    def _ts(self, day: str) -> int:
        return day_ms(date.fromisoformat(day), self._zone)

    def _of_day(self, day: str, entries: Iterable[FileEntry]) -> list[Fetched]:
        by: dict[str, list[FileEntry]] = {}
        for one in entries:
            by.setdefault(one.campaign, []).append(one)
        return [self._record(day, campaign, files) for campaign, files in sorted(by.items())]

    def _record(self, day: str, campaign: str, files: list[FileEntry]) -> Fetched:
        figures = merge(one.figures for one in files)
        told: Attributes = {
            "kind": DAY,
            "id": f"{DAY}/{day}/{campaign}",
            "day": day,
            "campaign": campaign,
            "rows": figures.rows,
            "files": len(files),
            "sum": totals(files).sum,
            "squares": figures.squares,
            "mean": totals(files).mean if files else None,
            "stddev": figures.stddev if files else None,
            "unmatched": sum(one.rows for one in files if not one.matched),
        }
        return Fetched(self._ts(day), told)

    def _of_loads(self, loads: Iterable[Load]) -> Iterator[Fetched]:
        for load in loads:
            loaded = load.state == "loaded"
            at = self._ts(load.dates[0]) if any(load.dates) else moment_ms(load.finished)
            told: Attributes = {
                "kind": LOAD,
                "id": f"{LOAD}/{load.load}",
                "day": load.dates[0] if any(load.dates) else "",
                "load": load.load,
                "file": load.file,
                "state": load.state,
                "loads": int(loaded),
                "rejected": load.rejected if loaded else 0,
            }
            yield Fetched(at or 0, told)

    def _left(self, files: Files, manifest: Manifest) -> list[Fetched]:
        """Records without rows for what was archived of a day and is no longer in it. Blocks."""
        dates = {day for load in manifest.loads if load.state != "loaded" for day in load.dates}
        archived: set[tuple[str, str]] = set()
        for attributes in self._kit.archived():
            day, campaign = attributes.get("day"), attributes.get("campaign")
            if attributes.get("kind") == DAY and day in dates:
                archived.add((str(day), str(campaign)))
        for day in sorted(dates & set(manifest.pieces)):
            entries = _entries(files, manifest.pieces[day])
            if entries is None:
                raise CallFailed(f"{self._table} moved on while it was read")
            archived -= {(day, one.campaign) for one in entries}
        return [self._record(day, campaign, []) for day, campaign in sorted(archived)]


def _manifest(files: Files, table: str) -> Manifest:
    found = files.read(manifest_name(table))
    return Manifest(table) if found is None else decode_manifest(found[0])


def _entries(files: Files, ref: PieceRef) -> tuple[FileEntry, ...] | None:
    """The files of a day; None when its list is gone."""
    found = files.read(ref.path)
    return None if found is None else decode_piece(found[0]).files
