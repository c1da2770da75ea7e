"""The step partition: a load comes into FACT_PARTITIONED, or is taken out again."""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import msgspec

from agents.impressions.partition import (
    WORKERS,
    How,
    Partitioned,
    Partitioner,
    scratch_folder,
)
from agents.impressions.source import LOAD_DIGITS, WRITERS, Progress, Source, no_progress
from agents.impressions.step import Step
from agents.impressions.writer import Writer
from connectors.files.base import Files, Found, Missing
from domain.aggregation.instants import print_instant
from domain.clock import Clock
from domain.errors import SluiceError, UsageError
from domain.impressions import layout
from domain.impressions.layout import BUCKETS, PARTITIONED, Layout
from domain.impressions.manifest import FileEntry, Load, Manifest

READ_BYTES = 4 << 20


class LoadRefused(SluiceError):
    """A load that would change what is there. Nothing was changed."""


@dataclass(frozen=True)
class Options:
    """`layout` None: that of the table, dated for an empty one. `date` ISO, for files without that
    column; `day` for such a file when no date is given. `limit`: bytes a file may unzip to, 0: any.
    """

    layout: Layout | None = None
    buckets: int = BUCKETS
    date: str = ""
    replace: bool = False
    limit: int = 0
    day: str = ""


@dataclass(frozen=True)
class Loaded:
    """What came of it. `changed` False: it was there already."""

    load: Load
    version: int
    files: int
    changed: bool


def load_file(
    files: Files, clock: Clock, source: Source, options: Options, progress: Progress = no_progress
) -> Loaded:
    """Runs the step. Raises LoadRefused, Damaged, TooLarge, Missing, Busy, LockLost, UsageError and
    what files raise; then nothing has changed."""
    found = source.files.stat(source.name)
    if found is None:
        raise Missing(source.address)
    with Step(files, "partition", [PARTITIONED], clock, file=source.address) as step:
        known = _known(step.manifest, source, found, options)
        if known is not None:
            return _as_it_is(step, known)
        how = _how(step.manifest, source, options)
        with (
            scratch_folder() as scratch,
            ThreadPoolExecutor(WORKERS, "impressions") as pool,
            ThreadPoolExecutor(WRITERS, "writing") as writers,
        ):
            reading = source.files.open(source.name)
            try:
                content = Partitioner(how, Path(scratch), pool).read(reading, progress)
            finally:
                reading.close()
            known = step.manifest.load_in_force(content.checksum[:LOAD_DIGITS])
            if known is not None:
                return _as_it_is(step, _same_day(known, options))
            return _Loading(step, how, writers).run(source, found, content, options)


def undo_load(files: Files, clock: Clock, ident: str) -> Loaded | None:
    """Takes a load out of FACT_PARTITIONED; None when it is out already. Raises UsageError for one
    that never was, else as `load_file`."""
    with Step(files, "undo", [PARTITIONED], clock) as step:
        loads = step.manifest.loads
        load = step.manifest.load_in_force(ident)
        if load is None:
            if any(one.load == ident for one in loads):
                return None
            raise UsageError(
                f"there is no load {ident!r}", "`sluice impressions status` lists them"
            )
        step.told(file=load.file, load=ident, rows=load.rows)
        changed = {date: step_out(step, date, {ident}) for date in load.dates}
        gone = msgspec.structs.replace(load, state="undone", rejects="")
        manifest = step.commit(
            changed, [load.rejects] if load.rejects else [],
            loads=tuple(gone if one is load else one for one in loads),
        )  # fmt: skip
        return Loaded(gone, manifest.version, sum(map(len, changed.values())), True)


def step_out(step: Step, date: str, loads: set[str]) -> list[FileEntry]:
    """The files of a date without those loads, written where they had some."""
    return Writer(step, step.manifest.layout).without(date, loads)


def _as_it_is(step: Step, load: Load) -> Loaded:
    step.told(load=load.load, rows=load.rows, rejected=load.rejected)
    return Loaded(load, step.manifest.version, 0, False)


