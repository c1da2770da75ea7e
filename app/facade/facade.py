"""The worker as the web layer's `Backend`: each method goes to the area that knows."""

import asyncio
from collections.abc import Callable, Mapping, Sequence

from agents.ending import end
from agents.impressions.summaries import Summaries
from app import history_shapes, shapes
from app.backend import Unavailable
from app.cluster.peers import Peers
from app.day_shapes import Day, Resent, Retractable, Retracted
from app.facade.alerts import Alerts, MetricsArea
from app.facade.appends import Appends
from app.facade.backups import Backups
from app.facade.campaign_figures import CampaignFigures
from app.facade.campaigns.area import CampaignsArea, Inside
from app.facade.campaigns.raised import Raised
from app.facade.campaigns.sources import sources_of
from app.facade.commands import Commands, CommandsArea
from app.facade.completeness import Completeness
from app.facade.copies import Copies
from app.facade.days import Days
from app.facade.documents import DocumentsArea, loaded
from app.facade.erasing import Notes
from app.facade.evidence import Evidence
from app.facade.explain import Explanations
from app.facade.exports import Exports
from app.facade.figures import Figures
from app.facade.growths import GrowArea
from app.facade.health import readiness
from app.facade.impressions import ImpressionsArea
from app.facade.insight import Insight, InsightArea
from app.facade.ledger import Ledger
from app.facade.letters import Letters
from app.facade.local import Local
from app.facade.machine import Machine
from app.facade.metric_sources import MetricSources
from app.facade.metrics import Metrics
from app.facade.overview import Figured
from app.facade.owners import Owners
from app.facade.parts import Parts
from app.facade.previews import Previews
from app.facade.processes import ProcessesArea, ProcessesHere
from app.facade.records import Records
from app.facade.replays import Replays
from app.facade.resend import Resend
from app.facade.retractions import Retractions
from app.facade.rollups import Rollups
from app.facade.routes import Routes
from app.facade.running import RunningHere
from app.facade.sampler import Sampler
from app.facade.sessions import Sessions
from app.facade.sinks import Sinks
from app.facade.stream import StreamArea
from app.facade.tables import Tables
from app.facade.topics import TopicsArea
from app.facade.totals import ControlTotals
from app.facade.trials import aggregator_of, tried
from app.people.people import People
from app.since import Since
from app.sink_shapes import SinkStatus, Taken
from config.documents.base import Problem
from connectors.streams.base import StreamError

VIEWS_S = 5.0  # between two looks at what views follow, while nobody asks
TIDY_S = 600.0  # between two rounds of forgetting


