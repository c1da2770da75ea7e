"""The product's topics: what each is for, and how it is made.

Documents name further ones (`input`, `output.topic`): those are made as `usage_topic` and
`output_topic` say.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from config.names import Names
from config.settings import Settings

CONFIG = "config"
USAGE = "usage"
AGGREGATES = "aggregates"
AUDIT = "aggregates.audit"
DEAD_LETTERS = "dead-letters"
SINK_LETTERS = "sink-dead-letters"
CAMPAIGN_EVENTS = "campaign-events"
EXECUTION_RESULTS = "execution-results"
EXECUTIONS = "executions"
SLOT_FAILURES = "slot-failures"
CAMPAIGN_AUDIT = "campaign-audit"
SOURCE_EVENTS = "source-events"
ROLLUPS = "rollups"
ALERTS = "alerts"
IMPRESSION_EVENTS = "impression-events"
FIXED = frozenset(
    {
        CONFIG, AGGREGATES, AUDIT, DEAD_LETTERS, SINK_LETTERS, CAMPAIGN_EVENTS, EXECUTION_RESULTS,
        EXECUTIONS, SLOT_FAILURES, CAMPAIGN_AUDIT, SOURCE_EVENTS, ROLLUPS, ALERTS,
        IMPRESSION_EVENTS,
    }
)  # fmt: skip
"""What the product itself writes, or reads by more than sessions: always as wide as it was made."""

DAY_MS = 86_400_000
INPUT_DAYS = 7  # an outage over a long weekend is caught up with room to spare
DELIVERY_DAYS = 31  # ids of deliveries are known for 30, from the topic
AUDIT_DAYS = 400  # a year to look back to, and a month
OUTPUT_DAYS = 90  # a quarter: billing can be run again from the hand-off

ENVELOPE_BYTES = 1 << 16  # key, headers and Kafka's batch header around a record of the limit
CARRIER_FACTOR = 2  # topics that carry a record in another: base64 around it, headers beside it
STATE_FACTOR = 8  # a changelog row carries a session with its flush


@dataclass(frozen=True)
class Topic:
    """A topic as it is to be. `name` is physical; `retention_ms` None keeps records for ever.

    `public`: people read or write it; the others are the product's own. `grows`: it may have got
    more partitions since it was made.
    """

    name: str
    partitions: int
    purpose: str
    compact: bool = False
    retention_ms: int | None = None
    max_message_bytes: int = 1 << 20
    log_append_time: bool = True
    public: bool = True
    grows: bool = False

    def config(self) -> dict[str, str]:
        """Its configuration in Kafka's names."""
        return {
            "cleanup.policy": "compact" if self.compact else "delete",
            "retention.ms": "-1" if self.retention_ms is None else str(self.retention_ms),
            "max.message.bytes": str(self.max_message_bytes),
            "message.timestamp.type": "LogAppendTime" if self.log_append_time else "CreateTime",
        }


