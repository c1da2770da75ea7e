"""The shapes in which the running system answers the web layer (see app/backend.py).

All frozen, all plain data; times are epoch milliseconds (`_ms`) of the product's clock, spans
are seconds (`_s`), rates are records per second. Sequences are owned by the receiver.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Generic, Literal, TypeVar

from connectors.streams.base import Headers

T = TypeVar("T")
Number = int | Decimal


@dataclass(frozen=True)
class Page(Generic[T]):
    """A piece of a list; `next` is the cursor to go on with, None at the end."""

    items: Sequence[T]
    next: str | None = None


@dataclass(frozen=True)
class Readiness:
    """`reasons` are sentences for people: why it isn't `ready`, or what waits although it is."""

    ready: bool
    reasons: Sequence[str] = ()


@dataclass(frozen=True)
class ClockInfo:
    """`trial` False: the system's clock. `speed` 0: a trial clock that stands still."""

    now_ms: int
    trial: bool = False
    speed: float = 1.0


@dataclass(frozen=True)
class Change:
    """Who changes something and why; `idempotency_key` as the client sent it."""

    actor: str
    reason: str = ""
    idempotency_key: str | None = None


@dataclass(frozen=True)
class Idempotency:
    """`fingerprint`: hex digest of the request's content (topic, key path, type and body)."""

    key: str
    fingerprint: str


# Documents


@dataclass(frozen=True)
class DocumentVersion:
    """A version of a document; `body` None is a removal. `version` counts from 1.
    `out_of_service`: why a version in force can't be followed.
    """

    kind: str
    name: str
    version: int
    body: Mapping[str, object] | None
    at_ms: int
    actor: str = ""
    reason: str = ""
    example: bool = False
    out_of_service: str = ""


@dataclass(frozen=True)
class DocumentStatus:
    """`workers`: each live worker's id with the version it has in force (0: none)."""

    version: int
    in_force: bool
    workers: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Changed:
    """`created`: there was no such document in force before."""

    version: int
    in_force: bool
    created: bool = False


@dataclass(frozen=True)
class Rejected:
    """A record that would go to dead letters; `index` counts from 0."""

    index: int
    reason: str
    detail: str


@dataclass(frozen=True)
class Trial:
    """What records would do under a document.

    `sessions` are open at the end, as the flushed record's JSON with flushType ""; `flushed` were
    flushed by a condition on the way. `filtered`: indexes of records that the filter passes over.
    """

    sessions: Sequence[bytes] = ()
    flushed: Sequence[bytes] = ()
    rejected: Sequence[Rejected] = ()
    filtered: Sequence[int] = ()


# Sessions


@dataclass(frozen=True)
class SessionRow:
    """An open session.

    `record` is the flushed record's shape as canonical JSON (aggregation.md §6, flushType "");
    `key` the canonical JSON array of the group values, which finds it again.
    """

    aggregator: str
    key: str
    record: bytes
    due_ms: int
    created_ms: int
    updated_ms: int
    partition: int
    worker: str = ""


@dataclass(frozen=True)
class Flush:
    """A flush of the past: `record` is the JSON as it went out, `at_ms` when."""

    record: bytes
    at_ms: int


@dataclass(frozen=True)
class SessionDetail:
    """`open` None: nothing open under this key now. `flushes` newest first, as far as kept."""

    aggregator: str
    key: str
    open: SessionRow | None
    flushes: Sequence[Flush] = ()


@dataclass(frozen=True)
class Totals:
    """Control totals (aggregation.md §7.5).

    `count` keys: in open flushed duplicates rejected expired deleted; `sums` maps a result
    name to in open flushed expired deleted.
    """

    aggregator: str
    count: Mapping[str, int]
    sums: Mapping[str, Mapping[str, Number]]
    balanced: bool


# Dead letters


@dataclass(frozen=True)
class DeadLetter:
    """A letter as on topic `dead-letters`; `original` are the record's bytes. `tried_at_ms`: when a
    replay was last refused, for the reason it has."""

    id: str
    topic: str
    partition: int
    offset: int
    aggregator: str | None
    reason: str
    detail: str
    original: bytes
    version: int | None
    at_ms: int
    replayed_at_ms: int | None = None
    tried_at_ms: int | None = None


