"""Alerts about metrics and sources: looked at by who owns their shard, answered for by all.

Twice a second each alert of this worker's shards is read and moved on, and each digest is sent that
is due; what people are to be told goes out beside that (`delivery.py`).
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import date
from typing import Any
from uuid import uuid4

from agents.alert import change, forget, look, watches
from agents.ending import end
from agents.roll_up import EVENTS
from agents.shards import NotOwned
from app.alert_shapes import AlertStatus, DigestSent, DigestStatus
from app.backend import IdempotencyConflict, Unavailable
from app.cluster.peers import Peers
from app.facade.delivery import Delivery
from app.facade.digests import Digests
from app.facade.jobs import begun
from app.facade.metric_sources import MetricSources, SourcesArea
from app.facade.owners import owned
from app.facade.parts import Parts
from app.facade.rollups import Rollups, RollupsArea
from app.source_shapes import SourceStatus
from connectors.stores.base import StoreUnavailable
from connectors.streams.murmur2 import partition_for
from domain.metrics.alerting import MetricAlert, Reading, Watch, mark_of
from tables.in_force import document_of, in_service, is_unread

logger = logging.getLogger(__name__)
ROUND_S = 0.5
STATES, CHANGE = "alert_states", "alert_change"


class Alerts:
    """See the module."""

    def __init__(
        self,
        parts: Parts,
        peers: Peers,
        rollups: Rollups,
        sources: MetricSources,
    ) -> None:
        self._parts, self._peers, self._rollups = parts, peers, rollups
        self._sources = sources
        self.delivery = Delivery(parts)
        self.digests = Digests(parts, peers, rollups, sources, self.delivery)
        self.questions = {STATES: self._tell, CHANGE: self._change, **self.digests.questions}
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, ended: Callable[[asyncio.Task[None]], None]) -> None:
        """Begins to look, where the shards are; `ended` hears of what raised."""
        rounds: list[Callable[[], Awaitable[None]]] = []
        if self._parts.rollups is not None and "metrics" in self._parts.roles:
            rounds += [self.look, self.digests.look]
        if rounds or self._parts.campaigns is not None:
            rounds.append(self.delivery.deliver)
        for round_ in rounds:
            task = asyncio.create_task(self._forever(round_))
            task.add_done_callback(ended)
            self._tasks.append(task)

    async def stop(self) -> None:
        """Ends that."""
        await end(*self._tasks)

    async def _forever(self, round_: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await round_()
            except (Unavailable, NotOwned, StoreUnavailable) as error:
                logger.debug("alerts: %s", error)  # shards are moving: the next round has them
            await asyncio.sleep(ROUND_S)

    # Looking

    async def look(self) -> None:
        """One look at the alerts of the shards that are open here."""
        rollups = self._parts.rollups
        count = await self._parts.partitions(self._parts.names.topic(EVENTS)) or 0
        if rollups is None or not count:
            return
        found = self._in_force()
        wanted: dict[int, dict[str, set[str]]] = {}
        for name, (alert, from_ms) in found.items():
            number = partition_for(name.encode(), count)
            if number not in rollups.work.shards.opened:
                continue
            readings = await self._read(alert, from_ms)
            wanted.setdefault(number, {})[name] = set(readings)
            async with rollups.work.shards.use(number) as shard:
                now_ms, admins = self._parts.clock.now_ms(), self._parts.settings.admins
                told = {s: r for s, r in readings.items() if r is not None}
                await look(shard, alert, told, admins, now_ms)
        for number in rollups.work.shards.opened:
            known = watches(rollups.books()[number][1])
            for name, subject, watch in known:
                read = wanted.get(number, {}).get(name)
                if is_unread(self._parts.documents, MetricAlert.kind, name):
                    continue
                if name not in found or (read is not None and subject not in read):
                    async with rollups.work.shards.use(number) as shard:
                        await forget(shard, name, subject, watch)

    def _in_force(self) -> dict[str, tuple[MetricAlert, int]]:
        found = {}
        for version in in_service(self._parts.documents, MetricAlert.kind):
            alert = document_of(version, object)
            if isinstance(alert, MetricAlert):
                found[version.name] = alert, version.at
        return found

    async def _read(self, alert: MetricAlert, from_ms: int) -> dict[str, Reading | None]:
        """What is known of each subject; None where it is not known now."""
        if alert.source:
            return {
                one.name: Reading(failing=_trouble(one)) if one.at_work else None
                for one in await self._sources.all()
                if alert.source in ("*", one.name)
            }
        now_ms = self._parts.clock.now_ms()
        found = await self._rollups.latest(alert.metric, alert.where, alert.grain, now_ms)
        before = None
        if alert.change_over_ms is not None:
            at_ms = now_ms - alert.change_over_ms
            earlier = await self._rollups.latest(alert.metric, alert.where, alert.grain, at_ms)
            before = None if earlier is None else earlier[0]
        value, last_ms = found if found is not None else (None, from_ms)
        return {alert.metric: Reading(value, max(last_ms, from_ms), before)}

    # Answering

    async def _tell(self, _: dict[str, Any]) -> dict[int, dict[str, Any]]:
        rollups = self._parts.rollups
        return {
            number: {
                "epoch": epoch,
                "told": [[name, subject, _plain(watch)] for name, subject, watch in watches(book)],
            }
            for number, (epoch, book) in ({} if rollups is None else rollups.books()).items()
        }

    async def all(self) -> list[AlertStatus]:
        """Every alert in force, one that nothing was told of yet is quiet."""
        await self._parts.catch_up()
        states: dict[str, list[tuple[str, dict[str, Any]]]] = {}
        for _, one in owned(await self._peers.ask(STATES, {})).values():
            for name, subject, watch in one["told"]:
                states.setdefault(name, []).append((subject, watch))
        found = []
        for name, (alert, _) in self._in_force().items():
            about = "source" if alert.source else "metric"
            quiet = [(alert.source or alert.metric, _plain(Watch()))]
            for subject, watch in states.get(name) or quiet:
                found.append(AlertStatus(name, about, subject, mark_of(alert), **watch))
        return found

    async def change(self, name: str, key: str | None, **changes: Any) -> bool:
        """Sets `acknowledged_by` or `silent_until_ms`; False for an alert that nobody knows.
        `key`: an Idempotency-Key. Raises IdempotencyConflict; Unavailable while no worker has its
        shard."""
        known = [one for one in await self.all() if one.name == name]
        if not known:
            return False
        count = await self._parts.partitions(self._parts.names.topic(EVENTS)) or 1
        number = partition_for(name.encode(), count)
        subjects = [one.subject for one in known if one.subject != "*"]
        # a worker that did it and did not answer in time is asked again: it must know
        asked = {"name": name, "number": number, "subjects": subjects, "changes": changes,
                 "key": key or uuid4().hex}  # fmt: skip
        away = f"alert {name}", "no worker of role metrics has it open"
        if (await begun(self._parts, self._peers, CHANGE, asked, away))["conflict"]:
            raise IdempotencyConflict(key or "")
        return True

    async def _change(self, asked: dict[str, Any]) -> dict[str, Any] | None:
        """What came of it; None by a worker that doesn't have the shard."""
        rollups = self._parts.rollups
        if rollups is None or asked["number"] not in rollups.work.shards.opened:
            return None
        async with rollups.work.shards.use(asked["number"]) as shard:
            done = await change(
                shard, asked["name"], asked["subjects"], asked.get("key"),
                self._parts.clock.now_ms(), **asked["changes"],
            )  # fmt: skip
        return {"conflict": done == "conflict"}


def _trouble(source: SourceStatus) -> str | None:
    return None if source.failing_since_ms is None else source.last_error or "it failed"


def _plain(watch: Watch) -> dict[str, Any]:
    names = (
        "started",
        "since_ms",
        "value",
        "acknowledged_by",
        "silent_until_ms",
        "text",
        "told_ms",
    )
    return {name: getattr(watch, name) for name in names}


class MetricsArea(RollupsArea, SourcesArea):
    """The facade's part of `app.metrics_backend.MetricsBackend`, and of `SourcesBackend`."""

    _alerts: Alerts

    async def metric_alerts(self) -> Sequence[AlertStatus]:
        return await self._alerts.all()

    async def change_alert(
        self, name: str, changes: Mapping[str, str | int], key: str | None = None
    ) -> bool:
        return await self._alerts.change(name, key, **changes)

    async def digests(self) -> Sequence[DigestStatus]:
        return await self._alerts.digests.all()

    async def send_digest(self, name: str, day: date | None, key: str | None) -> DigestSent | None:
        return await self._alerts.digests.send(name, day, key)
