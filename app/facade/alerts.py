"""Alerts about metrics and sources: looked at by who owns their shard, answered for by all.

Twice a second each alert of this worker's shards is read and moved on; what people are to be told
goes out beside that, tried again at growing intervals until it was taken.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from agents.alert import (
    Notice,
    change,
    delivered,
    forget,
    look,
    notices,
    watches,
)
from agents.roll_up import EVENTS
from agents.shards import NotOwned
from app.alert_shapes import AlertStatus
from app.backend import Unavailable
from app.cluster.peers import Peers
from app.facade.metric_sources import MetricSources, SourcesArea
from app.facade.owners import LOOK_S, MOVING_S, owned
from app.facade.parts import Parts
from app.facade.rollups import Rollups, RollupsArea
from app.listening import is_loopback, place
from app.source_shapes import SourceStatus
from config.settings import Settings
from connectors.notices import Notices, NoticeSettings
from connectors.outbound import Outbound
from connectors.sinks.base import TryLater
from connectors.streams.murmur2 import partition_for
from domain.metrics.alerting import MetricAlert, Reading, Watch, mark_of
from domain.sinks.backoff import wait_ms
from domain.sinks.document import Retry
from tables.in_force import document_of, versions_in_force

logger = logging.getLogger(__name__)
ROUND_S = 0.5
AGAIN = Retry(1_000, 300_000)  # of a message that was not taken
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
        self._sources, self._sender = sources, notices_of(parts.settings)
        self.questions = {STATES: self._tell, CHANGE: self._change}
        self._tasks: list[asyncio.Task[None]] = []
        self._tried: dict[str, tuple[int, float]] = {}  # notice -> times, when again (monotonic)
        self._warned: set[str] = set()

    def start(self, ended: Callable[[asyncio.Task[None]], None]) -> None:
        """Begins to look, where the shards are; `ended` hears of what raised."""
        if self._parts.rollups is None or "metrics" not in self._parts.roles:
            return
        for round_ in (self.look, self.deliver):
            task = asyncio.create_task(self._forever(round_))
            task.add_done_callback(ended)
            self._tasks.append(task)

    async def stop(self) -> None:
        """Ends that."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _forever(self, round_: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await round_()
            except (Unavailable, NotOwned) as error:
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
                if name not in found or (read is not None and subject not in read):
                    async with rollups.work.shards.use(number) as shard:
                        await forget(shard, name, subject, watch)

    def _in_force(self) -> dict[str, tuple[MetricAlert, int]]:
        found = {}
        for version in versions_in_force(self._parts.documents, MetricAlert.kind):
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

    # Delivering

    async def deliver(self) -> None:
        """One try of each message that is due."""
        rollups, clock = self._parts.rollups, asyncio.get_running_loop().time
        for number, (_, book) in ({} if rollups is None else rollups.books()).items():
            waiting = [n for n in notices(book) if self._due(n, clock())]
            taken = await asyncio.gather(*(self._try(notice, clock) for notice in waiting))
            gone = [notice for notice, was in zip(waiting, taken, strict=True) if was]
            if gone and rollups is not None:
                async with rollups.work.shards.use(number) as shard:
                    await delivered(shard, gone)

    def _due(self, notice: Notice, now_s: float) -> bool:
        return self._tried.get(_name(notice), (0, 0.0))[1] <= now_s

    async def _try(self, notice: Notice, clock: Callable[[], float]) -> bool:
        if not self._sender.can(notice.kind):
            if notice.kind not in self._warned:
                self._warned.add(notice.kind)
                logger.warning(
                    "alerts by %s are not sent: there is no %s",
                    notice.kind,
                    "SLUICE_SMTP_URL" if notice.kind == "mail" else "SLUICE_SMS_URL",
                )
            return True
        try:
            await self._send(notice)
        except TryLater as error:
            times = self._tried.get(_name(notice), (0, 0.0))[0] + 1
            logger.warning("alert %s by %s: %s", notice.id, notice.kind, error)
            self._tried[_name(notice)] = (
                times,
                clock() + wait_ms(AGAIN, times, random.random()) / 1e3,
            )
            return False
        self._tried.pop(_name(notice), None)
        return True

    async def _send(self, notice: Notice) -> None:
        sender, at_ms = self._sender, notice.at_ms
        if notice.kind == "mail":
            await sender.mail(notice.target, notice.id, notice.subject, notice.text, at_ms)
        elif notice.kind == "sms":
            await sender.sms(notice.target, notice.subject)
        else:
            await sender.webhook(notice.target, notice.id, notice.body, at_ms // 1000)

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

    async def change(self, name: str, **changes: Any) -> bool:
        """Sets `acknowledged_by` or `silent_until_ms`; False for an alert that nobody knows.
        Raises Unavailable while no worker has its shard."""
        known = [one for one in await self.all() if one.name == name]
        if not known:
            return False
        count = await self._parts.partitions(self._parts.names.topic(EVENTS)) or 1
        number = partition_for(name.encode(), count)
        subjects = [one.subject for one in known if one.subject != "*"]
        asked = {"name": name, "number": number, "subjects": subjects, "changes": changes}
        deadline = self._parts.monotonic_s() + MOVING_S
        while not any((await self._peers.ask(CHANGE, asked)).values()):
            if self._parts.monotonic_s() >= deadline:
                raise Unavailable(f"alert {name}", "no worker of role metrics has it open")
            await asyncio.sleep(LOOK_S)
        return True

    async def _change(self, asked: dict[str, Any]) -> bool:
        rollups = self._parts.rollups
        if rollups is None or asked["number"] not in rollups.work.shards.opened:
            return False
        async with rollups.work.shards.use(asked["number"]) as shard:
            for subject in asked["subjects"]:
                await change(shard, asked["name"], subject, **asked["changes"])
        return True


def notices_of(settings: Settings) -> Notices:
    """What sends messages, as the settings have it."""
    return Notices(
        NoticeSettings(
            settings.smtp_url, settings.mail_from, settings.sms_url, settings.webhook_secret
        ),
        Outbound(settings.outbound_allow, loopback=is_loopback(place(settings).host)),
    )


def _trouble(source: SourceStatus) -> str | None:
    return None if source.failing_since_ms is None else source.last_error or "it failed"


def _name(notice: Notice) -> str:
    return f"{notice.id}\0{notice.kind}\0{notice.target}"


def _plain(watch: Watch) -> dict[str, Any]:
    names = ("started", "since_ms", "value", "acknowledged_by", "silent_until_ms")
    return {name: getattr(watch, name) for name in names}


class MetricsArea(RollupsArea, SourcesArea):
    """The facade's part of `app.metrics_backend.MetricsBackend`, and of `SourcesBackend`."""

    _alerts: Alerts

    async def metric_alerts(self) -> Sequence[AlertStatus]:
        return await self._alerts.all()

    async def change_alert(self, name: str, changes: Mapping[str, str | int]) -> bool:
        return await self._alerts.change(name, **changes)
