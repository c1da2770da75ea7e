"""What the tables that are ledgers have in common: how one is opened, and where its shards are."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from agents.shards import Shards
from app.recoveries import Recoveries
from config.clock import Clock, system_ms
from config.names import Names
from config.settings import Settings
from connectors.streams.base import Log
from tables.changelog import Changelog
from tables.ledger import Deliver, Ledger
from tables.ledger_book import LedgerBook, Output, Write
from tables.store import RocksStore

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class LedgerMeans:
    """What they need. `send` appends to public topics; `worker` is the owner's id."""

    settings: Settings
    names: Names
    clock: Clock
    log: Log
    worker: str
    send: Callable[[list[Output]], Awaitable[None]]
    on_step: Callable[[int], None]
    recoveries: Recoveries


async def no_stores(_writes: list[Write], _version: int) -> None:
    """For ledgers that write to no store."""


async def open_ledger(
    means: LedgerMeans, table: str, number: int, deliver: Deliver = no_stores
) -> Ledger:
    """The shard's ledger, recovered and claimed."""
    ledger = ledger_of(means, table, number, deliver, means.settings.state_memory_bytes)
    means.recoveries.begin(table, number, ledger.changelog)
    try:
        await ledger.open()
    except BaseException:
        ledger.close()
        raise
    return ledger


def ledger_of(
    means: LedgerMeans, table: str, number: int, deliver: Deliver, memory_bytes: int
) -> Ledger:
    """The ledger on its folder, to be opened, or to be kept as a copy."""
    settings = means.settings
    path = settings.data_dir / "tables" / settings.app_id / f"{table}-{number}"
    store = RocksStore(path, memory_bytes, durable=False)
    if store.moved_aside is not None:
        logger.warning(
            "%s of shard %d were damaged: moved to %s, rebuilding",
            table, number, store.moved_aside,
        )  # fmt: skip
    changelog = Changelog(means.log, means.names.changelog(table), number, means.worker)
    return Ledger(
        number, store, changelog, means.send, deliver, on_step=means.on_step,
        # a broker keeps tombstones by its own time, also under a trial clock
        now_ms=system_ms if settings.brokers else means.clock.now_ms,
    )  # fmt: skip


class LedgerShard(Protocol):
    """A shard that is open."""

    ledger: Ledger

    async def still_ours(self) -> bool:
        """See `Opened`."""

    def close(self) -> None:
        """See `Opened`."""


S = TypeVar("S", bound=LedgerShard)


class Work(Protocol[S]):
    """Applies the records of one topic, each partition to its shard."""

    topic: str
    shards: Shards[S]

    async def take(self, number: int, items: Sequence[Any], still: Callable[[], bool]) -> None:
        """One batch of one partition."""

    async def stop(self) -> None:
        """Closes what is open."""


class LedgerParts(Generic[S]):
    """One such table in one worker. Made before the worker joins its group."""

    role: ClassVar[str]
    work: Work[S]

    def books(self) -> dict[int, tuple[int, LedgerBook]]:
        """By number of the shards that are open here: the epoch of its claim, and what is
        committed, to be read before anything is awaited."""
        return {
            number: (shard.ledger.changelog.epoch, shard.ledger.view())
            for number, shard in self.work.shards.open_ones().items()
        }

    def wanted(self, roles: Sequence[str]) -> set[str]:
        """The physical topics that these roles consume."""
        return {self.work.topic} if self.role in roles else set()

    async def take(
        self, topic: str, partition: int, items: list[Any], still: Callable[[], bool]
    ) -> bool:
        """One batch; whether it was of a topic of theirs."""
        if topic != self.work.topic:
            return False
        await self.work.take(partition, items, still)
        return True

    async def stop(self) -> None:
        """Closes everything."""
        await self.work.stop()