def _same_day(load: Load, options: Options) -> Load:
    if options.date and load.date and options.date != load.date:
        raise LoadRefused(
            f"{load.file} was loaded as of {load.date}, not {options.date}; "
            f"`sluice impressions undo {load.load}` takes it out first"
        )
    return load


def _known(manifest: Manifest, source: Source, found: Found, options: Options) -> Load | None:
    """The load of this very file, if it is in the table. Raises LoadRefused when the same address
    had other content, or the table takes no second load."""
    mine = [one for one in manifest.loads if one.file == source.address and one.state == "loaded"]
    for load in mine:
        if load.tag == found.tag:
            return _same_day(load, options)
    full = manifest.layout == "compat" and any(o.state == "loaded" for o in manifest.loads)
    if not mine and not full:
        return None
    ident = _checksum(source)[:LOAD_DIGITS]
    same = manifest.load_in_force(ident)
    if same is not None:
        return _same_day(same, options)
    if mine and not options.replace:
        raise LoadRefused(
            f"{source.address} was loaded before with other content (load {mine[-1].load})\n"
            "--replace takes that out and loads this instead"
        )
    if full and not mine:
        raise LoadRefused(
            f"{PARTITIONED} has the compat layout and holds a load already\n"
            "it takes no second one; the dated layout takes any number"
        )
    return None


def _checksum(source: Source) -> str:
    digest = hashlib.sha256()
    reading = source.files.open(source.name)
    try:
        while piece := reading.read(READ_BYTES):
            digest.update(piece)
    finally:
        reading.close()
    return digest.hexdigest()


def _how(manifest: Manifest, source: Source, options: Options) -> How:
    wanted, buckets = options.layout or "dated", options.buckets
    if manifest.pieces:
        wanted, buckets = manifest.layout, manifest.buckets
        if options.layout not in (None, wanted):
            raise UsageError(
                f"{PARTITIONED} has the {wanted} layout, not {options.layout}",
                "a table keeps the layout of its first load",
            )
    date = options.date or options.day
    return How(source.address, wanted, buckets, date, options.limit)


class _Loading:
    """Brings what was read into force."""

    def __init__(self, step: Step, how: How, pool: ThreadPoolExecutor) -> None:
        self._step, self._how, self._pool = step, how, pool

    def run(self, source: Source, found: Found, content: Partitioned, options: Options) -> Loaded:
        """Writes and commits."""
        step, ident = self._step, content.checksum[:LOAD_DIGITS]
        old = [
            one for one in step.manifest.loads
            if options.replace and one.file == source.address and one.state == "loaded"
        ]  # fmt: skip
        gone = {one.load for one in old}
        changed: dict[str, list[FileEntry]] = {}
        writer = Writer(step, self._how.layout, self._pool, ident)
        for date, places in groupby(content, lambda one: one[0].date):
            changed[date] = writer.with_new(date, places, gone)
        dates = tuple(changed)
        for date in {date for one in old for date in one.dates} - set(changed):
            changed[date] = writer.without(date, gone)
        rejects = self._rejects(ident, content)
        finished = print_instant(step.clock.now_ms())
        given = options.date or (options.day if content.undated else "")
        load = Load(
            ident, source.address, content.checksum, found.tag, "loaded", content.rows,
            content.rejects.count, step.started, finished, dates, given, rejects,
        )  # fmt: skip
        step.told(load=ident, rows=load.rows, rejected=load.rejected, files=writer.count)
        replaced = {
            one.load: msgspec.structs.replace(one, state="replaced", rejects="") for one in old
        }
        kept = [replaced.get(one.load, one) if one in old else one for one in step.manifest.loads]
        manifest = step.commit(
            changed, [one.rejects for one in old if one.rejects], loads=(*kept, load),
            layout=self._how.layout, buckets=self._how.buckets,
        )  # fmt: skip
        return Loaded(load, manifest.version, writer.count, True)

    def _rejects(self, ident: str, content: Partitioned) -> str:
        if not content.rejects.count:
            return ""

        def name(version: int | None) -> str:
            ending = "" if version is None else f".v{version}"
            return f"{layout.folder(PARTITIONED)}/rejects/{ident}{ending}.csv"

        path = self._step.fresh(name, None)
        self._step.put(path, content.rejects.pieces())
        return path
