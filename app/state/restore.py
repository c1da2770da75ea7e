"""The way back of a backup into a data directory that nobody uses.

What was there is put aside. The order makes a kill harmless: the log comes before the stores, and
a worker that finds a log without stores makes them anew from it. So whatever a kill leaves is
complete and right, as of before or as of the backup; restoring again finishes it.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.state import backup
from app.state.backup import BadBackup, Manifest
from config.settings import Settings
from connectors.streams.embedded.database import Database
from connectors.streams.embedded.lock import DirectoryLock
from domain.errors import UsageError
from tables.formats import SHARD


def check(manifest: Manifest, folder: Path, settings: Settings) -> None:
    """Raises BadBackup when the backup is not one of this installation."""
    kind = "kafka" if settings.brokers else "embedded"
    for name, found, expected in (
        ("SLUICE_STREAM", manifest.stream, kind),
        ("SLUICE_APP_ID", manifest.app_id, settings.app_id),
        ("SLUICE_TOPIC_PREFIX", manifest.topic_prefix, settings.topic_prefix),
        ("SLUICE_PARTITIONS", manifest.partitions, settings.partitions),
    ):
        if found != expected:
            detail = f"is of an installation with {name} {found!r}, here it is {expected!r}"
            raise BadBackup(folder, detail)
    if manifest.format > SHARD.current:
        raise BadBackup(
            folder,
            f"its state is of format {manifest.format}, this version reads up to "
            f"{SHARD.current}; version {manifest.version} made it",
        )


def restore(folder: Path, manifest: Manifest, settings: Settings, *, replace: bool) -> list[Path]:
    """Puts the backup, which `check` has passed, in its place; returns what was put aside.

    Raises UsageError where there is state and not `replace`, DirectoryLocked while it is in use.
    """
    data_dir = settings.data_dir
    there, log = backup.stores(settings), data_dir / "log" / backup.LOG
    with _held(None if settings.brokers else log.parent), backup.alone(there):
        found = [path for path in (there, log) if path.exists()]
        if found and not replace:
            raise UsageError(
                f"{found[0]} is there already",
                "--replace puts it aside; or name another folder with --data-dir",
            )
        return _replaced(folder, manifest, settings)


@contextmanager
def _held(folder: Path | None) -> Iterator[None]:
    """Holds the folder of the embedded log."""
    if folder is None:
        yield
        return
    lock = DirectoryLock(folder)
    lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _replaced(folder: Path, manifest: Manifest, settings: Settings) -> list[Path]:
    there = backup.stores(settings)
    part = settings.data_dir / "restored.part"
    backup.remove(part)
    for number in manifest.numbers:
        backup.copied(folder / backup.store_name(number), part / backup.store_name(number))
    aside = []
    source, log = folder / backup.LOG, settings.data_dir / "log" / backup.LOG
    if source.exists():
        shutil.copyfile(source, part / backup.LOG)
    backup.sync(part)
    if there.exists():
        aside.append(_aside(there))
        there.rename(aside[-1])
    if source.exists():
        # they follow the log from where they were: another log would be taken for the same
        backup.remove(settings.data_dir / "views")
        if log.exists():
            Database(log, None).close()  # what is beside the file goes into it
            aside.append(_aside(log))
            os.link(log, aside[-1])
        (part / backup.LOG).replace(log)
        backup.sync_folder(log.parent)
    there.parent.mkdir(parents=True, exist_ok=True)
    part.rename(there)
    backup.sync_folder(there.parent)
    return aside


def _aside(path: Path) -> Path:
    number = 1
    while (aside := path.with_name(f"{path.name}.before-restore-{number}")).exists():
        number += 1
    return aside
