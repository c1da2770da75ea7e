"""The steps join and update: rows get the metadata of their campaigns.

Both compare what should be with what is, file by file, from the manifests alone, and write only
what differs. A file has one campaign, so all of its rows end alike: to join them is to replace the
line ends.
"""

from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import msgspec

from agents.impressions.dimension import newest
from agents.impressions.rewrite import rewritten
from agents.impressions.source import WRITERS, Progress, no_progress
from agents.impressions.step import Step
from agents.impressions.store import Store
from connectors.files.base import Files
from domain.clock import Clock
from domain.errors import UsageError
from domain.impressions.dimension import History
from domain.impressions.layout import JOINED, PARTITIONED, UPDATED, file_name, folder
from domain.impressions.manifest import FileEntry, Key, Manifest, entry

WAITING = 2 * WRITERS


@dataclass(frozen=True)
class Task:
    """A file to be written: the rows of `source`, each without `strip` and with `append` at its
    end; in place of `before`."""

    source: FileEntry
    before: FileEntry | None
    strip: bytes
    append: bytes


@dataclass
class DatePlan:
    """What becomes of a date: files that stay (or are referred to), and those to be written."""

    date: str
    kept: list[FileEntry] = field(default_factory=list)
    tasks: list[Task] = field(default_factory=list)
    changed: bool = False


@dataclass(frozen=True)
class Planned:
    """What a step would write: files, their rows, and the bytes they have now."""

    files: int
    rows: int
    bytes: int


@dataclass(frozen=True)
class Joined:
    """What came of it. `version` of the table, `dimension` the version it has now."""

    table: str
    version: int
    dimension: int
    written: Planned
    rows: int
    unmatched: int
    changed: bool


Choose = Callable[[FileEntry, FileEntry | None, bytes], "FileEntry | Task"]
"""(source, what is there, what is to be appended) -> the entry that stays, or what to write"""


def join(files: Files, clock: Clock, history: History, progress: Progress = no_progress) -> Joined:
    """Brings FACT_JOINED up to FACT_PARTITIONED and the dimension. Raises UsageError when there is
    nothing to join, DamagedTable, Busy, LockLost."""
    return _run(files, clock, "join", PARTITIONED, JOINED, _joined, history, progress)


def update(
    files: Files, clock: Clock, history: History, progress: Progress = no_progress
) -> Joined:
    """Brings FACT_UPDATED up to FACT_JOINED and the dimension; writes the files of campaigns whose
    metadata differs from that in FACT_JOINED and refers to all others where they lie."""
    return _run(files, clock, "update", JOINED, UPDATED, _updated, history, progress)


def follow(files: Files, clock: Clock) -> None:
    """Brings the joined tables that are there up to FACT_PARTITIONED, with the newest dimension."""
    store = Store(files)
    history = newest(store)
    for table, step in ((JOINED, join), (UPDATED, update)):
        if store.manifest(table)[0].version:
            step(files, clock, history)


def planned_update(store: Store, history: History) -> Planned:
    """What `update` would write. Only reads, and holds nothing still."""
    source, own = _source(store, JOINED, UPDATED), store.manifest(UPDATED)[0]
    tasks = [
        task
        for date in sorted({*source.pieces, *own.pieces})
        for task in _plan(store, date, source, own, _updated, history).tasks
    ]
    return _sums(task.source for task in tasks)


def _joined(source: FileEntry, own: FileEntry | None, append: bytes) -> FileEntry | Task:
    if own is not None and own.source == source.checksum and own.metadata == append.decode():
        return own
    return Task(source, own, b"", append)


def _updated(source: FileEntry, own: FileEntry | None, append: bytes) -> FileEntry | Task:
    wanted = append.decode()
    right = own is not None and own.source == source.source and own.metadata == wanted
    if own is not None and right and own.path.startswith(folder(UPDATED) + "/"):
        return own
    if source.metadata == wanted:
        return source
    return Task(source, own, source.metadata.encode(), append)


def _source(store: Store, table: str, target: str) -> Manifest:
    found, _ = store.manifest(table)
    if not found.version:
        step = "partition" if table == PARTITIONED else "join"
        raise UsageError(
            f"{table} is not there, which {target} is made from",
            f"`sluice impressions {step}` comes first",
        )
    return found


