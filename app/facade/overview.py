"""The figures of all workers, added up. Costs the same with ten sessions and with ten million."""

import time
from typing import Any

from agents.engine import TP
from app.cluster.peers import Peers
from app.facade.campaigns.raised import RAISED
from app.facade.documents import is_example
from app.facade.erasing import Notes
from app.facade.impressions import queue_of
from app.facade.letters import Letters
from app.facade.metric_sources import MetricSources
from app.facade.owners import Owners, Told, owned
from app.facade.parts import Parts
from app.facade.routes import Routes, rejected
from app.facade.sampler import POINT_S
from app.facade.sinks import Sinks
from app.facade.totals import add_up
from app.facade.troubles import Seen, Troubles
from app.shapes import AggregatorSummary, Overview, RatePoint
from domain.aggregation.totals import Totals

BEHIND_S = 2.0  # younger than that is on its way, not waiting


class Figured:
    """See `Backend.overview`."""

    def __init__(
        self,
        parts: Parts,
        peers: Peers,
        owners: Owners,
        routes: Routes,
        letters: Letters,
        sinks: Sinks,
        sources: MetricSources,
        notes: Notes,
    ) -> None:
        self._parts = parts
        self._peers = peers
        self._owners = owners
        self._routes = routes
        self._letters = letters
        self._sinks = sinks
        self._sources = sources
        self._notes = notes
        self._troubles = Troubles(parts)

    async def overview(self) -> Overview:
        """All of it, now."""
        await self._parts.catch_up()
        now = self._parts.clock.now_ms()
        told = await self._peers.ask("figures", {})
        shards = owned({worker: one["shards"] for worker, one in told.items()})
        totals = add_up(await self._owners.now("totals", {}), rejected(await self._routes.latest()))
        lags = await self._lags(told)
        waiting = sum(lag[0] for lag in lags.values())
        ages = {tp: _age_s(lag, now) for tp, lag in lags.items()}
        behind = [tp for tp, age_s in ages.items() if age_s > BEHIND_S]
        trend = sum(one["trend"] for one in told.values())
        counts = await self._letters.counts()
        dues = _dues(shards)
        aggregators = self._summaries(told, shards, totals, dues)
        raised = owned(await self._peers.ask(RAISED, {}))
        seen = Seen(
            now_ms=now,
            figures=told,
            shards=shards,
            lag_records=waiting,
            lag_s=max(ages.values(), default=0.0),
            trend=trend,
            letters=counts,
            unbalanced=[each.name for each in aggregators if not each.balanced],
            sinks=await self._sinks.all(self._peers),
            sources=await self._sources.all(),
            impressions=await queue_of(self._peers),
            erasings=await self._notes.open(),
        )
        return Overview(
            now_ms=now,
            partitions=len(lags),
            behind=len(behind),
            lag_records=waiting,
            lag_s=seen.lag_s,
            drain_s=waiting / -trend if behind and trend < 0 else None,
            rate_in=sum(one["rate_in"] for one in told.values()),
            rate_out=sum(one["rate_out"] for one in told.values()),
            open_sessions=sum(sum(one["sessions"].values()) for _, one in shards.values()),
            next_due_ms=min(dues.values(), default=None),
            overdue=sum(one["overdue"] for _, one in shards.values()),
            dead_letters=sum(count.open for count in counts),
            aggregators=aggregators,
            troubles=await self._troubles.of(seen),
            rates=_rates(told, now),
            live_slots=sum(one.get("live_slots", 0) for one in told.values()),
            alerts=sum(len(one["told"]) for _, one in raised.values()),
        )

    async def _lags(self, told: dict[str, Any]) -> dict[TP, tuple[int, int | None, float]]:
        """(records, oldest waiting, seconds it stands still) of every partition that is consumed;
        of one that nobody tells of, by what the group has committed."""
        found = {
            (topic, partition): (records, oldest, stands_s)
            for one in told.values()
            for topic, partition, records, oldest, stands_s in one["lags"]
        }
        names, log = self._parts.names, self._parts.log
        every = [(names.sessions_in, number) for number in range(self._parts.shards)]
        for name in sorted(self._parts.documents.inputs()):
            count = await self._parts.partitions(names.topic(name))
            every += [(names.topic(name), partition) for partition in range(count or 0)]
        missing = [tp for tp in every if tp not in found]
        if missing:
            ends, begins = await log.end_offsets(missing), await log.begin_offsets(missing)
            committed = await log.committed(names.group, missing)
            for tp in missing:
                at = committed[tp]
                records = ends[tp] - (begins[tp] if at is None else at)
                found[tp] = max(0, records), None, 0.0
        return {tp: found[tp] for tp in every}

    def _summaries(
        self, told: dict[str, Any], shards: Told, totals: dict[str, Totals], dues: dict[str, int]
    ) -> list[AggregatorSummary]:
        found = []
        for rule in self._parts.documents.aggregators():
            name = rule.name
            latest = self._parts.documents.latest("aggregator", name)
            found.append(
                AggregatorSummary(
                    name,
                    rule.version,
                    rule.document.input,
                    sum(one["sessions"].get(name, 0) for _, one in shards.values()),
                    dues.get(name),
                    sum(one["rates"].get(name, 0.0) for one in told.values()),
                    totals.get(name, Totals()).balanced(),
                    example=latest is not None and is_example(latest),
                )
            )
        return found


def _dues(shards: Told) -> dict[str, int]:
    found: dict[str, int] = {}
    for _, one in shards.values():
        for name, due in one["next_due"].items():
            found[name] = min(due, found.get(name, due))
    return found


def _age_s(lag: tuple[int, int | None, float], now_ms: int) -> float:
    """How old the oldest waiting record is; a clock that stands still does not make it young."""
    records, oldest, stands_s = lag
    if not records:
        return 0.0
    by_clock = 0.0 if oldest is None else (now_ms - oldest) / 1000
    return max(0.0, by_clock, stands_s)


def _rates(told: dict[str, Any], now_ms: int) -> list[RatePoint]:
    """The points of all workers, placed on the product's clock by how long ago they were."""
    added: dict[int, list[int]] = {}
    for one in told.values():
        for bucket, taken, sent in one["points"]:
            point = added.setdefault(bucket, [0, 0])
            point[0] += taken
            point[1] += sent
    real_s = time.time()
    return [
        RatePoint(
            now_ms - int((real_s - (bucket + 1) * POINT_S) * 1000),
            point[0] / POINT_S,
            point[1] / POINT_S,
        )
        for bucket, point in sorted(added.items())
    ]