@dataclass(frozen=True)
class Replay:
    """What a replay of dead letters did, or with `dry_run` would do.

    `letters` it is for; of those `replayed`, `refused` again (`reasons`: by reason) and `waiting`
    when the answer was written. A dry run looks at the newest `examined` of them. `command` is the
    id under which it stands on the audit topic, "" for a dry run.
    """

    command: str
    dry_run: bool
    letters: int
    replayed: int
    refused: int
    waiting: int
    examined: int
    reasons: Mapping[str, int] = field(default_factory=dict)
    repeated: bool = False


@dataclass(frozen=True)
class DeadLetterCount:
    """Letters of one reason and aggregator; `open` are those not replayed."""

    reason: str
    aggregator: str | None
    total: int
    open: int
    latest_ms: int


# Topics


@dataclass(frozen=True)
class TopicInfo:
    """A topic. `purpose` is a phrase for people; `records` None when that is not known, `config`
    (its settings, as the stream names them) when it was not asked for.
    """

    name: str
    partitions: int
    purpose: str = ""
    records: int | None = None
    internal: bool = False
    config: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Appended:
    """`accepted`: rows of the call that are on the topic now, those of an earlier call with the
    same Idempotency-Key included; `repeated`: there was such a call."""

    accepted: int
    repeated: bool = False


@dataclass(frozen=True)
class Record:
    """A record as it lies on its topic."""

    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()


@dataclass(frozen=True)
class RecordPage:
    """`next` is never None: at the end it is the place where new records will be."""

    records: Sequence[Record]
    next: str


# Tables


@dataclass(frozen=True)
class TableInfo:
    """A table; `rows` and `bytes` are estimates over all partitions, None when not known."""

    name: str
    partitions: int
    purpose: str = ""
    rows: int | None = None
    bytes: int | None = None


@dataclass(frozen=True)
class TableRow:
    """`value` is JSON. With `age_s` it is from the standby copy of `worker`, of that age."""

    key: str
    value: bytes
    partition: int
    worker: str = ""
    age_s: float | None = None


# The system as a whole


@dataclass(frozen=True)
class Worker:
    """A worker as it last told about itself, `silent_s` real seconds ago (a trial clock is not
    what heartbeats follow)."""

    id: str
    url: str
    roles: Sequence[str]
    shards: Sequence[int]
    state: Literal["ready", "starting", "recovering", "gone"]
    silent_s: float
    detail: str = ""


@dataclass(frozen=True)
class Trouble:
    """Something someone must act on. `what` happened, what it `means`, what `todo`; `link` is
    a page of the console or ""."""

    code: str
    what: str
    means: str
    todo: str
    since_ms: int | None = None
    link: str = ""


@dataclass(frozen=True)
class RatePoint:
    """Rates over the interval that ends at `at_ms`."""

    at_ms: int
    rate_in: float
    rate_out: float


@dataclass(frozen=True)
class AggregatorSummary:
    """One aggregator on the Overview."""

    name: str
    version: int
    input: str
    open_sessions: int
    next_due_ms: int | None
    rate_in: float
    balanced: bool
    example: bool = False


@dataclass(frozen=True)
class Overview:
    """The figures of the Overview.

    `lag_records`: records that wait to be applied, over all inputs; `lag_s`: age of the oldest
    of them; `drain_s`: time to drain at the present rate, None when unknown or never.
    `overdue`: sessions due but not yet flushed. `rates`: about the last 15 minutes, oldest
    first. `behind`: partitions that are not caught up. `live_slots`: slots of campaigns that are
    open; `alerts`: those about campaigns that have started and not ended.
    """

    now_ms: int
    partitions: int
    behind: int
    lag_records: int
    lag_s: float
    drain_s: float | None
    rate_in: float
    rate_out: float
    open_sessions: int
    next_due_ms: int | None
    overdue: int
    dead_letters: int
    aggregators: Sequence[AggregatorSummary] = ()
    troubles: Sequence[Trouble] = ()
    rates: Sequence[RatePoint] = ()
    live_slots: int = 0
    alerts: int = 0


# Metrics


@dataclass(frozen=True)
class Sample:
    """A value of a metric; `name` is one of app/web/metrics.py's."""

    name: str
    value: float
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class BackedUp:
    """A backup of a worker's state: the folder on its machine, the shards in it, its size."""

    folder: str
    shards: Sequence[int]
    bytes: int
