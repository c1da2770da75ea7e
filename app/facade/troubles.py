"""What someone must act on, told by the figures: what happened, what it means, what to do."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from app.facade.erasing import Erasing, unfinished
from app.facade.owners import Told
from app.facade.parts import Parts
from app.facade.standing_by import lacking
from app.facade.unread import unread
from app.shapes import DeadLetterCount, Trouble
from app.sink_shapes import SinkStatus
from app.source_shapes import SourceStatus
from config.topics import SOURCE_EVENTS, differences
from connectors.streams.base import StreamError
from domain.aggregation.instants import parse_instant

NOT_READY_S = 10.0  # a shard of usual size has recovered by then
LAG_S = 30.0
SINK_ATTEMPTS = 3  # fewer are what happens to every target now and then
LOOP_LAG_S = 1.0
DISK_LOW = 1 << 30  # RocksDB compacts, and needs room for a second copy of what it compacts
About = tuple[str, Trouble]
"""What a trouble is about, which tells it from others of its code; and the trouble."""
LETTERS_MS = 86_400_000  # older letters were seen, or will not be
TOPICS_S = 60.0  # between two looks at how topics are made


@dataclass(frozen=True)
class Seen:
    """What the figures of all workers come to."""

    now_ms: int
    figures: dict[str, Any]
    shards: Told
    lag_records: int
    lag_s: float
    trend: float
    letters: Sequence[DeadLetterCount]
    unbalanced: Sequence[str]
    sinks: Sequence[SinkStatus] = ()
    sources: Sequence[SourceStatus] = ()
    impressions: Mapping[str, Any] = field(default_factory=dict)
    erasings: Sequence[Erasing] = ()


class Troubles:
    """Remembers since when each trouble is there."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        # (code, subject) -> since when it is there, by the product's clock and really
        self._since: dict[tuple[str, str], tuple[int, float]] = {}
        self._topics: list[About] = []
        self._topics_at_s = float("-inf")

    async def of(self, seen: Seen) -> list[Trouble]:
        """The troubles now, worst first."""
        found = [
            *self._unbalanced(seen),
            *unread(self._parts.documents),
            *self._workers(seen),
            *self._shards(seen),
            *await self._tables(seen),
            *self._lag(seen),
            *self._letters(seen),
            *self._sinks(seen),
            *self._sources(seen),
            *_impressions(seen),
            *unfinished(seen.erasings, seen.now_ms),
            *self._held(seen),
            *lacking(seen.figures),
            *self._machine(seen),
            *await self._topics_made(),
            *self._clock(),
        ]
        return self._dated(found, seen.now_ms)

    def _dated(self, found: list[About], now_ms: int) -> list[Trouble]:
        now_s = self._parts.monotonic_s()
        known = self._since
        self._since = {}
        shown = []
        for subject, trouble in found:
            key = trouble.code, subject
            since_ms, since_s = self._since[key] = known.get(key, (now_ms, now_s))
            young = now_s - since_s < NOT_READY_S
            if (
                trouble.code
                in ("shards-not-ready", "tables-not-ready", "sink-stopped", "source-stopped")
                and young
            ):
                continue
            shown.append(trouble if trouble.since_ms else replace(trouble, since_ms=since_ms))
        return shown

    def _unbalanced(self, seen: Seen) -> Iterator[About]:
        if seen.unbalanced:
            yield (
                "",
                Trouble(
                    "totals-unbalanced",
                    f"The control totals of {', '.join(seen.unbalanced)} do not balance",
                    "Records that came in are not all accounted for.",
                    "Stop billing from these aggregates, keep the data as it is, and report this.",
                    link="/sessions",
                ),
            )

    def _workers(self, seen: Seen) -> Iterator[About]:
        for beat, ago_s in self._parts.members.gone():
            yield (
                beat.id,
                Trouble(
                    "worker-gone",
                    f"Worker {beat.id} is gone",
                    "It did not say that it stops. The others take its partitions over; nothing is "
                    "lost.",
                    "Start it again, or look into its log.",
                    seen.now_ms - int(ago_s * 1000),
                ),
            )
        for beat in self._parts.members.live():
            if beat.id not in seen.figures:
                yield (
                    beat.id,
                    Trouble(
                        "worker-silent",
                        f"Worker {beat.id} does not answer at {beat.url}",
                        "Its sessions and figures are not shown here; it goes on working.",
                        "See that workers can reach each other's web port, and have the same "
                        "SLUICE_CLUSTER_SECRET.",
                    ),
                )

    def _held(self, seen: Seen) -> Iterator[About]:
        for beat in self._parts.members.live():
            if beat.state == "ready" and beat.detail:
                yield (
                    beat.id,
                    Trouble(
                        "store-away",
                        f"Worker {beat.id} waits for a store",
                        beat.detail,
                        "Bring the store back, or look at SLUICE_DOCUMENTS and SLUICE_NEGATIVES.",
                    ),
                )

    def _shards(self, seen: Seen) -> Iterator[About]:
        missing = [str(n) for n in range(self._parts.shards) if n not in seen.shards]
        if missing:
            which = (
                f"Partition {missing[0]}"
                if len(missing) == 1
                else (f"Partitions {', '.join(missing)}")
            )
            yield (
                "",
                Trouble(
                    "shards-not-ready",
                    f"{which} of the session state can't be used",
                    "No worker with the role aggregate has it open: it is being recovered, or "
                    "there is none. Records wait and are not lost.",
                    "Wait for the recovery, or start a worker with the role aggregate.",
                ),
            )

    async def _tables(self, seen: Seen) -> list[About]:
        """Shards beside the sessions' that nobody has open, of tables that are in use."""
        found: list[About] = []
        names = self._parts.names
        for table, topic, role, kind, what in (
            ("campaigns", names.campaigns_in, "campaigns", "flow", "Campaigns"),
            ("insight", names.insight_in, "campaigns", "flow", "Funnel and usage"),
            ("rollups", names.topic(SOURCE_EVENTS), "metrics", "source", "Figures of sources"),
        ):
            beats = self._parts.members.live()
            if not any(role in beat.roles for beat in beats) and not self._in_force(kind):
                continue
            told = (one.get("tables", {}) for one in seen.figures.values())
            there = {number for tables in told for number in tables.get(table, ())}
            missing = [n for n in range(await self._parts.partitions(topic) or 0) if n not in there]
            if missing:
                which = ", ".join(map(str, missing))
                found.append(
                    (
                        table,
                        Trouble(
                            "tables-not-ready",
                            f"{what} of partition {which} can't be used",
                            f"No worker with the role {role} has it open: it is being recovered, "
                            "or there is none. Events wait and are not lost.",
                            f"Wait for the recovery, or start a worker with the role {role}.",
                            link="/processes",
                        ),
                    )
                )
        return found

    def _in_force(self, kind: str) -> bool:
        documents = self._parts.documents
        return any(
            versions[-1].document is not None
            for (of, _), versions in documents.history.items()
            if of == kind
        )

    def _lag(self, seen: Seen) -> Iterator[About]:
        if seen.lag_s > LAG_S and seen.trend > 0:
            yield (
                "",
                Trouble(
                    "lag-growing",
                    f"{seen.lag_records:,} records wait, {seen.trend:,.0f} more every second",
                    "More comes in than the workers take. Sessions flush later, none is lost.",
                    "Start more workers (one a partition is of use), or find what slows them.",
                ),
            )

    def _letters(self, seen: Seen) -> Iterator[About]:
        new = [
            count
            for count in seen.letters
            if count.open and seen.now_ms - count.latest_ms < LETTERS_MS
        ]
        if new:
            number = sum(count.open for count in new)
            reasons = ", ".join(sorted({count.reason for count in new}))
            yield (
                "",
                Trouble(
                    "dead-letters",
                    f"{number:,} {'record' if number == 1 else 'records'} could not be applied",
                    f"They are in no session ({reasons}).",
                    "Look at the dead letters, and correct the producer or the document.",
                    max(count.latest_ms for count in new),
                    "/dead-letters",
                ),
            )

    def _sinks(self, seen: Seen) -> Iterator[About]:
        for sink in seen.sinks:
            trouble = sink.trouble
            if trouble is not None and trouble.attempts >= SINK_ATTEMPTS:
                yield (
                    sink.name,
                    Trouble(
                        "sink-failing",
                        f"Sink {sink.name} does not reach {sink.target}",
                        f"{trouble.detail}. Records wait and are tried again; none is lost.",
                        "See that the target is there and takes what it is given.",
                        trouble.since_ms,
                        "/#sinks-title",
                    ),
                )
            elif sink.state == "stopped":
                yield (
                    sink.name,
                    Trouble(
                        "sink-stopped",
                        f"Sink {sink.name} is not delivered on all partitions",
                        "No worker with the role sinks has them. Records wait and are not lost.",
                        "Start a worker with the role sinks, or all.",
                    ),
                )

    def _sources(self, seen: Seen) -> Iterator[About]:
        for source in seen.sources:
            link = f"/api/metrics/sources/{source.name}"
            if source.last_error is not None:
                yield (
                    source.name,
                    Trouble(
                        "source-failing",
                        f"Source {source.name} can't be fetched",
                        f"{source.last_error}. It is tried again at its next time.",
                        "See that the service answers and takes the credentials of the document.",
                        source.failing_since_ms,
                        link,
                    ),
                )
            elif not source.at_work:
                yield (
                    source.name,
                    Trouble(
                        "source-stopped",
                        f"Source {source.name} is not fetched",
                        "No worker with the role metrics has it. It goes on from its cursor.",
                        "Start a worker with the role metrics, or all.",
                        link=link,
                    ),
                )

    def _machine(self, seen: Seen) -> Iterator[About]:
        for worker, figures in sorted(seen.figures.items()):
            if figures["disk_free"] < DISK_LOW:
                yield (
                    worker,
                    Trouble(
                        "disk-low",
                        f"The disk of {worker} has {figures['disk_free'] >> 20:,} MiB left",
                        "State can't be written any more when it is full; the worker stops then.",
                        "Make room, or move its data directory to a larger disk.",
                    ),
                )
            if figures["loop_lag_s"] > LOOP_LAG_S:
                yield (
                    worker,
                    Trouble(
                        "overloaded",
                        f"Worker {worker} is {figures['loop_lag_s']:.1f} s late",
                        "Its machine gives it too little time.",
                        "Give it a processor of its own, or move partitions to more workers.",
                    ),
                )

    async def _topics_made(self) -> list[About]:
        """Topics that are not as they should be, looked at once a minute."""
        now_s = self._parts.monotonic_s()
        if now_s - self._topics_at_s > TOPICS_S:
            self._topics_at_s = now_s
            try:
                self._topics = [each async for each in self._wrong_topics()]
            except StreamError:
                return self._topics
        return self._topics

    async def _wrong_topics(self) -> Any:
        topics = {topic.name: topic for topic in self._parts.topics.all()}
        for name in self._parts.documents.inputs():
            topic = self._parts.topics.usage_topic(name)
            topics.setdefault(topic.name, topic)
        for topic in topics.values():
            found = await self._parts.log.describe_topic(topic.name)
            for difference in differences(topic, found.partitions, found.config):
                if not difference.harm and difference.setting != "message.timestamp.type":
                    continue  # an operator's choice; `sluice doctor` tells of it
                yield (
                    f"{topic.name} {difference.setting}",
                    Trouble(
                        "topic-settings",
                        f"Topic {topic.name} has {difference.setting} {difference.found}, "
                        f"not {difference.expected}",
                        f"{difference.why[:1].upper()}{difference.why[1:]}.",
                        "Change the topic's setting; `sluice topics describe` lists all of them.",
                    ),
                )

    def _clock(self) -> Iterator[About]:
        if self._parts.clock.is_trial:
            yield (
                "",
                Trouble(
                    "trial-clock",
                    "A trial clock is on",
                    "Timeouts, schedules and timestamps follow its file, not the time.",
                    "Unset SLUICE_CLOCK for anything but a trial.",
                ),
            )


def _impressions(seen: Seen) -> Iterator[About]:
    for one in seen.impressions.get("missing", ()):
        yield (
            one["day"],
            Trouble(
                "impressions-missing",
                f"The impressions of {one['day']} have not come",
                "No row of that day is loaded; its figures are missing everywhere.",
                "Ask whoever delivers the file. Once it is there it is loaded by itself.",
                parse_instant(one["since"]),
                "/impressions",
            ),
        )
    if seen.impressions.get("trouble"):
        yield (
            "",
            Trouble(
                "impressions-not-found",
                "New files of impressions can't be looked for",
                f"{seen.impressions['trouble']}. What is loaded stays as it is.",
                "See that the place is there and may be listed.",
                link="/impressions",
            ),
        )
