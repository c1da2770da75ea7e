"""One step of a job, run on a thread: the same functions that the commands call.

A step that was committed before a kill, and not noted, is not done again: the table says so.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from agents.impressions.dimension import newest, take_dimension
from agents.impressions.joining import Joined, join, planned_update, update
from agents.impressions.load import Options, load_file
from agents.impressions.lock import Busy, LockLost
from agents.impressions.source import Source
from agents.impressions.stopping import Stop, StoppableFiles, Stopped
from agents.impressions.store import Store
from connectors.files.base import Conflict, Files, FilesUnavailable, Missing
from domain.clock import Clock
from domain.errors import Fatal, Invariant, SluiceError
from domain.impressions.jobs import Job
from domain.impressions.layout import DIMENSION, JOINED, PARTITIONED, UPDATED

T = TypeVar("T")
DAY = timedelta(days=1)
LATER = (Busy, Conflict, FilesUnavailable, LockLost, OSError)
"""What may pass: another step, a server that is away, a disk that is full."""


@dataclass(frozen=True)
class Failure:
    """Why it can't be done; `later`: it may be possible later."""

    problem: str
    later: bool


def tried(work: Callable[..., T], *args: object) -> T | Failure:
    """What it returns, or why it failed. Raises Stopped, and what ends the worker."""
    try:
        return work(*args)
    except (Fatal, Stopped):
        raise
    except LATER as error:
        return Failure(str(error) or type(error).__name__, True)
    except SluiceError as error:
        return Failure(str(error), False)


@dataclass
class Watched:
    """How far a step is: `done` of `total` bytes (0: not known), `rows` found. Written by the
    step's thread, read by others."""

    step: str
    done: int = 0
    total: int = 0
    rows: int = 0


@dataclass(frozen=True)
class Outcome:
    """What a step came to. `changed` False: it had been done before."""

    table: str
    version: int
    changed: bool
    load: str = ""
    rows: int = 0
    rejected: int = 0
    unmatched: int = 0
    files: int = 0
    bytes: int = 0


@dataclass(frozen=True)
class Running:
    """What steps are run with. `limit`: bytes that a file may unzip to."""

    files: Files
    clock: Clock
    open_source: Callable[[str], Source]
    limit: int

    def since(self) -> int:
        """The version of the dimension now. Blocks."""
        return newest(Store(self.files)).version

    def run(self, job: Job, step: str, resumed: bool, stop: Stop, seen: Watched) -> Outcome | None:
        """Runs a step of the job; None when there is nothing for it to do. Blocks, and raises what
        the steps raise, and Stopped. `resumed`: an earlier run of the job may have got so far."""
        files = StoppableFiles(self.files, stop)

        def progress(done: int, rows: int) -> None:
            stop.check()
            seen.done, seen.rows = done, rows

        stop.check()
        if step == "partition":
            return self._partition(files, job, resumed, progress, seen)
        if step == "dimension":
            return self._dimension(files, job)
        if step == "join":
            return self._join(files, progress)
        if step == "update":
            return self._update(files, job, progress, seen)
        raise Invariant("a step has a name", step)

    def _partition(
        self, files: Files, job: Job, resumed: bool, progress: Callable[[int, int], None],
        seen: Watched,
    ) -> Outcome:  # fmt: skip
        source = self.open_source(job.file)
        found = source.files.stat(source.name)
        if found is None:
            raise Missing(source.address)
        seen.total = found.size
        manifest, _ = Store(files).manifest(PARTITIONED)
        if resumed:  # it may have been loaded, and taken out since
            for load in manifest.loads:
                if (load.file, load.tag) == (source.address, found.tag) and load.state != "loaded":
                    return Outcome(PARTITIONED, manifest.version, False, load.load, load.rows)
        put = datetime.fromtimestamp(found.changed_ms / 1000, UTC)
        options = Options(
            date=job.date, replace=job.replace, limit=self.limit,
            day=(put.date() - DAY).isoformat(),
        )  # fmt: skip
        loaded = load_file(files, self.clock, source, options, progress)
        load = loaded.load
        return Outcome(
            PARTITIONED, loaded.version, loaded.changed, load.load, load.rows, load.rejected,
            files=loaded.files,
        )  # fmt: skip

    def _dimension(self, files: Files, job: Job) -> Outcome:
        source = self.open_source(job.file)
        history = take_dimension(files, self.clock, source, since=job.since)
        return Outcome(
            DIMENSION, history.version, history.version != job.since, rows=len(history.newest)
        )

    def _join(self, files: Files, progress: Callable[[int, int], None]) -> Outcome | None:
        store = Store(files)
        source, own = store.manifest(PARTITIONED)[0], store.manifest(JOINED)[0]
        history = newest(store)
        if not history.version or not source.version:
            return None
        if own.version and own.of == source.version:
            return None  # what has changed is metadata alone: that is for `update`
        return _told(join(files, self.clock, history, progress))

    def _update(
        self, files: Files, job: Job, progress: Callable[[int, int], None], seen: Watched
    ) -> Outcome | None:
        store = Store(files)
        source, own = store.manifest(JOINED)[0], store.manifest(UPDATED)[0]
        history = newest(store)
        if not history.version or not source.version:
            return None
        if not own.version and job.kind == "load":
            return None  # the table begins with the first change of metadata
        if own.version and (own.of, own.dimension) == (source.version, history.version):
            return None
        seen.total = planned_update(store, history).bytes
        return _told(update(files, self.clock, history, progress))


def _told(joined: Joined) -> Outcome:
    written = joined.written
    return Outcome(
        joined.table, joined.version, joined.changed, rows=joined.rows, unmatched=joined.unmatched,
        files=written.files, bytes=written.bytes,
    )  # fmt: skip
