"""The data directory: whether it can be written, has room, and holds what this version can use."""

import re
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from app import last_stop
from app.doctor.check import Check, State
from app.state import backup
from config.settings import Settings
from connectors.streams.base import DirectoryLocked
from connectors.streams.embedded.lock import DirectoryLock
from tables.formats import SHARD, format_of
from tables.store import RocksStore, StoreDamaged, StoreNotOpened

GIB = 1 << 30
DISK_LOW = GIB  # RocksDB compacts, and needs room for a second copy of what it compacts
DISK_OUT = GIB // 10
MEMORY_BYTES = 8 << 20
LOOK_S = 5.0  # a log of many gigabytes is looked at as far as that goes
STEPS = 10_000  # of SQLite, between two looks at the clock


def folder(settings: Settings) -> Iterator[Check]:
    """All of it. Nothing that is there changes."""
    data = settings.data_dir.absolute()
    there = data
    while not there.exists():
        there = there.parent
    problem = _unwritable(there)
    if problem:
        todo = "set SLUICE_DATA_DIR, or its permissions"
        yield Check("data directory", "wrong", f"{there} can't be written: {problem}", todo)
        return
    made = "" if there == data else " (made at the first start)"
    yield Check("data directory", "ok", f"{data}{made}")
    yield disk(there)
    yield from state(settings)
    yield from stopped(settings)


def _unwritable(there: Path) -> str:
    """Why nothing can be put there; empty when it can."""
    try:
        with tempfile.TemporaryFile(dir=there):  # has no name where the system can do that
            return ""
    except OSError as error:
        return error.strerror or str(error)


def disk(there: Path) -> Check:
    """The room that is left."""
    free = shutil.disk_usage(there).free
    level: State = "wrong" if free < DISK_OUT else "warning" if free < DISK_LOW else "ok"
    todo = "" if level == "ok" else "make room, or set SLUICE_DATA_DIR to a larger disk"
    return Check("disk", level, f"{free / GIB:.1f} GiB free at {there}", todo)


def state(settings: Settings) -> Iterator[Check]:
    """Whether the stores of sessions can be opened by this version. A worker that has them open
    tells of them itself."""
    stores = backup.stores(settings)
    found = sorted(
        path for path in stores.glob("sessions-*") if re.fullmatch(r"sessions-\d+", path.name)
    )
    try:
        with backup.alone(stores):
            wrong = [check for path in found for check in _store(path)]
    except backup.InUse:
        yield Check("state", "ok", f"{stores} is open in a worker")
        return
    yield from wrong
    if found and not wrong:
        yield Check("state", "ok", f"{len(found)} shards in {stores}, of format {SHARD.current}")


def _store(path: Path) -> Iterator[Check]:
    with tempfile.TemporaryDirectory() as scratch:
        try:
            store = RocksStore(path, MEMORY_BYTES, durable=True, read_only_logs=Path(scratch))
        except StoreDamaged as error:
            yield _damaged(path, error.problem)
            return
        except StoreNotOpened as error:
            yield Check("state", "wrong", error.problem, error.remedy)
            return
        try:
            found = format_of(store)
        finally:
            store.close()
    if found is not None and found[0] > SHARD.current:
        detail = (
            f"{path} is of format {found[0]}, and this version reads up to {SHARD.current}: a "
            "later version wrote it"
        )
        todo = "start that version, or go back as docs/operations.md tells under Upgrades"
        yield Check("state", "wrong", detail, todo)


def _damaged(path: Path, said: str) -> Check:
    todo = (
        f"move {path} aside: the worker builds it again from its changelog, nothing is lost; then "
        "look at the disk"
    )
    return Check("state", "wrong", said, todo)


def stopped(settings: Settings) -> Iterator[Check]:
    """Why the worker of this folder stopped last, when it was not told to and isn't back."""
    note = last_stop.read(settings.data_dir)
    if note is not None:
        yield Check("last stop", "wrong", f"{note.at}: {note.problem}", note.remedy)


def embedded_log(settings: Settings, *, running: bool) -> Iterator[Check]:
    """Whether the embedded log is ours to open, and whole. `running`: its console answers."""
    path = settings.data_dir / "log" / "log.sqlite"
    lock = DirectoryLock(path.parent)
    try:
        lock.acquire()
    except DirectoryLocked as error:
        if not running:
            by = f" ({error.holder})" if error.holder else ""
            detail = f"{settings.data_dir} is in use by a process{by} that does not serve here"
            todo = "name its console with SLUICE_SERVER; a second worker needs a folder of its own"
            yield Check("stream", "wrong", detail, todo)
        return
    try:
        said = _whole(path)
    finally:
        lock.release()
    if said:
        todo = "put back a backup: `sluice state restore FOLDER`; then look at the disk"
        yield Check("stream", "wrong", f"{path} is damaged: {said}", todo)


def _whole(path: Path) -> str:
    """What SQLite finds wrong within LOOK_S."""
    until_s = time.monotonic() + LOOK_S
    try:
        connection = sqlite3.connect(path, isolation_level=None)
        try:
            connection.set_progress_handler(lambda: time.monotonic() > until_s, STEPS)
            (said,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        finally:
            connection.close()
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_INTERRUPT:
            return ""
        return str(error)
    return "" if said == "ok" else str(said)
