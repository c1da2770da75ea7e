"""The AsyncAPI 3.0 description of the topics, made from the types of what lies on them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from app.web.api.aggregators import SessionOut
from app.web.api.commands import Counts
from app.web.api.dead_letters import DeadLetterOut
from app.web.api.sinks import SinkLetterOut
from app.web.campaign_messages import (
    CampaignAlertMessage,
    CampaignAudit,
    CampaignCommand,
    CancelOrder,
    ExecuteOrder,
    FunnelEvent,
    ResultEvent,
    SlotFailure,
    UsageEvent,
)
from app.web.metric_messages import MetricAlertMessage, RollupMessage
from config.names import Names
from config.topics import (
    AGGREGATES,
    ALERTS,
    AUDIT,
    CAMPAIGN_AUDIT,
    CAMPAIGN_EVENTS,
    CONFIG,
    DEAD_LETTERS,
    EXECUTION_RESULTS,
    EXECUTIONS,
    IMPRESSION_EVENTS,
    ROLLUPS,
    SINK_LETTERS,
    SLOT_FAILURES,
    SOURCE_EVENTS,
    USAGE,
)
from domain.aggregation.command import Action
from domain.impressions.events import ImpressionEvent, StepProgress, StepStatus
from domain.impressions.missing import DayMissing
from domain.metrics.records import Record

REF = "#/components/schemas/{name}"


class ControlMessage(msgspec.Struct):
    """A change of a document, under the key kind/name. `document` null removes it."""

    kind: str
    name: str
    document: dict[str, Any] | None
    actor: str = ""
    reason: str = ""


class Letter(DeadLetterOut):
    """A letter, again when it was replayed or refused once more by `command` (an id on topic
    `aggregates.audit`).
    """

    command: str = ""


class ErasedLetter(msgspec.Struct):
    """In the place of a letter that was erased: there is none of that id any more."""

    id: str
    erased_at: str


class CommandMessage(msgspec.Struct, omit_defaults=True):
    """An operator's command, under the key command/id: `group` or `filter` says for which sessions,
    `due` comes with set-timeout."""

    kind: Literal["command"]
    id: str
    action: Action
    aggregator: str
    reason: str
    actor: str = ""
    group: dict[str, Any] | None = None
    filter: dict[str, Any] | None = None
    due: str | None = None


class AnswerOut(msgspec.Struct, omit_defaults=True):
    """What came of a command in one of its `partitions`; `id` is the command's, with the partition
    behind it where there are several."""

    id: str
    kind: Literal["command"]
    command_id: str
    action: Action
    aggregator: str
    version: int
    actor: str
    reason: str
    at: str
    partition: int
    partitions: list[int]
    touched: int
    counts: Counts
    state: Literal["done"]
    group: dict[str, Any] | None = None
    filter: dict[str, Any] | None = None
    due: str | None = None


class UsageRecord(msgspec.Struct):
    """Any JSON object; the aggregators that read the topic say which fields they need."""


@dataclass(frozen=True)
class Channel:
    """A topic: its public name, who writes it, what its key is and what it holds."""

    name: str
    action: Literal["send", "receive"]
    key: str
    help: str
    messages: tuple[Any, ...]


# Seen from the product: it receives what others send to it and sends what others read.
CHANNELS: Sequence[Channel] = (
    Channel(
        CONFIG,
        "receive",
        "kind/name",
        "documents: the control messages, and operators' commands",
        (ControlMessage, CommandMessage),
    ),
    Channel(USAGE, "receive", "as the producer likes", "usage records", (UsageRecord,)),
    Channel(AGGREGATES, "send", "session key", "flushed sessions for billing", (SessionOut,)),
    Channel(
        AUDIT,
        "send",
        "session key, or id of a command",
        "expiries, operator actions and what came of commands, complete periods, days",
        (SessionOut, AnswerOut),
    ),
    Channel(
        DEAD_LETTERS, "send", "source topic", "what could not be applied", (Letter, ErasedLetter)
    ),
    Channel(SINK_LETTERS, "send", "sink", "what targets refused for good", (SinkLetterOut,)),
    Channel(
        CAMPAIGN_EVENTS,
        "receive",
        "`request_id/number`, of a command `request_id`, of funnel and usage events campaign "
        "and customer",
        "commands about campaigns, funnel and usage events",
        (CampaignCommand, FunnelEvent, UsageEvent),
    ),
    Channel(
        EXECUTION_RESULTS, "receive", "`request_id/number`", "what executors say", (ResultEvent,)
    ),
    Channel(
        EXECUTIONS,
        "send",
        "`request_id/number`",
        "orders to run a flow, and cancels",
        (ExecuteOrder, CancelOrder),
    ),
    Channel(
        SLOT_FAILURES,
        "send",
        "`request_id/number`",
        "FDDs that their slot has passed by",
        (SlotFailure,),
    ),
    Channel(CAMPAIGN_AUDIT, "send", "`request_id`", "commands and their answers", (CampaignAudit,)),
    Channel(
        SOURCE_EVENTS,
        "send",
        "source/record; all records of a source are on one partition",
        "records that sources archived; of those with one key the highest version counts",
        (Record,),
    ),
    Channel(
        ROLLUPS,
        "send",
        "metric, dimensions, grain and start, as a JSON list",
        "figures of every bucket that changed, with its revision",
        (RollupMessage,),
    ),
    Channel(
        ALERTS,
        "send",
        "alert",
        "what a person should look at",
        (CampaignAlertMessage, DayMissing, MetricAlertMessage),
    ),
    Channel(
        IMPRESSION_EVENTS,
        "receive",
        "file",
        "impressions to load and dimensions to take; how the steps that they start go",
        (ImpressionEvent, StepStatus, StepProgress),
    ),
)


def build(names: Names) -> dict[str, Any]:
    """The whole description as plain data; addresses carry the installation's prefix."""
    types = dict.fromkeys(message for channel in CHANNELS for message in channel.messages)
    _, schemas = msgspec.json.schema_components(types, ref_template=REF)
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Sluice",
            "version": "1",
            "description": "Topics of the installation. An aggregator may name other topics as "
            "its input and output; they hold the same as usage and aggregates.",
        },
        "defaultContentType": "application/json",
        "channels": {
            channel.name: {
                "address": names.topic(channel.name),
                "description": f"{channel.help}; key: {channel.key}",
                "messages": {each.__name__: _message(each) for each in channel.messages},
            }
            for channel in CHANNELS
        },
        "operations": {
            f"{channel.action} {channel.name}": {
                "action": channel.action,
                "channel": {"$ref": f"#/channels/{channel.name}"},
            }
            for channel in CHANNELS
        },
        "components": {"schemas": schemas},
    }


def _message(message: Any) -> dict[str, Any]:
    return {"name": message.__name__, "payload": {"$ref": REF.format(name=message.__name__)}}
