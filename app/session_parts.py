"""A shard of sessions put together: its store, its changelog."""

import logging

from agents.aggregate import Folds
from app.ledger_parts import LedgerMeans
from config.clock import system_ms
from tables.changelog import Changelog
from tables.formats import SHARD
from tables.shard import Shard
from tables.store import RocksStore

logger = logging.getLogger(__name__)


def make_shard(means: LedgerMeans, number: int, folds: Folds) -> Shard:
    """Not recovered yet."""
    settings = means.settings
    path = settings.data_dir / "tables" / settings.app_id / f"sessions-{number}"
    store = RocksStore(path, settings.state_memory_bytes, durable=False)
    if store.moved_aside is not None:
        logger.warning(
            "state of shard %d was damaged: moved to %s, rebuilding", number, store.moved_aside
        )
    name = means.names.changelog("sessions")
    changelog = Changelog(means.log, name, number, means.worker, SHARD)
    means.recoveries.begin("sessions", number, changelog)
    return Shard(
        number, store, changelog, folds.rule_of, means.send,
        cache_rows=settings.cache_rows, on_step=means.on_step,
        # a broker keeps tombstones by its own time, also under a trial clock
        now_ms=system_ms if settings.brokers else means.clock.now_ms,
    )  # fmt: skip
