"""The rows of a campaign shard: plain data, encoded as MessagePack arrays.

Instants are epoch milliseconds; days are `YYYYMMDD`; a slot is `HHMM_HHMM`, or `-` without slots.
New fields are appended with a default, so that older rows can be read.
"""

from __future__ import annotations

from typing import Any, Final, TypeVar

import msgspec

from domain.campaigns.document import Flow

T = TypeVar("T")

CREATED, QUEUED, LEASED, STARTED = "CREATED", "QUEUED", "LEASED", "STARTED"
REATTEMPT: Final = "REATTEMPT_SCHEDULED"
COMPLETED, PARTIAL, FAILED = "COMPLETED", "PARTIAL_COMPLETE", "FAILED"
NEGATIVE, REVOKED = "NEGATIVE", "REVOKED"
PENDING = (CREATED, QUEUED, LEASED, STARTED, REATTEMPT)
OUT_OF_SLOT, NO_ACK, NO_RESULT = "OUT_OF_SLOT", "NO_ACK", "NO_RESULT"
NO_SLOT = "-"


class Attempt(msgspec.Struct, array_like=True, gc=False):
    """One order of an FDD. outcome: None until there is one; NO_ACK and NO_RESULT are FAILED."""

    attempt: int
    ordered_ms: int
    started_ms: int | None = None
    finished_ms: int | None = None
    outcome: str | None = None
    reason: str | None = None
    retriggered: bool = False
    final: bool = False  # the executor has said how it ended
    cancel: str | None = None  # why it was told to cancel: negative | revoked


class Fdd(msgspec.Struct, array_like=True, gc=False):
    """One record, on one day, in one slot.

    due_ms: when it may be ordered. deadline_ms: of the lease, or of the result; 0 without.
    held: the custom slot (start, end) of a retrigger. tries: attempts that count towards `max`.
    trace: what rules decided, (at, rule, decided, what it saw: JSON; of an
    order its attempt, deadline, not_after), oldest first.
    """

    number: str
    state: str
    reason: str | None
    due_ms: int
    deadline_ms: int = 0
    retriggered: bool = False
    held: tuple[int, int] | None = None
    tries: int = 0
    marks: tuple[str, ...] = ()
    attempts: list[Attempt] = []
    trace: list[tuple[int, str, str, Any]] = []


class Record(msgspec.Struct, array_like=True, gc=False):
    """One accepted row. duplicate: a row before it has the same number."""

    number: str
    fields: dict[str, str]
    schedule_ms: int | None = None
    duplicate: bool = False


class Named(msgspec.Struct, array_like=True, gc=False):
    """A Record, read for whom it is about only."""

    number: str
    fields: msgspec.Raw
    schedule_ms: int | None = None
    duplicate: bool = False


class Window(msgspec.Struct, array_like=True, gc=False):
    """One slot of one day of a schedule's revision, its instants fixed when the day was made.

    verdict: `create`, or why its FDDs are not made: `past_slot`, `dst_gap`.
    """

    day: str
    slot: str
    revision: int
    start_ms: int
    end_ms: int
    verdict: str
    remade: bool = False  # made by a reschedule within the day


class Day(msgspec.Struct, array_like=True, gc=False):
    """state: creating | created | missed | not_working. slots: slots(day), 0 when none were."""

    day: str
    state: str
    slots: int
    done: int = 0  # records that its creation is through with
    last_end_ms: int = 0  # end of its last slot (without slots: of its working time)


class Negatives(msgspec.Struct, array_like=True, gc=False):
    """rows = matched + unknown + invalid; distinct: different valid numbers."""

    rows: int = 0
    matched: int = 0
    unknown: int = 0
    invalid: int = 0
    distinct: int = 0
    fdds_negative: int = 0
    fdds_started: int = 0


class Campaign(msgspec.Struct, array_like=True):
    """One request. flow: as it was at the upload. slots: (start, end) in minutes."""

    request_id: str
    name: str
    flow: Flow
    slots: list[tuple[int, int]]
    start_day: str
    last_day: str
    duplicate_policy: str
    created_ms: int
    file: str = ""
    digest: str = ""
    columns: list[str] = []
    actor: str = ""
    revision: int = 1
    accepted: int = 0
    rejected: int = 0
    duplicates: int = 0
    last_record: int = 0
    progress: float = 0.0
    processed_ms: int | None = None
    revoked: bool = False
    paused: bool = False
    rescheduled: bool = False
    retriggered: bool = False
    next_day: str = ""  # the first day that is neither made nor past
    days: list[Day] = []
    windows: list[Window] = []
    counted_on: list[str] = []  # days in whose tabs its rows are counted
    negatives: Negatives = msgspec.field(default_factory=Negatives)
    parked: bool = False  # feeding the queue waits until the queue is shorter
    first_scheduled_ms: int | None = None  # without slots: the earliest of the file's times
    reason: str = ""  # given with the upload
    erased: bool = False  # its numbers are gone, all of them


