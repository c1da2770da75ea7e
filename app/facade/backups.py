"""A backup of this worker's state while it works."""

import asyncio
from pathlib import Path
from uuid import uuid4

from agents.shards import NotOwned
from app.facade.parts import Parts
from app.shapes import BackedUp
from app.state import backup
from connectors.streams.embedded.log import EmbeddedLog
from domain.errors import SluiceError
from tables.layout import LOCAL, decode_local
from tables.store import RocksStore


class Backups:
    """Makes backups, one at a time. A shard stands still for the moment its own part takes."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._one = asyncio.Lock()

    async def make(self, *, stream: bool) -> BackedUp:
        """A backup below the data directory, with the embedded stream if `stream`."""
        async with self._one:
            settings = self._parts.settings
            folder = settings.data_dir / "backups" / uuid4().hex[:12]
            for left in folder.parent.glob("*.part"):
                await asyncio.to_thread(backup.remove, left)
            part = await asyncio.to_thread(backup.begin, folder)
            try:
                shards = await self._stores(part)
                log = self._parts.log
                if stream and isinstance(log, EmbeddedLog):
                    await log.backup(part / backup.LOG)
                manifest = await asyncio.to_thread(
                    backup.finish, part, folder, settings, self._parts.documents,
                    self._parts.clock.now_ms(), shards,
                )  # fmt: skip
            except OSError as error:
                await asyncio.to_thread(backup.remove, part)
                raise SluiceError(f"{error.filename or part}: {error.strerror}") from error
            size = sum(size for size, _ in manifest.files.values())
            return BackedUp(str(folder.absolute()), tuple(manifest.numbers), size)

    async def _stores(self, part: Path) -> dict[int, int]:
        """Shard -> changelog offset it goes on from; those lost on the way are left out."""
        shards = self._parts.engine.shards
        found = {}
        for number in shards.open_ones():
            try:
                async with shards.use(number) as processor:
                    store = processor.shard.store
                    if not isinstance(store, RocksStore):
                        continue
                    target = part / backup.store_name(number)
                    await asyncio.to_thread(store.checkpoint, target)
                    (local,) = store.get_many([LOCAL])
                    found[number] = decode_local(local or b"").changelog_next
            except NotOwned:
                continue
        return found
