"""Standby copies put together: which of the group's standby partitions are shards, and how a copy
of each is opened."""

from collections.abc import Awaitable, Callable, Iterable, Mapping

from agents.folds import Folds
from agents.standbys import Copy, Key, Standbys
from app.ledger_parts import LedgerMeans, ledger_of, no_stores
from app.session_parts import shard_of
from config.names import Names
from connectors.streams.base import TP
from tables.ledger_standby import LedgerCopy
from tables.standby import ShardCopy

# the memory of a copy: it is written in the order of the changelog and read by people only
SHARE = 4

SESSIONS = "sessions"


def tables_of(names: Names) -> Mapping[str, str]:
    """Physical topic -> table whose shards are its partitions."""
    return {
        names.sessions_in: SESSIONS,
        names.campaigns_in: "campaigns",
        names.insight_in: "insight",
        names.topic("source-events"): "rollups",
    }


def shards_among(names: Names, tps: Iterable[TP]) -> set[Key]:
    """The shards that these partitions (physical topics) are."""
    tables = tables_of(names)
    return {(tables[topic], partition) for topic, partition in tps if topic in tables}


def make_standbys(
    means: LedgerMeans,
    folds: Folds,
    documents: Callable[[], Awaitable[object]],
    fail: Callable[[BaseException], None],
) -> Standbys:
    """`documents` reads those in force up to the newest."""

    def make(table: str, number: int) -> Copy:
        memory = max(1 << 20, means.settings.state_memory_bytes // SHARE)
        if table == SESSIONS:
            return ShardCopy(shard_of(means, number, folds, memory), documents)
        return LedgerCopy(ledger_of(means, table, number, no_stores, memory))

    return Standbys(means.log, make, fail)
