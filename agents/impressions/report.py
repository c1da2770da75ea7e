"""The figures of a table: as its manifest has them (`status`), and counted anew (`verify`)."""

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from agents.impressions.journal import read_journal
from agents.impressions.lock import held_by
from agents.impressions.partition import WRITERS
from agents.impressions.rewrite import lines_of
from agents.impressions.store import DamagedTable, Store
from connectors.files.base import Files, Missing
from domain.errors import Invariant, UsageError
from domain.impressions.figures import Figures
from domain.impressions.layout import PARTITIONED, TABLES
from domain.impressions.manifest import FileEntry, Manifest, entry, totals
from domain.impressions.rows import read_number, split

if TYPE_CHECKING:
    import numpy as np

TRIES = 5  # readings of a table that moves on under them
CLOSE = 1e-12  # the deviation is rounded once on the way to the manifest
Read = Callable[[Manifest], tuple[list[FileEntry], dict[str, str]]]
NUMBER = 3  # which cell of an output row is the number


@dataclass(frozen=True)
class Report:
    """A table at one version. `damaged`: path -> what is wrong with it."""

    manifest: Manifest
    files: list[FileEntry]
    damaged: dict[str, str]
    steps: list[dict[str, object]]

    def as_json(self) -> dict[str, object]:
        """The shape of `status --json` and `/api/impressions/tables/{table}`."""
        found, manifest = totals(self.files), self.manifest
        return {
            "table": manifest.table,
            "version": manifest.version,
            "rows": found.rows,
            "sum": found.sum,
            "mean": found.mean,
            "stddev": found.stddev,
            "unmatched": manifest.unmatched,
            "rejected": manifest.rejected,
            "files": [file_json(one) for one in self.files],
            "loads": loads_json(manifest, self.steps),
            "steps": self.steps,
            "layout": manifest.layout,
            "dimension": manifest.dimension,
            "written": manifest.written,
            **({"damaged": self.damaged} if self.damaged else {}),
        }


def file_json(one: FileEntry) -> dict[str, object]:
    """A file with its figures."""
    figures = one.figures
    return {
        "path": one.path,
        "rows": one.rows,
        "sum": one.sum,
        "mean": one.mean,
        "stddev": figures.stddev,
        "min": one.min,
        "max": one.max,
        "campaign": one.campaign,
        "bucket": one.bucket,
        "bytes": one.bytes,
    }


def loads_json(manifest: Manifest, steps: list[dict[str, object]]) -> list[dict[str, object]]:
    """Every load, newest last: those the manifest has, and those that run or came to nothing."""
    found = [
        {
            "load": load.load,
            "file": load.file,
            "state": load.state,
            "rows": load.rows,
            "started": load.started,
            "finished": load.finished,
            "rejected": load.rejected,
            "rejects": load.rejects,
            "dates": [date for date in load.dates if date],
        }
        for load in manifest.loads
    ]
    for step in steps:
        if step["step"] == "partition" and step["state"] != "done":
            names = ("load", "file", "state", "rows", "started", "finished", "problem")
            found.append({name: step[name] for name in names})
    return sorted(found, key=lambda one: str(one["started"]))


def loads(store: Store) -> list[dict[str, object]]:
    """Every load of FACT_PARTITIONED, newest last; none when there is no table yet."""
    manifest, _ = store.manifest(PARTITIONED)
    return loads_json(manifest, steps_of(store, PARTITIONED))


def existing(store: Store) -> list[str]:
    """The tables that are there."""
    return [table for table in TABLES if store.manifest(table)[0].version]


def status(store: Store, table: str) -> Report:
    """From the manifests alone. Raises UsageError for a table that is not there."""
    return _steady(store, table, lambda manifest: (list(store.entries(manifest)), {}))


def verify(store: Store, table: str) -> Report:
    """Reads every file in force and counts it anew: the figures are those found. A step that runs
    meanwhile does not disturb: the version it began with is read, or the next one whole."""

    def counted(manifest: Manifest) -> tuple[list[FileEntry], dict[str, str]]:
        files, damaged = [], {}
        with ThreadPoolExecutor(WRITERS, "verify") as pool:
            entries = list(store.entries(manifest))
            for one, found in zip(
                entries, pool.map(lambda one: _recounted(store.files, one), entries), strict=True
            ):
                if isinstance(found, str):
                    damaged[one.path] = found
                else:
                    files.append(found)
        if damaged and store.moved(manifest):
            raise Missing(next(iter(damaged)))  # they may have been replaced: read anew
        return files, damaged

    return _steady(store, table, counted)


def _steady(store: Store, table: str, read: Read) -> Report:
    for _ in range(TRIES):
        manifest, _tag = store.manifest(table)
        if not manifest.version and not read_journal(store.files, table):
            there = ", ".join(existing(store)) or "no table yet"
            raise UsageError(f"table {table} is not there", f"there is {there}")
        try:
            files, damaged = read(manifest)
        except (Missing, DamagedTable):
            if store.moved(manifest):
                continue
            raise
        return Report(manifest, files, damaged, steps_of(store, table))
    raise Invariant("a table can be read", f"{table} moved on {TRIES} times", "try again later")


def steps_of(store: Store, table: str) -> list[dict[str, object]]:
    """The last steps; one that says it runs, and holds no lock, was interrupted."""
    held = held_by(store.files, table)
    found = []
    for record in read_journal(store.files, table):
        if record.state == "running" and held is None:
            record = msgspec.structs.replace(record, state="interrupted")
        found.append(msgspec.structs.asdict(record))
    return found


def _recounted(files: Files, one: FileEntry) -> FileEntry | str:
    """The file with the figures found in it, or what is wrong with it."""
    import numpy as np  # loaded by the first who wants files recounted

    from agents.impressions.sums import Sums

    sums = Sums()
    try:
        for text in lines_of(files, one):
            values = _values(text)
            if values is None:
                return "a row without a number"
            sums.add(np.zeros(1, np.intp), values, np.zeros(1, np.intp))
    except DamagedTable as error:
        return error.problem
    found = sums.figures(0) if len(sums) else Figures()
    if not _alike(found, one.figures):
        return "its figures are not those of the manifest"
    return entry(
        one.path, one.key, one.checksum, one.bytes, found, parts=one.parts,
        dimension=one.dimension, source=one.source, metadata=one.metadata, matched=one.matched,
    )  # fmt: skip


def _alike(found: Figures, told: Figures) -> bool:
    exact = found.rows == told.rows and found.sum == told.sum
    ends = found.least == told.least and found.greatest == told.greatest
    return exact and ends and math.isclose(found.m2, told.m2, rel_tol=CLOSE, abs_tol=1e-300)


def _values(text: bytes) -> "np.ndarray[tuple[int], np.dtype[np.float64]] | None":
    """The numbers of the rows, read one by one: not by the code that wrote them."""
    import numpy as np

    found = []
    for line in text[:-1].split(b"\n"):
        cells = split(line) if b'"' in line else line.split(b",", NUMBER + 1)
        value = None if cells is None or len(cells) <= NUMBER else read_number(cells[NUMBER])
        if value is None:
            return None
        found.append(value)
    return np.array(found)
