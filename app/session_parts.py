"""A shard of sessions put together: its store, its changelog."""

import logging

from agents.folds import Folds
from app.ledger_parts import LedgerMeans
from config.clock import system_ms
from tables.changelog import Changelog
from tables.formats import SHARD
from tables.shard import Shard
from tables.store import RocksStore

logger = logging.getLogger(__name__)


def make_shard(means: LedgerMeans, number: int, folds: Folds) -> Shard:
    """Not recovered yet."""
    shard = shard_of(means, number, folds, means.settings.state_memory_bytes)
    if shard.changelog is not None:
        means.recoveries.begin("sessions", number, shard.changelog)
    return shard


def shard_of(means: LedgerMeans, number: int, folds: Folds, memory_bytes: int) -> Shard:
    """The shard on its folder, to be opened, or to be kept as a copy."""
    settings = means.settings
    path = settings.data_dir / "tables" / settings.app_id / f"sessions-{number}"
    store = RocksStore(path, memory_bytes, durable=False)
    if store.moved_aside is not None:
        logger.warning(
            "state of shard %d was damaged: moved to %s, rebuilding", number, store.moved_aside
        )
    name = means.names.changelog("sessions")
    changelog = Changelog(means.log, name, number, means.worker, SHARD)
    return Shard(
        number, store, changelog, folds.rule_of, means.send,
        cache_rows=settings.cache_rows, on_step=means.on_step,
        # a broker keeps tombstones by its own time, also under a trial clock
        now_ms=system_ms if settings.brokers else means.clock.now_ms,
    )  # fmt: skip
