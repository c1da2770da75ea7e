"""A worker: settings -> stream, Faust app, state, agents, timers. The only place that puts the
parts together.
"""

import asyncio
import logging
import os
import signal
import socket
from collections.abc import Callable, Sequence
from typing import Any
from uuid import uuid4

from agents.documents import DocumentsAgent, refuse_internal
from agents.ending import end
from agents.engine import Engine
from agents.folds import Folds
from agents.pumps import Pumps
from agents.sinks.lanes import Means, SinkLanes
from app import listening
from app.campaign_parts import ROLES as CAMPAIGN_ROLES
from app.campaign_parts import CampaignMeans, CampaignParts
from app.impression_parts import ImpressionMeans, ImpressionParts
from app.insight_parts import InsightParts
from app.ledger_parts import LedgerMeans
from app.membership import Membership
from app.recoveries import Recoveries
from app.rollup_parts import RollupParts
from app.session_parts import make_shard
from app.source_parts import make_collector
from app.standby_parts import make_standbys, shards_among
from app.topic_specs import spec_of
from app.trail.by_topic import asked_teller, teller
from app.widening import Widening
from config.clock import Clock, clock_from
from config.documents.registry import load_document
from config.names import Names
from config.settings import Settings
from config.topics import Topics
from connectors.outbound import Outbound
from connectors.streams import open_log
from connectors.streams.base import Log
from connectors.streams.faust_app import make_app, standbys_of
from connectors.streams.faust_schema import BatchSchema
from domain.aggregation.document import Aggregator
from domain.aggregation.limit import Limit
from domain.errors import SluiceError
from domain.sinks.document import Sink
from tables.changelog import Changelog
from tables.documents import Documents, DocumentsFollower
from tables.shard import Shard

logger = logging.getLogger(__name__)
ROLES = ("route", "aggregate", "sinks", *CAMPAIGN_ROLES, "metrics", "impressions", "console")
FORGET_S = 1.0  # between two looks for what is to be forgotten
FOLLOW_S = 0.1  # how soon a worker has a document in force after it was written


