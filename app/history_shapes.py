"""The shapes in which the running system tells of its past: what-ifs and explanations.

As in `app/shapes.py`: frozen, plain, times in epoch milliseconds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from app.shapes import DocumentVersion, Record
from domain.aggregation.comparison import Difference, Status


@dataclass(frozen=True)
class GroupCompared:
    """One group. `now` and `what_if` are its first flushes as JSON, of `now_count` and
    `what_if_count`; `open` is what the what-if leaves open, in the same shape."""

    status: Status
    record: Mapping[str, Any]
    now: Sequence[bytes] = ()
    what_if: Sequence[bytes] = ()
    now_count: int = 0
    what_if_count: int = 0
    open: bytes | None = None
    results: Mapping[str, Difference] = field(default_factory=dict)


@dataclass(frozen=True)
class WhatIf:
    """What came of a preview.

    Of the records: `applied`, `filtered` out, `duplicates`, `rejected` by reason (`letters`: the
    first of them, as dead letters), `left_out` because they belong to sessions that began before.
    `flushes_left_out` are real flushes of such sessions, or made of another topic. `groups`
    counts groups by status; `items` are the first groups that are not the same, in key order.
    `added` and `dropped` are results that only one side has. `totals` add up over all flushes
    what can be added up. `open` are the first sessions that would still be open.
    """

    applied: int
    filtered: int
    duplicates: int
    rejected: Mapping[str, int]
    letters: Sequence[Mapping[str, Any]]
    left_out: int
    flushes_left_out: int
    flushes_now: int
    flushes_what_if: int
    expired: int
    open_sessions: int
    groups: Mapping[Status, int]
    totals: Mapping[str, Difference]
    added: Sequence[str]
    dropped: Sequence[str]
    items: Sequence[GroupCompared]
    open: Sequence[bytes]


State = Literal["waiting", "running", "done", "failed", "stopped"]


@dataclass(frozen=True)
class Preview:
    """A what-if at work or over. `records` to be read in all, of which `read` are; `detail` says
    why it failed. `version_now` is the version in force, None without one; `from_ms` the timestamp
    of the first record, None without any; `body` the document that is tried."""

    id: str
    state: State
    aggregator: str
    topic: str
    output: str
    since: str
    begun_ms: int
    now_ms: int
    version_now: int | None
    body: Mapping[str, Any]
    records: int = 0
    read: int = 0
    from_ms: int | None = None
    detail: str = ""
    result: WhatIf | None = None

    @property
    def over(self) -> bool:
        return self.state in ("done", "failed", "stopped")


@dataclass(frozen=True)
class Whereabouts:
    """What is known of where a flush is, besides its id: its session key, or group values as text
    by field; about when it was sent."""

    key: str | None = None
    group: Mapping[str, str] = field(default_factory=dict)
    at_ms: int | None = None


@dataclass(frozen=True)
class SourceExplained:
    """One range of positions: of `count` records `found` were read so far, `gone` are no longer
    retained (None: not known before all of the range was read)."""

    topic: str
    partition: int
    first: int
    last: int
    count: int
    found: int
    gone: int | None


@dataclass(frozen=True)
class SourceRecord:
    """A record a session was made of; `topic` is public. `duplicate`: it was recognised as one and
    counted nowhere. `version` of the document decided about it."""

    topic: str
    record: Record
    duplicate: bool
    version: int


@dataclass(frozen=True)
class Explained:
    """Where a flush (or an open session: `at_ms` None) comes from. `record` is its JSON as it went
    out, `document` the version in force with the last record applied; `records` a page of them,
    in the order of the sources."""

    record: bytes
    at_ms: int | None
    document: DocumentVersion | None
    sources: Sequence[SourceExplained]
    records: Sequence[SourceRecord]
    next: str | None = None
