"""Samples for /metrics: this worker's share, so that all workers' add up.

What is counted in the state or in the logs of decisions goes on through a restart; the rest
begins at 0 with the process.
"""

from collections.abc import Iterator
from typing import get_args

from agents.engine import TP
from app import VERSION
from app.cluster.beat import State
from app.facade.documents import DocumentsArea
from app.facade.figures import next_dues, overdue
from app.facade.parts import Parts
from app.facade.process import cpu_s, memory_bytes
from app.facade.routes import Routes
from app.facade.sampler import Sampler
from app.facade.sinks import Sinks
from app.facade.totals import ControlTotals
from app.shapes import Sample
from domain.aggregation.totals import Totals
from tables.routes import Route
from tables.store import RocksStore


class Metrics:
    """Collects the samples."""

    def __init__(
        self,
        parts: Parts,
        sampler: Sampler,
        routes: Routes,
        totals: ControlTotals,
        documents: DocumentsArea,
        sinks: Sinks,
    ) -> None:
        self._parts = parts
        self._sampler = sampler
        self._routes = routes
        self._totals = totals
        self._documents = documents
        self._sinks = sinks

    async def samples(self) -> list[Sample]:
        """See `Backend.metrics`."""
        names = self._parts.names
        latest = await self._routes.latest()
        mine: dict[TP, Route] = {
            tp: route
            for tp, route in latest.items()
            if (names.topic(tp[0]), tp[1]) in self._parts.engine.assigned
        }
        versions = await self._documents.in_force(None)
        return [
            Sample("sluice_info", 1, {"version": VERSION}),
            *self._routed(mine),
            *self._sent(),
            *self._control(mine),
            *self._shards(),
            *await self._opening(),
            *self._standing_by(),
            *self._lags(),
            *(
                Sample("sluice_document_version", v.version, {"kind": v.kind, "name": v.name})
                for v in versions
            ),
            *self._sinks.samples(),
            *await self._sinks.waiting(),
            *self._workers(),
            Sample("sluice_event_loop_lag_seconds", self._sampler.loop_lag_s),
            Sample("process_cpu_seconds_total", cpu_s()),
            Sample("process_resident_memory_bytes", memory_bytes()),
        ]

    def _routed(self, routes: dict[TP, Route]) -> Iterator[Sample]:
        records: dict[str, int] = {}
        unmatched: dict[str, int] = {}
        letters: dict[tuple[str, str], int] = {}
        for (topic, _), route in routes.items():
            records[topic] = records.get(topic, 0) + route.records
            unmatched[topic] = unmatched.get(topic, 0) + route.unmatched
            for name, reasons in route.rejected.items():
                for reason, number in reasons.items():
                    letters[name, reason] = letters.get((name, reason), 0) + number
        for processor in self._parts.engine.shards.open_ones().values():
            for name, number in processor.refused.items():
                # the session itself refuses for one reason only
                known = letters.get((name, "no_timeout"), 0)
                letters[name, "no_timeout"] = known + number
        for topic, number in records.items():
            yield Sample("sluice_records_in_total", number, {"topic": topic})
        for topic, number in unmatched.items():
            yield Sample("sluice_unmatched_records_total", number, {"topic": topic})
        for (name, reason), number in sorted(letters.items()):
            labels = {"aggregator": name, "reason": reason}
            yield Sample("sluice_dead_letters_total", number, labels)

    def _sent(self) -> Iterator[Sample]:
        for topic, number in sorted(self._parts.engine.sent.items()):
            yield Sample("sluice_records_out_total", number, {"topic": topic})

    def _own_totals(self) -> dict[str, Totals]:
        added: dict[str, Totals] = {}
        for processor in self._parts.engine.shards.open_ones().values():
            for name, totals in processor.shard.totals.items():
                added.setdefault(name, Totals()).merge(totals)
        return added

    def _control(self, routes: dict[TP, Route]) -> Iterator[Sample]:
        added = self._own_totals()
        for route in routes.values():
            for name, reasons in route.rejected.items():
                if name:
                    totals = added.setdefault(name, Totals())
                    totals.add("in", sum(reasons.values()))
                    totals.add("rejected", sum(reasons.values()))
        for name, totals in sorted(added.items()):
            shown = self._totals.shown(name, totals)
            for part, number in shown.count.items():
                labels = {"aggregator": name, "part": part}
                yield Sample("sluice_control_count", number, labels)
            for result, parts in shown.sums.items():
                for part, value in parts.items():
                    labels = {"aggregator": name, "result": result, "part": part}
                    yield Sample("sluice_control_sum", float(value), labels)
            yield Sample("sluice_control_balanced", shown.balanced, {"aggregator": name})
            yield Sample("sluice_open_sessions", totals.sessions, {"aggregator": name})
            for flush_type, number in sorted(totals.flushes.items()):
                labels = {"aggregator": name, "flush_type": flush_type}
                yield Sample("sluice_flushes_total", number, labels)

    def _shards(self) -> Iterator[Sample]:
        now = self._parts.clock.now_ms()
        dues: list[int] = []
        late = 0
        for number, processor in self._parts.engine.shards.open_ones().items():
            shard, labels = processor.shard, {"shard": str(number)}
            dues += next_dues(shard.store).values()
            late += overdue(shard.store, now)
            yield Sample(
                "sluice_effective_now_timestamp_seconds",
                shard.marks.effective_now / 1000,
                {"partition": str(number)},
            )
            yield Sample("sluice_batches_total", processor.batches, labels)
            yield Sample("sluice_batch_seconds_total", processor.busy_s, labels)
            yield Sample("sluice_outbox_records", shard.numbered - shard.marks.sent, labels)
            if isinstance(shard.store, RocksStore):
                yield Sample("sluice_state_bytes", shard.store.size_bytes(), labels)
                yield Sample("sluice_state_memory_bytes", shard.store.memory(), labels)
        yield Sample("sluice_overdue_sessions", late)
        if dues:
            yield Sample("sluice_next_due_timestamp_seconds", min(dues) / 1000)

    async def _opening(self) -> list[Sample]:
        """How much of its changelog each shard that is being recovered has still to read."""
        found = []
        for number, shard in sorted(self._parts.engine.opening.items()):
            changelog = shard.changelog
            if changelog is not None:
                left = await changelog.end() - changelog.next_offset
                labels = {"shard": str(number)}
                found.append(Sample("sluice_recovery_records_left", max(0, left), labels))
        return found

    def _standing_by(self) -> Iterator[Sample]:
        """Those that can't be kept have no sample: the worker's log says why."""
        standbys = self._parts.standbys
        if standbys is None:
            return
        for (table, number), kept in sorted(standbys.kept.items(), key=lambda item: item[0]):
            labels = {"table": table, "shard": str(number)}
            age_s = standbys.age_s(kept)
            if age_s is not None:
                yield Sample("sluice_standby_age_seconds", age_s, labels)
            if kept.copy is not None:
                yield Sample("sluice_standby_records_left", kept.left, labels)

    def _lags(self) -> Iterator[Sample]:
        names = self._parts.names
        oldest_s = 0.0
        for (topic, partition), lag in sorted(self._sampler.lags.items()):
            shown = topic if names.is_internal(topic) else names.public(topic)
            labels = {"topic": shown, "partition": str(partition)}
            yield Sample("sluice_lag_records", lag.records, labels)
            if lag.records:
                oldest_s = max(oldest_s, self._sampler.now_s() - lag.moved_s)
        yield Sample("sluice_lag_seconds", oldest_s)

    def _workers(self) -> Iterator[Sample]:
        states = dict.fromkeys((*get_args(State), "gone"), 0)
        for beat in self._parts.members.live():
            states[beat.state] += 1
        states["gone"] = len(self._parts.members.gone())
        for state, number in states.items():
            yield Sample("sluice_workers", number, {"state": state})
