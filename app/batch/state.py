"""The store of a run: in memory, in a folder, or, for a preview, a folder that is only read."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from domain.errors import UsageError
from tables.overlay import OverlayStore
from tables.store import KeyedStore, MemoryStore, RocksStore


@contextmanager
def open_store(
    folder: Path | None, *, preview: bool, memory_bytes: int, scratch: Path
) -> Iterator[KeyedStore]:
    """The store, closed at the end. With `preview` nothing in the folder changes.

    Raises UsageError when another run is at work there, StoreDamaged.
    """
    store: KeyedStore
    if folder is None or (preview and not (folder / "sessions").exists()):
        store = MemoryStore()
        yield store
        return
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is no folder; expected one for the state")
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder):
        path = folder / "sessions"
        if preview:
            store = OverlayStore(
                RocksStore(path, memory_bytes, durable=True, read_only_logs=scratch)
            )
        else:
            store = RocksStore(path, memory_bytes, durable=True)
        try:
            yield store
        finally:
            store.close()


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Holds the folder; the system takes the lock back when the process dies."""
    held = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            problem = f"another run is at work on the state in {folder}"
            raise UsageError(f"{problem}; expected to be alone there") from None
        yield
    finally:
        os.close(held)