class Worker:
    """See the module. `start`, then `wait` until it is told to stop or something breaks, then
    `stop`.
    """

    def __init__(
        self,
        settings: Settings,
        roles: Sequence[str] = ROLES,
        *,
        instance_id: str | None = None,
        on_step: Callable[[int], None] = lambda _step: None,
    ) -> None:
        self.settings = settings
        self.roles = tuple(roles)
        self.id = f"{socket.gethostname()}-{os.getpid()}-{uuid4().hex[:6]}"
        self.names = Names(settings.app_id, settings.topic_prefix)
        self.topics = Topics(settings)
        self.clock: Clock = clock_from(settings)
        self.log: Log = open_log(settings, self.clock)
        self.documents = Documents()
        self.recoveries = Recoveries(self.clock.now_ms)
        self.failure: BaseException | None = None
        self.ended = asyncio.Event()
        self.app: Any = None
        self.engine: Engine
        self.assigned = False
        self.membership: Membership | None = None
        if instance_id is not None:
            name = f"{instance_id}-{'-'.join(self.roles)}"
            self.membership = Membership(settings.data_dir, name)
        self._on_step = on_step
        self._tasks: list[asyncio.Task[None]] = []
        self._subscribed: dict[str, tuple[Any, asyncio.Task[None]]] = {}
        self._pumps: Pumps
        self._control: DocumentsAgent | None = None

    async def start(self) -> None:
        """Opens the stream, makes the topics, reads the documents, joins the group."""
        await self.log.start()
        await self.make_topics()
        follower = Changelog(self.log, self.names.changelog("documents"), 0, self.id)
        self._follower = DocumentsFollower(self.documents, follower)
        await self._follower.catch_up()
        self.engine = Engine(
            log=self.log,
            names=self.names,
            clock=self.clock,
            documents=self.documents,
            worker=self.id,
            group=self.names.group,
            max_record_bytes=self.settings.max_record_bytes,
            make_shard=self._make_shard,
            catch_up=self._follower.catch_up,
            limit=Limit(
                self.settings.dead_letter_streak,
                self.settings.dead_letter_share,
                self.settings.dead_letter_window,
            ),
        )
        await self.engine.start()
        self.widening = Widening(self.log, self.names, self.documents, self.engine.refresh_topics)
        membership = self.membership
        outbound = Outbound(
            self.settings.outbound_allow,
            loopback=listening.is_loopback(listening.place(self.settings).host),
        )
        self.sinks = self._make_sinks(outbound)
        ledger = self._ledger_means()
        self.campaigns = CampaignParts(
            CampaignMeans(**vars(ledger), documents=self.documents, outbound=outbound)
        )
        self.collector = make_collector(
            self.settings, self.log, self.clock, self.documents, self.id, outbound,
            self._fail_now, self._on_step,
        )  # fmt: skip
        self.rollups = RollupParts(ledger)
        self.insight = InsightParts(ledger)
        self.impressions = self._make_impressions()
        self.standbys = make_standbys(ledger, self.engine.folds, self.catch_up, self._fail_now)
        self.app = make_app(
            self.settings,
            self.log,
            self.clock,
            group=self.names.group,
            instance_id=None if membership is None else membership.begin(self.wanted()),
        )
        self.app.on_partitions_assigned.connect(self._on_assigned, weak=False)
        self.app.on_partitions_revoked.connect(self._on_revoked, weak=False)
        self._pumps = Pumps(self._take, self.fail, self._still)
        self.app.finalize()
        await self._subscribe()
        await self.app.start()
        self._spawn(self._follow())
        self._spawn(self._tick())
        self._spawn(self._tick_campaigns())
        self._spawn(self._tick_insight())
        self._spawn(self.engine.growth.crossing.watch(self.engine, self._steady))
        self._spawn(self._watch())

    async def catch_up(self) -> bool:
        """Reads the documents up to the newest version; whether there was any."""
        return await self._follower.catch_up()

    async def make_topics(self) -> None:
        """Creates what is missing of the product's own topics and of those that documents name."""
        for topic in self.topics.all():
            await self.log.ensure_topic(spec_of(topic))
        for name in self.documents.known_inputs():
            await self._make_input(name)

    async def _make_input(self, name: str) -> None:
        await self.log.ensure_topic(spec_of(self.topics.usage_topic(name)))
        count = (await self.log.topics())[self.names.topic(name)]
        await self.log.ensure_topic(spec_of(self.topics.routes(name, count)))

    async def prepare(self, document: dict[str, Any]) -> None:
        """Makes the topics that a document needs, before it is in force."""
        loaded = load_document(document)
        refuse_internal(loaded, self.names)
        if isinstance(loaded, Aggregator):
            await self._make_input(loaded.input)
            await self.log.ensure_topic(spec_of(self.topics.output_topic(loaded.output.topic)))
        if isinstance(loaded, Sink):
            await self.log.ensure_topic(spec_of(self.topics.output_topic(loaded.input)))

    def _make_sinks(self, outbound: Outbound) -> SinkLanes:
        settings = self.settings
        means = Means(
            log=self.log,
            names=self.names,
            clock=self.clock,
            documents=self.documents,
            worker=self.id,
            outbound=outbound,
            environ=os.environ,
            folder=settings.data_dir / "tables" / settings.app_id,
            send=self.engine.send,
            fail=self._fail_now,
        )
        return SinkLanes(means)

    def _make_impressions(self) -> ImpressionParts:
        return ImpressionParts(
            ImpressionMeans(
                self.settings, self.names, self.clock, self.log, self.id, self.engine.send,
                self._fail_now,
            )
        )  # fmt: skip

    def _ledger_means(self) -> LedgerMeans:
        return LedgerMeans(
            self.settings, self.names, self.clock, self.log, self.id, self.engine.send,
            self._on_step, self.recoveries,
        )  # fmt: skip

    def _make_shard(self, number: int, folds: Folds) -> Shard:
        return make_shard(self._ledger_means(), number, folds)

    # Faust

    def wanted(self) -> set[str]:
        """The physical topics that this worker's roles consume."""
        found = {self.names.topic("config")}
        if "aggregate" in self.roles:
            found.add(self.names.sessions_in)
        if "sinks" in self.roles:
            found.add(self.names.changelog("sinks"))
        if "metrics" in self.roles:
            found.add(self.names.changelog("sources"))
        for part in (self.campaigns, self.rollups, self.insight, self.impressions):
            found |= part.wanted(self.roles)
        keyed = self.documents.keyed_inputs()
        for name in self.documents.known_inputs():
            if ("aggregate" if name in keyed else "route") in self.roles:
                found.add(self.names.topic(name))
        return found

    async def _subscribe(self) -> None:
        wanted = self.wanted()
        if self.membership is not None and self._subscribed and wanted != self._subscribed.keys():
            self.membership.changes()
        if wanted - self._subscribed.keys():
            await self.engine.refresh_topics()
            for name in wanted - self._subscribed.keys():
                if self.names.public(name) in self.documents.known_inputs():
                    await self._make_input(self.names.public(name))
        for name in wanted - self._subscribed.keys():
            topic = self.app.topic(name, schema=BatchSchema(), acks=True)
            stream = self.app.stream(topic)
            task = asyncio.create_task(self._pumps.run(stream))
            task.add_done_callback(self._task_ended)
            # The channel of the stream, a copy of `topic`, is what the conductor delivers to.
            self._subscribed[name] = (stream.channel, task)
        await self.widening.follow(self._subscribed, self.app)
        for name in self._subscribed.keys() - wanted:
            channel, task = self._subscribed.pop(name)
            self.app.topics.discard(channel)
            task.cancel()

    async def _on_assigned(self, _app: Any, assigned: set[Any], **_: Any) -> None:
        self._control = None
        ours = {(tp.topic, tp.partition) for tp in assigned}
        copies = shards_among(self.names, standbys_of(self.app) - ours)
        await self.standbys.leave(copies)
        for one in (self.engine, self.campaigns, self.rollups.work, self.insight.work):
            await one.assign(ours)
        await self.impressions.assign(ours)
        lanes = self.names.changelog("sinks")
        self.sinks.assigned({tp.partition for tp in assigned if tp.topic == lanes})
        lanes = self.names.changelog("sources")
        self.collector.assigned({tp.partition for tp in assigned if tp.topic == lanes})
        self.standbys.take(copies)
        self.assigned = True

    async def _on_revoked(self, _app: Any, _revoked: set[Any], **_: Any) -> None:
        await asyncio.gather(self.sinks.pause(), self.collector.pause())

    def _still(self, message: Any) -> bool:
        """Whether the assignment under which the batch came is in force; False while partitions are
        being revoked.
        """
        return bool(
            self.app.flow_control.is_active()
            and message.generation_id == self.app.consumer_generation_id
        )

    def _steady(self) -> bool:
        return not self.app.rebalancing and self.app.flow_control.is_active()

    async def _take(
        self, topic: str, partition: int, items: list[Any], still: Callable[[], bool]
    ) -> None:
        if topic == self.names.topic("config"):
            control = self._control
            if control is None:
                changelog = Changelog(self.log, self.names.changelog("documents"), 0, self.id)
                control = DocumentsAgent(
                    changelog, self.clock.now_ms, self.engine.send_letters, self.prepare,
                    self.engine.command_desk(asked_teller(self.log, self.names.audit)),
                    self.engine.growth.desk(self.widening.widen),
                    teller(self.log, self.names.audit),
                )  # fmt: skip
                await control.open()
                self._control = control
            await control.apply(partition, items)
            await self._follower.catch_up()
            return
        if topic in (self.names.changelog("sinks"), self.names.changelog("sources")):
            return  # being assigned its partitions is all that it is consumed for
        taken = False
        for part in (self.campaigns, self.rollups, self.insight, self.impressions):
            taken = taken or await part.take(topic, partition, items, still)
        if not taken or self.names.public(topic) in self.documents.known_inputs():
            await self.engine.take(topic, partition, items, still)

    # Timers

    async def _follow(self) -> None:
        while True:
            await self._follower.catch_up()
            await self._subscribe()
            self._note_membership()
            await self.sinks.reconcile()
            await self.collector.reconcile()
            await asyncio.sleep(FOLLOW_S)

    def _note_membership(self) -> None:
        joined = self.app.consumer.joined_topics
        if self.membership is not None and joined == self._subscribed.keys():
            self.membership.joined(joined)

    async def _tick(self) -> None:
        while True:
            if not self.app.rebalancing:
                await self.engine.tick()
            await asyncio.sleep(self.settings.tick_interval_s)

    async def _tick_campaigns(self) -> None:
        while True:
            more = not self.app.rebalancing and await self.campaigns.work.tick()
            await asyncio.sleep(0 if more else self.settings.tick_interval_s)

    async def _tick_insight(self) -> None:
        while True:
            more = not self.app.rebalancing and await self.insight.work.tick()
            await asyncio.sleep(0 if more else FORGET_S)

    async def _watch(self) -> None:
        while not self.app.crashed:
            await asyncio.sleep(0.2)
        await self.fail(self.app.crash_reason or RuntimeError("Faust stopped"))

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        task.add_done_callback(self._task_ended)
        self._tasks.append(task)

    def _task_ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            self._fail_now(task.exception() or RuntimeError("a task ended"))

    # The end

    async def fail(self, error: BaseException) -> None:
        """Something broke: the worker ends, and nothing that is not durable is acknowledged."""
        self._fail_now(error)

    def _fail_now(self, error: BaseException) -> None:
        if self.failure is None:
            self.failure = error
            if not isinstance(error, SluiceError):
                logger.error("worker stops: %r", error, exc_info=error)
        self.ended.set()

    async def wait(self) -> None:
        """Returns when a signal or a failure ends the worker."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.ended.set)
        await self.ended.wait()

    async def stop(self) -> None:
        """Finishes what is under way, commits, closes everything."""
        await end(*self._tasks)
        for name in ("sinks", "collector"):  # before another worker gets what was ours
            if hasattr(self, name):
                await getattr(self, name).close()
        if self.app is not None:
            if self.failure is not None:
                await self._pumps.stop()
            await self.app.stop()
            await self._pumps.stop()
        for _, task in self._subscribed.values():
            task.cancel()
        for name in ("standbys", "engine", "campaigns", "rollups", "insight", "impressions"):
            if hasattr(self, name):
                await getattr(self, name).stop()
        await self.log.stop()
