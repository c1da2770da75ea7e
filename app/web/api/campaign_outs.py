"""What answers about campaigns hold, for the description of the API."""

from typing import Any

import msgspec

from app.web.campaign_messages import CampaignAlertMessage


class NegativeCounts(msgspec.Struct):
    """Negative rows uploaded, those of a number of the file, different numbers, unreadable ones."""

    rows: int
    matched: int
    distinct: int
    invalid: int


class OutcomeCounts(msgspec.Struct):
    """FDDs by their final outcome; `failed` by reason. They add up to `attempted`."""

    completed: int
    partial: int
    failed: dict[str, int]
    negative: int
    revoked: int


class NotCreated(msgspec.Struct):
    """FDDs that were not made, by why."""

    negative: int
    past_slot: int
    dst_gap: int
    duplicate: int
    revoked: int


class CampaignCounts(msgspec.Struct):
    """The counts of a day: attempted + pending = created."""

    uploaded: int
    attempted: int
    reached: int
    pending: int
    created: int
    yet_to_process: int
    negative: NegativeCounts
    outcome: OutcomeCounts
    not_created: NotCreated


class SlotFigures(msgspec.Struct):
    """Of the counts those that a slot has: they add up to the day's."""

    attempted: int
    reached: int
    pending: int
    created: int
    yet_to_process: int
    outcome: OutcomeCounts
    not_created: NotCreated


class SlotCounts(msgspec.Struct):
    """The counts of one slot of the day."""

    slot: str | None
    counts: SlotFigures


class DayState(msgspec.Struct):
    """A day of the campaign: `to_come creating created missed not_working`."""

    day: str
    state: str


class UploadFigures(msgspec.Struct):
    """Rows of the file; `progress` from 0 to 1."""

    accepted: int
    rejected: int
    duplicates: int
    progress: float


class CampaignOut(msgspec.Struct):
    """A campaign with its counts on `day`. `allowed_actions` would be taken now."""

    request_id: str
    name: str
    flow: str
    timezone: str
    status: str
    flags: dict[str, bool]
    allowed_actions: list[str]
    scheduled_timestamp: list[str]
    upload: UploadFigures
    day: str
    counts: CampaignCounts
    by_slot: list[SlotCounts]
    days_list: list[DayState]


class Tabs(msgspec.Struct):
    """The whole day over all campaigns."""

    uploaded: int
    attempted: int
    negative: int
    pending: int


class CampaignAlertsOut(msgspec.Struct):
    """Alerts about campaigns that have started and not ended, the newest first."""

    items: list[CampaignAlertMessage]


class CampaignsOut(msgspec.Struct):
    """Campaigns, the newest first."""

    tabs: Tabs
    items: list[CampaignOut]
    next: str | None


class AttemptOut(msgspec.Struct):
    """An execution of an FDD."""

    execution_id: str | None
    attempt: int
    started_at: str | None
    finished_at: str | None
    outcome: str | None
    reason: str | None
    retriggered: bool


class FddOut(msgspec.Struct):
    """One record on one day in one slot."""

    id: str
    request_id: str
    record_no: int
    number: str | None
    date: str
    slot: str | None
    slot_start: str | None
    slot_end: str | None
    scheduled_start: str
    status: str
    state: str
    reason: str | None
    retriggered: bool
    revision: int
    marks: list[str]
    attempts: list[AttemptOut]


class FddsOut(msgspec.Struct):
    """FDDs in the order of their ids, or of a number the newest day first."""

    items: list[FddOut]
    next: str | None


class RuleOut(msgspec.Struct):
    """A rule that was evaluated, what it saw and decided."""

    at: str
    rule: str
    saw: dict[str, Any]
    decided: str


class WhyOut(msgspec.Struct):
    """Every rule that was evaluated for an FDD, in order."""

    fdd_id: str
    status: str
    rules: list[RuleOut]


class RejectionOut(msgspec.Struct):
    """A row that was not accepted; row 1 is the first data row."""

    row: int
    column: str
    code: str
    value: str


class RejectionsOut(msgspec.Struct):
    """Rejected rows in their order."""

    items: list[RejectionOut]
    next: str | None


class MadeNegative(msgspec.Struct):
    """FDDs that became negative, and those that had started."""

    negative: int
    already_started: int


class NegativesOut(msgspec.Struct):
    """A list of numbers: matched + unknown + invalid = rows."""

    upload_id: str
    rows: int
    matched: int
    unknown: int
    invalid: int
    distinct: int
    fdds: MadeNegative


class NegativeFileOut(NegativesOut):
    """A list of negatives with who brought it, when and from which file."""

    at: str
    actor: str
    reason: str
    filename: str


class NegativeFilesOut(msgspec.Struct):
    """Lists of negatives, the newest first."""

    items: list[NegativeFileOut]
    next: str | None


class NotToCall(msgspec.Struct):
    """A number not to be called in any campaign, until `expires` (null: for good)."""

    number: str
    expires: str | None
    at: str
    actor: str
    reason: str


class DoNotCallOut(msgspec.Struct):
    """Numbers not to be called, in order."""

    items: list[NotToCall]
    next: str | None


class WarningOut(msgspec.Struct):
    """Something about an upload that its sender may not expect."""

    code: str
    message: str


class UploadedOut(msgspec.Struct):
    """A file that is durable here and will be read."""

    request_id: str
    warnings: list[WarningOut]


class UploadPreviewOut(msgspec.Struct):
    """What an upload would make, by slot ("-" without slots). `fits` null: not known how long an
    execution takes."""

    would_create: dict[str, int]
    rejections: list[RejectionOut]
    fits: dict[str, bool | None]


class CampaignChangedOut(msgspec.Struct):
    """A change that is done, or with `dry_run` would be. `touched`: FDDs whose state changes, `by`
    that state."""

    command_id: str
    dry_run: bool
    touched: int
    by: dict[str, int]


class CampaignCommandOut(msgspec.Struct):
    """A command: `running`, `done` or `refused`; `result` null while it runs."""

    command_id: str
    state: str
    result: dict[str, Any] | None


class DifferenceOut(msgspec.Struct):
    """A count kept by the shard that the documents store doesn't have."""

    request_id: str
    day: str
    slot: str
    path: str
    counted: int
    stored: int


class RecountOut(msgspec.Struct):
    """Counts compared; `repaired` FDDs written to the store anew."""

    campaigns: int
    differences: list[DifferenceOut]
    repaired: int


class CampaignReportOut(msgspec.Struct):
    """A report; its rows have the names of the CSV's columns."""

    items: list[dict[str, Any]]
