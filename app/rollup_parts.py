"""The rollups of a worker put together: a ledger for each partition of `source-events`."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from agents.roll_up import EVENTS, RollUp, RollupShard
from config.clock import Clock, system_ms
from config.names import Names
from config.settings import Settings
from connectors.streams.base import Log
from tables.changelog import Changelog
from tables.ledger import Ledger
from tables.ledger_book import LedgerBook, Output, Write
from tables.store import RocksStore

logger = logging.getLogger(__name__)
ROLE = "metrics"


@dataclass(frozen=True)
class RollupMeans:
    """What they need. `send` appends to public topics; `worker` is the owner's id."""

    settings: Settings
    names: Names
    clock: Clock
    log: Log
    worker: str
    send: Callable[[list[Output]], Awaitable[None]]
    on_step: Callable[[int], None]


class RollupParts:
    """See the module. Made before the worker joins its group."""

    def __init__(self, means: RollupMeans) -> None:
        self._means = means
        self.work = RollUp(means.names, self._open)

    def books(self) -> dict[int, tuple[int, LedgerBook]]:
        """By number of the shards that are open here: the epoch of its claim, and what is
        committed, to be read before anything is awaited."""
        return {
            number: (shard.ledger.changelog.epoch, shard.ledger.view())
            for number, shard in self.work.shards.open_ones().items()
        }

    def wanted(self, roles: Sequence[str]) -> set[str]:
        """The physical topics that these roles consume."""
        return {self._means.names.topic(EVENTS)} if ROLE in roles else set()

    async def take(
        self, topic: str, partition: int, items: list[Any], still: Callable[[], bool]
    ) -> bool:
        """One batch; whether it was of a topic of theirs."""
        if topic != self.work.topic:
            return False
        await self.work.take(partition, items, still)
        return True

    async def _open(self, number: int) -> RollupShard:
        means = self._means
        settings = means.settings
        path = settings.data_dir / "tables" / settings.app_id / f"rollups-{number}"
        store = RocksStore(path, settings.state_memory_bytes, durable=False)
        if store.moved_aside is not None:
            logger.warning(
                "rollups of shard %d were damaged: moved to %s, rebuilding",
                number, store.moved_aside,
            )  # fmt: skip
        changelog = Changelog(means.log, means.names.changelog("rollups"), number, means.worker)
        ledger = Ledger(
            number, store, changelog, means.send, _no_stores, on_step=means.on_step,
            # a broker keeps tombstones by its own time, also under a trial clock
            now_ms=system_ms if settings.brokers else means.clock.now_ms,
        )  # fmt: skip
        try:
            await ledger.open()
        except BaseException:
            ledger.close()
            raise
        return RollupShard(ledger, means.clock.now_ms)

    async def stop(self) -> None:
        """Closes everything."""
        await self.work.stop()


async def _no_stores(_writes: list[Write], _version: int) -> None:
    """Rollups write to no store."""
