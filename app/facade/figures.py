"""The figures of this worker, as plain data: the Overview adds up those of all workers."""

import shutil
from collections.abc import Awaitable, Callable
from typing import Any

from agents.aggregate import ShardProcessor
from agents.engine import TP
from app.facade.parts import Parts
from app.facade.sampler import Lag, Sampler
from app.facade.shard_rows import epoch_of
from connectors.streams.base import StreamError
from domain.aggregation.rule import split_row_key
from tables.codec import decode_row
from tables.layout import FORGET, ROW, WAKE, instant_bytes
from tables.store import KeyedStore

NEXT = 200  # entries of the due index looked at for what is due next
OVERDUE = 10_000  # counted at most: more is as bad
OVERDUE_MS = 1_000  # due for so long: younger ones are flushed by the next look
OLDEST = 8  # partitions whose oldest waiting record is looked up


class Figures:
    """Tells them."""

    def __init__(
        self, parts: Parts, sampler: Sampler, live_slots: Callable[[], Awaitable[int]]
    ) -> None:
        self._parts = parts
        self._live_slots = live_slots
        self._sampler = sampler
        self._oldest: dict[TP, tuple[int, int]] = {}

    async def tell(self, _: dict[str, Any]) -> dict[str, Any]:
        """See `Overview` for what becomes of it."""
        sampler, parts = self._sampler, self._parts
        rate_in, rate_out, rates = sampler.rates()
        ready = parts.engine.shards.open_ones()
        free = shutil.disk_usage(parts.settings.data_dir).free
        return {
            "rate_in": rate_in,
            "rate_out": rate_out,
            "rates": rates,
            "trend": sampler.trend(),
            "points": sampler.points(),
            "lags": await self._lags(),
            "shards": {number: self._shard(one) for number, one in ready.items()},
            "loop_lag_s": sampler.loop_lag_s,
            "disk_free": free,
            "live_slots": await self._live_slots(),
            "tables": self._tables(),
            "standbys": [] if parts.standbys is None else parts.standbys.lacking(),
        }

    def _tables(self) -> dict[str, list[int]]:
        """The shards that are open here, of the tables beside the sessions."""
        parts = self._parts
        found = {} if parts.campaigns is None else {"campaigns": parts.campaigns.work.shards.opened}
        for name, ledgers in (("rollups", parts.rollups), ("insight", parts.insight)):
            if ledgers is not None:
                found[name] = ledgers.work.shards.opened
        return found

    async def _lags(self) -> list[list[Any]]:
        """[physical topic, partition, records, oldest waiting or None, seconds it stands still]"""
        found: list[list[Any]] = []
        by_size = sorted(self._sampler.lags.items(), key=lambda item: -item[1].records)
        now = self._sampler.now_s()
        for i, (tp, lag) in enumerate(by_size):
            oldest = await self._oldest_of(tp, lag) if lag.records and i < OLDEST else None
            stands_s = now - lag.moved_s if lag.records else 0.0
            found.append([*tp, lag.records, oldest, stands_s])
        return found

    async def _oldest_of(self, tp: TP, lag: Lag) -> int | None:
        known = self._oldest.get(tp)
        if known is not None and known[0] == lag.position:
            return known[1]
        try:
            piece = await self._parts.log.read(*tp, lag.position, max_bytes=1)
        except StreamError:
            return None
        if not piece.items:
            return None
        self._oldest[tp] = lag.position, piece.items[0][1]
        return piece.items[0][1]

    def _shard(self, processor: ShardProcessor) -> dict[str, Any]:
        shard = processor.shard
        sessions = {name: totals.sessions for name, totals in shard.totals.items()}
        now = self._parts.clock.now_ms()
        return {
            "epoch": epoch_of(shard),
            "effective_now": shard.marks.effective_now,
            "sessions": sessions,
            "next_due": next_dues(shard.store),
            "overdue": overdue(shard.store, now),
        }


def next_dues(store: KeyedStore) -> dict[str, int]:
    """When the next session of each aggregator is due, of those among the first in the index."""
    keys = [key[9:] for key, _ in store.scan(WAKE, FORGET, NEXT)]
    found: dict[str, int] = {}
    for key, data in zip(keys, store.get_many([ROW + key for key in keys]), strict=True):
        session = None if data is None else decode_row(data).open
        if session is not None:
            name = split_row_key(key)[0]
            found[name] = min(session.due, found.get(name, session.due))
    return found


def overdue(store: KeyedStore, now_ms: int) -> int:
    """How many rows should have been looked at by now."""
    end = WAKE + instant_bytes(now_ms - OVERDUE_MS)
    return sum(1 for _ in store.scan(WAKE, end, OVERDUE))