class Topics:
    """The topics of one installation.

    Under a trial clock the timestamps are the product's own (`CreateTime`), and nothing is
    deleted by age: the broker would compare trial time with its own clock.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._names = Names(settings.app_id, settings.topic_prefix)
        self._trial = bool(settings.clock)

    def all(self) -> tuple[Topic, ...]:
        """Every topic the product itself names."""
        names, shards = self._names, self._settings.partitions
        return (
            self._public(
                CONFIG, "control messages: documents and commands", partitions=1, compact=True
            ),
            self.usage_topic(USAGE),
            self.output_topic(AGGREGATES, "flushed records: the hand-off to billing"),
            self.output_topic(AUDIT, "expiries, operator actions, complete periods, days"),
            self.output_topic(DEAD_LETTERS, "what could not be applied"),
            self.output_topic(SINK_LETTERS, "what sinks' targets refused for good"),
            replace(
                self._own(names.sessions_in, shards, "records routed to their session's partition"),
                grows=True,
            ),
            replace(
                self.changelog("sessions", shards, "open sessions and flush decisions"), grows=True
            ),
            self.changelog("documents", 1, "documents in force with their versions"),
            self.changelog("sinks", shards, "how far each sink is, and its totals"),
            self._public(
                CAMPAIGN_EVENTS, "commands about campaigns, funnel, usage", days=INPUT_DAYS
            ),
            self._public(EXECUTION_RESULTS, "what executors report", days=INPUT_DAYS),
            self.output_topic(EXECUTIONS, "orders to run a flow, and cancels"),
            replace(
                self.changelog("orders", shards, "orders that wait for an endpoint that is away"),
                grows=True,
            ),
            self.output_topic(SLOT_FAILURES, "FDDs that their slot has passed by"),
            self.output_topic(CAMPAIGN_AUDIT, "changes of campaigns and their answers"),
            self.output_topic(ALERTS, "what a person should look at: started, ended"),
            self._own(names.campaigns_in, shards, "campaign records on their flow's partition"),
            self._own(names.retrigger_in, shards, "retriggers on their way to that partition"),
            self._own(names.insight_in, shards, "funnel and usage events by their customer"),
            self.changelog("insight", shards, "funnel and usage events, their figures"),
            self.changelog("campaigns", shards, "campaigns, FDDs, negatives, timers, counts"),
            self.output_topic(SOURCE_EVENTS, "records that sources fetched and archived"),
            self.changelog("sources", shards, "how far each source is, and its page under way"),
            self._own(names.deliveries, shards, "what was pushed to sources", days=DELIVERY_DAYS),
            self.output_topic(ROLLUPS, "figures of every bucket that changed, with its revision"),
            self.changelog("rollups", shards, "values of records, buckets of every grain"),
            self._public(
                IMPRESSION_EVENTS,
                "impressions to load, dimensions to take, how their steps go",
                partitions=1,
                days=INPUT_DAYS,
            ),
            self.changelog("impressions", 1, "loads and dimensions that wait, objects known"),
            self._own(names.workers, 1, "heartbeats of the workers", compact=True),
            self._own(names.processes, 1, "what each worker does and how it is", compact=True),
            self._own(names.requests, shards, "Idempotency-Keys and their answers", compact=True),
            self._own(names.people, 1, "users, tokens and sign-ins, hashed", compact=True),
            self._own(
                names.audit,
                1,
                "who changed what and why, over HTTP and on topic config",
                days=AUDIT_DAYS,
            ),
        )

    def usage_topic(self, name: str) -> Topic:
        """A topic that records come in on, by its public name."""
        return self._public(name, "usage records", days=INPUT_DAYS)

    def output_topic(self, name: str, purpose: str = "flushed records") -> Topic:
        """A topic that results go out on, by its public name."""
        return self._public(name, purpose, days=OUTPUT_DAYS, carrier=True)

    def routes(self, name: str, partitions: int) -> Topic:
        """Where the routing decisions on the input topic of that public name are recovered from;
        `partitions` are the input's."""
        return self.changelog(f"routes-{name}", partitions, f"routing decisions on {name}")

    def changelog(self, table: str, partitions: int, purpose: str) -> Topic:
        """The topic a table of keyed state is recovered from: compacted, never cut off."""
        return self._own(self._names.changelog(table), partitions, purpose, compact=True)

    def _public(
        self,
        name: str,
        purpose: str,
        *,
        partitions: int = 0,
        compact: bool = False,
        days: int = 0,
        carrier: bool = False,
    ) -> Topic:
        limit = self._settings.max_record_bytes
        return Topic(
            name=self._names.topic(name),
            partitions=partitions or self._settings.partitions,
            purpose=purpose,
            compact=compact,
            retention_ms=days * DAY_MS if days and not self._trial else None,
            max_message_bytes=limit * (CARRIER_FACTOR if carrier else 1) + ENVELOPE_BYTES,
            log_append_time=not self._trial,
        )

    def _own(
        self,
        name: str,
        partitions: int,
        purpose: str,
        *,
        compact: bool = False,
        days: int = INPUT_DAYS,
    ) -> Topic:
        limit = self._settings.max_record_bytes
        return Topic(
            name=name,
            partitions=partitions,
            purpose=purpose,
            compact=compact,
            retention_ms=None if compact or self._trial else days * DAY_MS,
            max_message_bytes=limit * (STATE_FACTOR if compact else CARRIER_FACTOR)
            + ENVELOPE_BYTES,
            log_append_time=not self._trial,
            public=False,
        )


class Difference(NamedTuple):
    """Something about a topic that is not as it should be. `harm`: figures would go wrong."""

    setting: str
    found: str
    expected: str
    harm: bool
    why: str


def differences(topic: Topic, partitions: int, config: Mapping[str, str]) -> list[Difference]:
    """What an existing topic does otherwise than `topic` says, as far as it matters.

    `config` has Kafka's names; what it doesn't tell is taken to be right.
    """
    found: list[Difference] = []
    wanted = topic.config()

    def differs(setting: str, harm: bool, why: str) -> None:
        found.append(Difference(setting, config[setting], wanted[setting], harm, why))

    grown = topic.grows and partitions > topic.partitions  # by `sluice topics grow`
    if not topic.public and partitions != topic.partitions and not grown:
        why = "a key stays on its partition for ever"
        count = (str(partitions), str(topic.partitions))
        found.append(Difference("partitions", *count, True, why))
    policy = config.get("cleanup.policy", wanted["cleanup.policy"])
    if policy != wanted["cleanup.policy"]:
        why = (
            "state would be deleted by age" if topic.compact else "records would be dropped by key"
        )
        differs("cleanup.policy", True, why)
    if topic.public and config.get("message.timestamp.type", "") == _otherwise(topic):
        why = (
            "the producers' clocks decide on timeouts, as far as they are not ahead"
            if topic.log_append_time
            else "the broker's clock decides on timeouts, not the trial clock"
        )
        differs("message.timestamp.type", False, why)
    if _limit(config.get("max.message.bytes", "-1")) < _limit(wanted["max.message.bytes"]):
        differs("max.message.bytes", False, "larger records are refused")
    if not topic.compact and _limit(config.get("retention.ms", "-1")) < _limit(
        wanted["retention.ms"]
    ):
        if topic.public:
            differs("retention.ms", False, "records are deleted earlier")
        else:
            differs("retention.ms", True, "what is repeated or replayed later is not found there")
    return found


def _otherwise(topic: Topic) -> str:
    return "CreateTime" if topic.log_append_time else "LogAppendTime"


def _limit(text: str) -> float:
    return float("inf") if text == "-1" else int(text)