class Facade(
    CampaignsArea, CommandsArea, GrowArea, ImpressionsArea, InsightArea, MetricsArea, ProcessesArea,
    StreamArea,
):  # fmt: skip
    """See `app.backend.Backend`. `start` before the first call, `stop` at the end.

    `crash` hears of a task that failed. `peers` asks the other workers; `local` answers them.
    """

    def __init__(self, parts: Parts, crash: Callable[[BaseException], None], secret: str) -> None:
        self._parts = parts
        self._crash = crash
        self._sampler = Sampler(parts, crash)
        self._sinks = Sinks(parts)
        self._campaign_figures = CampaignFigures(parts)
        figures = Figures(parts, self._sampler, lambda: self._here.live_slots())
        self.local = Local(parts, figures.tell, self._sinks.questions)
        self._peers = Peers(parts.members, self.local.questions, secret)
        self._metric_sources = MetricSources(parts, self._peers)
        self.local.add(self._metric_sources.questions)
        owners, self._routes = Owners(parts, self._peers), Routes(parts)
        self._appends, self._exports = Appends(parts), Exports()
        sources = parts.sources
        if sources is None and parts.campaigns is not None:
            sources = sources_of(
                parts.campaigns, lambda: parts.engine.topics[parts.names.campaigns_in]
            )
        if sources is not None:
            self._inside = Inside(parts, sources, self._appends, self._peers, crash, self._exports)
            self.local.add(self._inside.questions)
        self._summaries = Summaries()
        self.local.add(self.impression_questions)
        self.local.add(Raised(parts).questions)
        self._rollups = Rollups(parts, self._peers)
        self._alerts = Alerts(parts, self._peers, self._rollups, self._metric_sources)
        self.local.add({**self._rollups.questions, **self._alerts.questions})
        self._insight = Insight(parts, self._peers, lambda: self._in.asking)
        self.local.add(self._insight.questions)
        self._letters = Letters(parts)
        self._replays = Replays(parts, self._letters, self._appends)
        self._documents = DocumentsArea(parts, self._appends)
        self._sessions = Sessions(parts, owners)
        evidence = Evidence(parts, self._letters, self._appends)
        self.local.add(evidence.questions)
        self._notes = Notes(parts)
        self._commands = Commands(parts, owners, self._appends, evidence, self._notes)
        self._totals = ControlTotals(parts, owners, self._routes)
        self._ledger = Ledger(parts)
        self._days = Days(parts, self._totals, self._ledger)
        self._resend = Resend(parts, self._ledger)
        self._retractions = Retractions(parts, owners, self._sessions)
        self._completeness = Completeness(
            parts, owners, self._ledger, self._sessions, self._letters, self._totals
        )
        self._records = Records(parts)
        self._topics = TopicsArea(parts)
        self._backups = Backups(parts)
        self._tables = Tables(parts, owners, self._routes)
        self.local.add({**self._tables.questions, **Copies(parts).questions})
        self._figured = Figured(
            parts, self._peers, owners, self._routes, self._letters, self._sinks,
            self._metric_sources, self._notes,
        )  # fmt: skip
        self._metrics = Metrics(
            parts, self._sampler, self._routes, self._totals, self._documents, self._sinks
        )
        self._previews = Previews(parts)
        self._machine = Machine(parts, crash)
        uploads = None if self._inside is None else self._inside.files.uploads
        self._here = RunningHere(parts, uploads, self._exports, self._previews, parts.recoveries)
        self._processes = ProcessesHere(parts, self._peers, self._machine, self._here)
        self.local.add(self._processes.questions)
        self._explanations = Explanations(
            parts, owners, self._routes, self._letters, self._sessions
        )
        self._task: asyncio.Task[None] | None = None
        self._one_reconciler = asyncio.Lock()

    def meet(self, people: People) -> None:
        """Lets people's workers ask each other; before `start`."""
        self.local.add(people.questions)
        people.ask_others = self._peers.ask_others

    async def start(self) -> None:
        """Begins to sample and to follow."""
        await self._sampler.start()
        await self._machine.start()
        await self._processes.start()
        self._alerts.start(self._ended)
        if self._inside is not None:
            await self._inside.files.uploads.start()
            if self._parts.campaigns is not None:
                self._parts.campaigns.uploads.go(self._inside.files.uploads)
        if "console" in self._parts.roles:
            self._task = asyncio.create_task(self._follow())
            self._task.add_done_callback(self._ended)

    async def stop(self) -> None:
        """Ends what runs, closes what is open."""
        await self._alerts.stop()
        await self._processes.stop()
        await self._machine.stop()
        await self._sampler.stop()
        if self._task is not None:
            await end(self._task)
        await self._previews.stop()
        if self._inside is not None:
            await self._inside.files.uploads.stop()
        await self._peers.stop()
        await self._metric_sources.stop()
        await self._commands.stop()
        await self._notes.stop()
        await self._letters.stop()
        await self._ledger.stop()
        await self._appends.stop()

    def _ended(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._crash(error)

    async def _follow(self) -> None:
        """Keeps the views near the ends of their topics, and small."""
        clock = asyncio.get_running_loop().time
        tidied = clock()
        while True:
            try:
                await self._letters.catch_up()
                await self.reconcile()
                await self._commands.go_on(first=self._first_console())
                if clock() - tidied > TIDY_S:
                    tidied = clock()
                    await self._letters.prune()
                    await self._ledger.prune(self._parts.clock.now_ms())
                    await self._appends.forget()
            except (StreamError, Unavailable):
                pass  # whoever looks is told; here the next round tries again
            await asyncio.sleep(VIEWS_S)

    async def reconcile(self) -> None:
        """Opens the day and tells of complete periods; one console of all does it."""
        async with self._one_reconciler:
            await self._reconcile()

    async def _reconcile(self) -> None:
        await self._ledger.catch_up()
        if self._first_console():
            await self._days.open_day()
            await self._completeness.look()

    def _first_console(self) -> bool:
        """Whether this is the one console of all that does what one is to do."""
        consoles = [beat.id for beat in self._parts.members.live() if "console" in beat.roles]
        return min(consoles, default="") == self._parts.worker

    # Health

    async def ready(self) -> shapes.Readiness:
        return readiness(self._parts.members.own(), self._sampler.silent_s())

    async def clock_info(self) -> shapes.ClockInfo:
        clock = self._parts.clock
        return shapes.ClockInfo(clock.now_ms(), clock.is_trial, clock.speed)

    async def overview(self) -> shapes.Overview:
        return await self._figured.overview()

    async def workers(self) -> Sequence[shapes.Worker]:
        members = self._parts.members
        live = [beat.shown(members.silent_s(beat.id), gone=False) for beat in members.live()]
        return [*live, *(beat.shown(ago_s, gone=True) for beat, ago_s in members.gone())]

    async def metrics(self) -> Sequence[shapes.Sample]:
        return [
            *await self._metrics.samples(),
            *self._campaign_figures.samples(),
            *self._metric_sources.samples(),
            *await self.impression_samples(),
        ]

    # Documents

    async def documents(self, kind: str | None = None) -> Sequence[shapes.DocumentVersion]:
        return await self._documents.in_force(kind)

    async def document(self, kind: str, name: str) -> shapes.DocumentVersion | None:
        return await self._documents.one(kind, name)

    async def versions(self, kind: str, name: str) -> Sequence[shapes.DocumentVersion]:
        return await self._documents.versions(kind, name)

    async def document_status(self, kind: str, name: str) -> shapes.DocumentStatus | None:
        return await self._documents.status(kind, name)

    async def validate(self, body: Mapping[str, object]) -> Sequence[Problem]:
        return await self._documents.problems(body)

    async def put_document(
        self,
        kind: str,
        name: str,
        body: Mapping[str, object],
        change: shapes.Change,
        wait_s: float,
    ) -> shapes.Changed:
        return await self._documents.put(kind, name, body, change, wait_s)

    async def delete_document(
        self, kind: str, name: str, change: shapes.Change, wait_s: float
    ) -> shapes.Changed | None:
        return await self._documents.delete(kind, name, change, wait_s)

    async def try_record(
        self, document: Mapping[str, object], records: Sequence[bytes]
    ) -> shapes.Trial:
        aggregator = aggregator_of(loaded(document), document)
        return tried(aggregator, records, self._parts.clock.now_ms())

    async def start_preview(
        self, document: Mapping[str, object], since: Since, text: str
    ) -> history_shapes.Preview:
        return await self._previews.start(document, since, text)

    async def preview(self, preview_id: str, wait_s: float) -> history_shapes.Preview | None:
        return await self._previews.one(preview_id, wait_s)

    async def stop_preview(self, preview_id: str) -> history_shapes.Preview | None:
        return await self._previews.end(preview_id)

    # Sessions and totals

    async def sessions(
        self, aggregator: str, group: Mapping[str, str], limit: int, cursor: str | None
    ) -> shapes.Page[shapes.SessionRow] | None:
        return await self._sessions.listed(aggregator, group, limit, cursor)

    async def session(self, aggregator: str, key: str) -> shapes.SessionDetail | None:
        return await self._sessions.one(aggregator, key)

    async def explain(
        self,
        aggregator: str,
        flush_id: str,
        where: history_shapes.Whereabouts,
        limit: int,
        cursor: str | None,
    ) -> history_shapes.Explained | None:
        return await self._explanations.one(aggregator, flush_id, where, limit, cursor)

    async def totals(self, aggregator: str | None) -> Sequence[shapes.Totals]:
        return await self._totals.of(aggregator)

    async def day_totals(self, day: str, aggregator: str | None) -> Day:
        return await self._days.of(day, aggregator)

    async def resend_flush(self, flush_id: str, change: shapes.Change) -> Resent | None:
        return await self._resend.flush(flush_id, change)

    async def retract_event(
        self,
        aggregator: str,
        event_id: object,
        group: Mapping[str, object],
        change: shapes.Change,
    ) -> Retracted | None:
        return await self._retractions.event(aggregator, event_id, group, change)

    async def find_retractable(
        self, aggregator: str, event_id: object, group: Mapping[str, object]
    ) -> Retractable | None:
        return await self._retractions.find(aggregator, event_id, group)

    # Dead letters

    async def dead_letters(
        self, where: Mapping[str, str], limit: int, cursor: str | None
    ) -> shapes.Page[shapes.DeadLetter]:
        return await self._letters.listed(where, limit, cursor)

    async def dead_letter(self, letter_id: str) -> shapes.DeadLetter | None:
        return await self._letters.one(letter_id)

    async def dead_letter_counts(self) -> Sequence[shapes.DeadLetterCount]:
        return await self._letters.counts()

    async def replay_dead_letters(
        self, where: Mapping[str, str], change: shapes.Change, dry_run: bool, wait_s: float
    ) -> shapes.Replay:
        if dry_run:
            return await self._replays.tried(where)
        return await self._replays.replay(where, change, wait_s)

    # Sinks

    async def sinks(self) -> Sequence[SinkStatus]:
        return await self._sinks.all(self._peers)

    async def sink_taken(self, name: str, ids: Sequence[str]) -> Sequence[Taken] | None:
        return await self._sinks.taken(self._peers, name, ids)