class OnDay(msgspec.Struct, array_like=True, gc=False):
    """What the index of days has of a campaign: what stays as it is. A row that an older version
    wrote is empty."""

    created_ms: int
    name: str
    timezone: str


class Head(msgspec.Struct, array_like=True, gc=False):
    """The beginning of a campaign's row, for those who look at many: the rest is not read."""

    request_id: str
    name: str
    flow: msgspec.Raw
    slots: msgspec.Raw
    start_day: str
    last_day: str
    duplicate_policy: str
    created_ms: int
    file: str
    digest: str
    columns: msgspec.Raw
    actor: str
    revision: int
    accepted: int
    rejected: int
    duplicates: int
    last_record: int
    progress: float
    processed_ms: int | None
    revoked: bool


class Counts(msgspec.Struct, array_like=True):
    """Figures of one campaign, day and slot.

    states: state (`FAILED:BUSY` for failed) -> FDDs. not_created: reason -> record-slots.
    expected: record-slots looked at. remade: of those, by a reschedule. reached: FDDs with an
    attempt that started.
    """

    expected: int = 0
    created: int = 0
    remade: int = 0
    reached: int = 0
    states: dict[str, int] = {}
    not_created: dict[str, int] = {}


class Tabs(msgspec.Struct, array_like=True):
    """Figures of one day over all campaigns of the shard in one zone."""

    uploaded: int = 0
    attempted: int = 0
    negative: int = 0
    pending: int = 0


class Channels(msgspec.Struct, array_like=True):
    """What a flow has under way. busy: LEASED + STARTED. turn: the request that went last."""

    busy: int = 0
    turn: str = ""
    asking: int = 0  # channels kept for FDDs of which a number's home is asked


class Executions(msgspec.Struct, array_like=True):
    """The last 1,000 executions of a flow: how many, how long in all, where the next one goes.

    Each one's length is a row `e/<flow>/<0 to 999>`.
    """

    count: int = 0
    sum_ms: int = 0
    at: int = 0
    heard_ms: int = 0
    asked_ms: int = 0  # the first order since something was heard; 0: none
    armed_ms: int = 0  # when the silence is looked at next; 0: not planned
    silent: bool = False  # an alert on its silence has started


class Negative(msgspec.Struct, array_like=True):
    """One number of a request's negatives, or of the do-not-call list."""

    active: bool
    at_ms: int
    uploads: list[str] = []
    expires_ms: int | None = None
    actor: str = ""  # who had it listed last, and why: of the do-not-call list
    reason: str = ""


class Upload(msgspec.Struct, array_like=True):
    """One file of negatives, or of numbers not to call."""

    upload_id: str
    filename: str
    actor: str
    reason: str
    at_ms: int
    figures: Negatives
    done: bool = False


class Job(msgspec.Struct, array_like=True):
    """Work that goes on in pages. cursor: the last key that it is through with."""

    kind: str
    request_id: str
    day: str = ""
    slot: str = ""
    revision: int = 0
    cursor: bytes = b""
    command_id: str = ""
    args: dict[str, Any] = {}
    touched: int = 0
    by: dict[str, int] = {}


class Asked(msgspec.Struct, array_like=True):
    """What an FDD asked of its number's home. question: the last one's number.

    day: of the one that is under way; empty when none is.
    """

    question: int = 0
    day: str = ""


class Raised(msgspec.Struct, array_like=True):
    """An alert that has started. value: in percent, days or seconds, as `mark` is.

    until_ms: when it ends by itself; a `silent` one ends when the executor speaks.
    """

    alert: str
    flow: str
    request_id: str | None
    day: str | None
    slot: str | None
    since_ms: int
    value: float
    mark: float
    text: str
    until_ms: int
    silent: bool = False


class Command(msgspec.Struct, array_like=True):
    """A command and how it went. status: the HTTP status of its answer."""

    state: str  # running | done | refused
    action: str
    request_id: str
    at_ms: int
    status: int
    actor: str = ""
    reason: str = ""
    dry_run: bool = False
    result: dict[str, Any] = {}
    because: str | None = None
    open_at_ms: int | None = None


encode = msgspec.msgpack.Encoder().encode
_decoders: dict[type[Any], msgspec.msgpack.Decoder[Any]] = {}


def decoder(kind: type[T]) -> msgspec.msgpack.Decoder[T]:
    """The decoder of a kind of row, made once."""
    found = _decoders.get(kind)
    if found is None:
        found = _decoders[kind] = msgspec.msgpack.Decoder(kind)
    return found


def decode(kind: type[T], raw: bytes) -> T:
    """The row that `raw` holds."""
    return decoder(kind).decode(raw)
