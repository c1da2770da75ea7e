"""What is remembered of one session key: the open session, what billing has received, the positions
applied.

All of it is plain data (msgspec Structs, encoded as arrays), so that one row is one changelog
record. They can't be part of a reference cycle (`gc=False`). Instants are epoch milliseconds. A
position is (topic, partition, offset); topics are public names.
"""

from typing import Any

import msgspec

from domain.aggregation.sources import input_partition

NEVER = 1 << 62
"""A due time that no clock reaches: sessions that only end with their transaction or stream."""


class Session(msgspec.Struct, array_like=True, gc=False):
    """One open session.

    `sources` holds a [topic, partition, first offset, last offset, count] for each input partition
    that fed it, the one of the first record first. `accumulators` is laid out as the rule of
    `version` says; `dropped` keeps, by "operation:field", what a later version no longer
    aggregates. Which version set the due time is `due_version`; negative when an operator changed
    it since.
    """

    version: int
    created: int
    first: int
    last: int
    due: int
    due_version: int
    count: int
    accumulators: list[Any]
    sources: list[list[Any]]
    dropped: dict[str, list[Any]] | None = None


class History(msgspec.Struct, array_like=True, gc=False):
    """Control totals of a key that has more than one open session to tell of: counts, and sums by
    field. `withdrawn`: [topic, partition, first offset, last offset, forget at] of sessions with
    event ids that ended without billing receiving them.
    """

    accepted: int = 0
    flushed: int = 0
    duplicates: int = 0
    rejected: int = 0
    expired: int = 0
    deleted: int = 0
    accepted_sums: dict[str, Any] = {}
    flushed_sums: dict[str, Any] = {}
    expired_sums: dict[str, Any] = {}
    deleted_sums: dict[str, Any] = {}
    withdrawn: list[list[Any]] = []

    def sums(self) -> tuple[dict[str, Any], ...]:
        """All of them, in the order of the fields."""
        return self.accepted_sums, self.flushed_sums, self.expired_sums, self.deleted_sums


class Row(msgspec.Struct, array_like=True, gc=False):
    """Everything kept under one session key; without `open` it is the stub of flushed sessions.

    `sequence` counts the flushes billing has received. `applied` holds [topic, partition, offset]
    of input partitions whose last applied offset the open session doesn't tell. `touched` is the
    broker timestamp of the last record. `wake` is the instant under which the row stands in the due
    index (0: not in it). `seen` carries the event ids first seen in the commit that wrote the row
    (runs, see `sights.py`), `outputs` the flushes decided in it, with their whole content: the two
    exist in the changelog record only. Tuples, as an empty one costs nothing to read.
    """

    sequence: int = 0
    open: Session | None = None
    applied: tuple[list[Any], ...] = ()
    touched: int = 0
    history: History | None = None
    wake: int = 0
    seen: tuple[list[Any], ...] = ()
    outputs: tuple[list[Any], ...] = ()


def last_applied(row: Row, topic: str, partition: int) -> int:
    """The offset of the last record of that input partition applied to this key; -1 when there is
    none.
    """
    last = -1
    session = row.open
    if session is not None:
        for source in session.sources:
            if source[1] == partition and source[0] == topic:
                last = source[3]
                break
    for entry in row.applied:
        if entry[1] == partition and entry[0] == topic:
            if entry[2] > last:
                last = entry[2]
            break
    return last


def set_applied(row: Row, topic: str, partition: int, offset: int) -> None:
    """Notes that the record at `offset` needs no further look for this key."""
    for entry in row.applied:
        if entry[1] == partition and entry[0] == topic:
            if offset > entry[2]:
                entry[2] = offset
            return
    row.applied = (*row.applied, [topic, partition, offset])


def is_withdrawn(row: Row, topic: str, partition: int, offset: int) -> bool:
    """Whether the session that counted the record there, as it came or replayed, was deleted or
    expired.

    A record between two such may have been counted elsewhere: it is held for withdrawn, as taking
    back what billing never received would be wrong money, and a refusal is only that.
    """
    ranges = [] if row.history is None else row.history.withdrawn
    return any(
        each[0] == topic and input_partition(each[1]) == partition and each[2] <= offset <= each[3]
        for each in ranges
    )
