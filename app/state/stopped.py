"""A backup of a worker that is not running."""

import asyncio
import re
import tempfile
from pathlib import Path

from app.state import backup
from app.state.backup import Manifest
from config.names import Names
from config.settings import Settings
from connectors.streams.base import Log
from connectors.streams.embedded.log import EmbeddedLog
from domain.errors import UsageError
from tables.changelog import Changelog
from tables.documents import Documents, DocumentsFollower
from tables.layout import LOCAL, Local, decode_local
from tables.store import RocksStore

MEMORY_BYTES = 8 << 20


async def back_up(
    folder: Path, settings: Settings, log: Log, now_ms: int, *, stream: bool
) -> Manifest:
    """Backs up what is in the data directory, with the embedded stream if `stream`.

    `log` is open. Raises InUse when a worker has a store open, UsageError when there is none.
    """
    there = backup.stores(settings)
    found = sorted(
        path for path in there.glob("sessions-*") if re.fullmatch(r"sessions-\d+", path.name)
    )
    if not found:
        raise UsageError(
            f"there is no state in {there}",
            "--data-dir names the data directory of a worker, --server one that runs",
        )
    documents = Documents()
    name = Names(settings.app_id, settings.topic_prefix).changelog("documents")
    await DocumentsFollower(documents, Changelog(log, name, 0, "backup")).catch_up()
    with backup.alone(there):
        part = await asyncio.to_thread(backup.begin, folder)
        shards = {}
        for path in found:
            target = part / path.name
            await asyncio.to_thread(backup.copied, path, target, link=not stream)
            shards[int(path.name.removeprefix("sessions-"))] = position(target)
        if stream and isinstance(log, EmbeddedLog):
            await log.backup(part / backup.LOG)
        return await asyncio.to_thread(
            backup.finish, part, folder, settings, documents, now_ms, shards
        )


def position(path: Path) -> int:
    """The changelog offset that a store goes on from; the store stays as it is."""
    with tempfile.TemporaryDirectory() as scratch:
        store = RocksStore(path, MEMORY_BYTES, durable=True, read_only_logs=Path(scratch))
        try:
            (local,) = store.get_many([LOCAL])
        finally:
            store.close()
    return (Local() if local is None else decode_local(local)).changelog_next