def _plan(
    store: Store, date: str, source: Manifest, own: Manifest, choose: Choose, history: History
) -> DatePlan:
    files = store.piece(source.pieces[date]).files if date in source.pieces else ()
    there: dict[Key, FileEntry] = {}
    if date in own.pieces:
        there = {one.key: one for one in store.piece(own.pieces[date]).files}
    plan = DatePlan(date, changed=len(there) != len(files))
    appendices: dict[str, bytes] = {}
    for one in files:
        append = appendices.get(one.campaign)
        if append is None:
            append = appendices[one.campaign] = history.appendix(one.campaign)
        before = there.get(one.key)
        found = choose(one, before, append)
        if isinstance(found, Task):
            plan.tasks.append(found)
            continue
        matched = one.campaign in history.newest
        if found.matched is not matched:  # all of its values are empty
            found = msgspec.structs.replace(found, matched=matched)
        plan.kept.append(found)
        plan.changed |= found != before
    plan.changed |= bool(plan.tasks)
    return plan


def _run(
    files: Files, clock: Clock, name: str, table: str, target: str, choose: Choose,
    history: History, progress: Progress,
) -> Joined:  # fmt: skip
    with (
        Step(files, name, [table, target], clock) as step,
        ThreadPoolExecutor(WRITERS, "impressions") as pool,
    ):
        source, own = _source(step.store, table, target), step.manifest
        writing = _Writing(step, pool, source, history, progress)
        changed: dict[str, list[FileEntry]] = {}
        for date in sorted({*source.pieces, *own.pieces}):
            plan = _plan(step.store, date, source, own, choose, history)
            if plan.changed:
                changed[date] = writing.run(plan)
        written = _sums(writing.sources)
        step.told(rows=written.rows, files=written.files, bytes=written.bytes)
        same = own.version and own.of == source.version and own.dimension == history.version
        if changed or not same:
            own = step.commit(
                changed, loads=source.loads, layout=source.layout, buckets=source.buckets,
                columns=history.columns, dimension=history.version, of=source.version,
            )  # fmt: skip
        return Joined(
            target, own.version, history.version, written, own.rows, own.unmatched, bool(changed)
        )


class _Writing:
    """Writes planned files, a few at a time."""

    def __init__(
        self, step: Step, pool: ThreadPoolExecutor, source: Manifest, history: History,
        progress: Progress,
    ) -> None:  # fmt: skip
        self._step, self._pool, self._source, self._history = step, pool, source, history
        self._progress = progress
        self._bytes = self._rows = 0
        self.sources: list[FileEntry] = []

    def run(self, plan: DatePlan) -> list[FileEntry]:
        """The files of a date once its tasks are done."""
        made, waiting = list(plan.kept), deque[Future[FileEntry]]()
        for task in plan.tasks:
            waiting.append(self._pool.submit(self._write, plan.date, task))
            if len(waiting) > WAITING:
                made.append(self._taken(waiting.popleft()))
        while waiting:
            made.append(self._taken(waiting.popleft()))
        self.sources += [task.source for task in plan.tasks]
        return made

    def _taken(self, future: Future[FileEntry]) -> FileEntry:
        found = future.result()
        self._bytes += found.bytes
        self._rows += found.rows
        self._progress(self._bytes, self._rows)
        return found

    def _write(self, date: str, task: Task) -> FileEntry:
        step, one = self._step, task.source
        table = step.table

        def name(version: int | None) -> str:
            layout = self._source.layout
            return file_name(layout, table, date, one.bucket, one.campaign.encode(), version)

        path = step.fresh(name, None if task.before is None else task.before.path)
        pieces = rewritten(step.files, one, task.strip, task.append)
        checksum, size = step.put(path, pieces)
        return entry(
            path, one.key, checksum, size, one.figures, dimension=self._history.version,
            source=one.checksum if table == JOINED else one.source,
            metadata=task.append.decode(), matched=one.campaign in self._history.newest,
        )  # fmt: skip


def _sums(entries: Iterable[FileEntry]) -> Planned:
    files = rows = size = 0
    for one in entries:
        files, rows, size = files + 1, rows + one.rows, size + one.bytes
    return Planned(files, rows, size)
