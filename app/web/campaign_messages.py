"""What lies on the topics about campaigns, for the AsyncAPI description."""

from typing import Any, Literal

import msgspec


class CampaignCommand(msgspec.Struct, tag_field="kind", tag="command"):
    """A command about a campaign, under its request id. `upload` and `negatives` carry `body.rows`,
    objects by column and texts, or `body.file`: a path under the data directory. One whose id was
    answered before changes nothing."""

    id: str
    command: Literal[
        "upload", "negatives", "withdraw", "retrigger", "reschedule", "revoke", "pause", "resume",
        "do_not_call", "erase", "recount", "rows", "rows_end",
    ]  # fmt: skip
    request_id: str
    body: dict[str, Any]
    actor: str = ""
    reason: str = ""
    dry_run: bool = False


class FunnelEvent(msgspec.Struct, tag_field="kind", tag="funnel"):
    """A step that a customer came to, under campaign and customer."""

    operation: Literal["Enter", "Confirm", "Action", "Error"]
    campaign: str
    step: str
    customer: str
    at: str
    ok: bool
    label: Literal["action", "error", "information"] | None = None
    detail: dict[str, Any] = {}


class UsageEvent(msgspec.Struct, tag_field="kind", tag="usage"):
    """What a customer did or was shown, under campaign and customer. `execution`: an execution has
    started, told by the product itself; it reaches its number."""

    what: Literal["synced_page", "message", "banner", "lead", "conversion", "execution"]
    campaign: str
    customer: str
    at: str
    placeholder: str | None = None
    channel: str | None = None


class ResultEvent(msgspec.Struct):
    """What an executor says of an order: that it started, and how it ended (`started_at` and
    `reason` may be null). Idempotent by `execution_id` and event."""

    event: Literal["started", "finished"]
    execution_id: str
    fdd_id: str
    request_id: str
    number: str
    at: str
    started_at: str | None = None
    outcome: Literal["COMPLETED", "PARTIAL_COMPLETE", "FAILED", "CANCELLED"] | None = None
    reason: str | None = None


class ExecuteOrder(msgspec.Struct, tag_field="event", tag="execute"):
    """An order to run the flow for one FDD: an executor acts once per `execution_id`, starts before
    `deadline`, and never at `not_after` or later."""

    execution_id: str
    fdd_id: str
    request_id: str
    record_no: int
    number: str
    flow: str
    date: str
    slot: str | None
    attempt: int
    retriggered: bool
    ordered_at: str
    deadline: str
    not_after: str
    fields: dict[str, str]


class CancelOrder(msgspec.Struct, tag_field="event", tag="cancel"):
    """An order that is not to be carried out any more: one that has started goes on."""

    execution_id: str
    fdd_id: str
    because: Literal["negative", "revoked"]


class SlotFailure(msgspec.Struct):
    """An FDD that its slot has passed by."""

    fdd_id: str
    request_id: str
    record_no: int
    number: str
    flow: str
    date: str
    slot: str | None
    slot_end: str
    reason: Literal["OUT_OF_SLOT"]
    at: str
    retriggered: bool


class CampaignAlertMessage(msgspec.Struct):
    """An alert about campaigns. `value` and `mark` are percent of a slot's FDDs, missed days, or
    seconds of an executor's silence; `slot` and `day` say which, where it is about one. An
    executor's ends with its next word, the others a day after they started."""

    alert: str
    flow: str
    request_id: str | None
    day: str | None
    slot: str | None
    state: Literal["started", "ended"]
    value: float
    mark: float
    since: str
    text: str


class CampaignAudit(msgspec.Struct):
    """A command and how it was answered."""

    command_id: str
    action: str
    request_id: str
    actor: str
    reason: str
    dry_run: bool
    touched: int
    by: dict[str, int]
    at: str
    state: Literal["done", "refused"]
    because: str | None
