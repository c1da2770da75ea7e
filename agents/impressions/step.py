"""A step: locks, what it writes, and how that comes into force.

The order of a commit:

1. Files are written beside and put into place under names that nobody knows yet.
2. The lists of the dates that changed are put into place.
3. All of that survives a loss of power.
4. The manifest goes up one version, by compare and swap: from here on the new files are in force.
5. Files that the version before had replaced are removed.
6. The lock is given back.

A kill before 4 leaves strays and the old version; the lock that was left behind tells the next step
to look for them. A kill after 4 leaves files of step 5, which the next step removes as well.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self

import msgspec

from agents.impressions import journal, strays
from agents.impressions.journal import StepRecord
from agents.impressions.lock import LEASE_S, TableLock
from agents.impressions.store import Store
from connectors.files.base import Conflict, Files, FilesError
from domain.aggregation.instants import print_instant as instant
from domain.clock import Clock
from domain.errors import SluiceError
from domain.impressions import manifest as shapes
from domain.impressions.layout import (
    JOINED,
    UPDATED,
    folder,
    manifest_name,
    piece_folder,
    piece_name,
)
from domain.impressions.manifest import FileEntry, Manifest, Piece, PieceRef, Retired


class Step:
    """One step on `tables`, of which the last is written and the others are only held still.

    `with Step(…) as step:` takes the locks (raises Busy) and removes what killed steps left; an
    error inside removes what was put into place. Its methods raise LockLost. `put` may be called
    from any thread.
    """

    def __init__(
        self, files: Files, name: str, tables: Sequence[str], clock: Clock, *, file: str = "",
        lease_s: float = LEASE_S,
    ) -> None:  # fmt: skip
        self.files, self.store, self.clock = files, Store(files), clock
        self.table = tables[-1]
        self.started = instant(clock.now_ms())
        self.record = StepRecord(name, self.table, "running", self.started, file=file)
        self._locks = [
            TableLock(files, table, name, self.started, clock, lease_s) for table in tables
        ]
        self._tables = tables
        self._exit = ExitStack()
        self._placed: list[str] = []
        self.manifest = Manifest(self.table)
        self._tag: str | None = None
        self._retired: set[str] = set()
        self._undecided = False

    def __enter__(self) -> Self:
        with ExitStack() as taken:
            for lock in self._locks:
                lock.take()
                taken.callback(lock.give_back)
            for table, lock in zip(self._tables, self._locks, strict=True):
                if lock.unclean:
                    strays.remove(self.store, table)
            self.manifest, self._tag = self.store.manifest(self.table)
            self._retired = {one.path for one in self.manifest.retired}
            journal.begin(self.files, self.record)
            self._exit = taken.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:  # fmt: skip
        try:
            if error is not None:
                self._undo(error)
            else:
                self._end(state="done")
        finally:
            self._exit.close()

    def put(self, path: str, pieces: Iterable[bytes | memoryview]) -> tuple[str, int]:
        """Puts a new file into place; its SHA-256 and size."""
        self.check()
        digest, size = hashlib.sha256(), 0
        writing = self.files.write(path)
        try:
            for piece in pieces:
                writing.write(piece)
                digest.update(piece)
                size += len(piece)
            self.check()
            self._placed.append(path)
            writing.place()
        except BaseException:
            writing.drop()
            raise
        return digest.hexdigest(), size

    def check(self) -> None:
        """Raises LockLost."""
        for lock in self._locks:
            lock.check()

    def fresh(self, name: Callable[[int | None], str], before: str | None) -> str:
        """The path for a new file: the plain name, or with the coming version where the plain one
        is, or just was, that of another file. `name(version)` makes them."""
        plain = name(None)
        if before == plain or plain in self._retired or (before is not None and self._ours(before)):
            return name(self.manifest.version + 1)
        return plain

    def commit(
        self, changed: Mapping[str, Sequence[FileEntry]], removed: Iterable[str] = (),
        **fields: Any,
    ) -> Manifest:  # fmt: skip
        """Brings the files of the dates in `changed` (all of them, none: the date goes) into force,
        and `fields` of the manifest; `removed`: more files that are replaced. See the order above.
        """
        old = self.manifest
        version = old.version + 1
        pieces, gone = dict(old.pieces), list(removed)
        for date, entries in changed.items():
            if date in old.pieces:
                ref = pieces.pop(date)
                kept = {one.path for one in entries}
                before = (one.path for one in self.store.piece(ref).files)
                gone += [ref.path, *(p for p in before if p not in kept and self._ours(p))]
            if entries:
                pieces[date] = self._piece(date, version, entries)  # Step 2.
        going = {one.path for one in old.retired if one.version == old.version}
        needed = self._referenced(going)
        retired = [
            *(Retired(path, version if path in needed else old.version) for path in sorted(going)),
            *(Retired(path, version) for path in sorted(gone)),
        ]
        fields = {"pieces": pieces, "retired": tuple(retired), **fields}
        written = instant(self.clock.now_ms())
        self.manifest = msgspec.structs.replace(old, version=version, written=written, **fields)
        self.files.settle()  # Step 3.
        self.check()
        self._undecided = True  # an error now leaves open whether the new version is in force
        self._tag = self.files.swap(  # Step 4.
            manifest_name(self.table), shapes.encode(self.manifest), self._tag
        )
        self._placed.clear()
        self._undecided = False
        for path in sorted(going - needed):  # Step 5.
            self.files.remove(path)
        return self.manifest

    def _piece(self, date: str, version: int, entries: Sequence[FileEntry]) -> PieceRef:
        piece = Piece(date, tuple(sorted(entries, key=lambda one: one.key)))
        path = piece_name(self.table, date, version)
        checksum, _ = self.put(path, [shapes.encode(piece)])
        unmatched = sum(one.rows for one in entries if not one.matched)
        return PieceRef(path, checksum, len(entries), sum(one.rows for one in entries), unmatched)

    def _ours(self, path: str) -> bool:
        return path.startswith(folder(self.table) + "/")

    def _referenced(self, paths: set[str]) -> set[str]:
        """Those of our files that another table has in force."""
        if self.table != JOINED or not paths:
            return set()
        other, _ = self.store.manifest(UPDATED)
        found = set()
        for date, ref in other.pieces.items():
            below = f"{piece_folder(JOINED, date)}/"
            if any(path.startswith(below) for path in paths):
                found |= paths & {one.path for one in self.store.piece(ref).files}
        return found

    def _undo(self, error: BaseException) -> None:
        """After an error: nothing of this step is left. Where that can't be done the lock stays,
        and the next step does it."""
        if self._undecided:
            self._leave_locks()
            return
        try:
            self.check()
            for path in self._placed:
                self.files.remove(path)
        except SluiceError:
            self._leave_locks()
            return
        if isinstance(error, Conflict):  # a stray of who lost the lock is in the way
            self._leave_locks()
        problem = str(error) or type(error).__name__
        self._end(state="failed", problem=problem)

    def _leave_locks(self) -> None:
        for lock in self._locks:
            lock.leave()

    def _end(self, **fields: Any) -> None:
        finished = instant(self.clock.now_ms())
        version = self.manifest.version
        self.record = msgspec.structs.replace(
            self.record, finished=finished, version=version, **fields
        )
        try:
            journal.end(self.files, self.record)
        except (FilesError, Conflict):  # the step itself is told apart by the manifest
            self._leave_locks()

    def told(self, **fields: Any) -> None:
        """What the journal will say about this step."""
        self.record = msgspec.structs.replace(self.record, **fields)
