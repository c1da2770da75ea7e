"""The stream as the rest of the product sees it: topics of partitions of records with offsets.

Two implementations, `embedded` (a durable log in this process) and `kafka`, pass one contract
suite. This module also holds the shapes of records and the errors both of them raise.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from domain.errors import SluiceError

TP = tuple[str, int]
"""(topic, partition)"""

Headers = tuple[tuple[str, bytes], ...]

Item = tuple[int, int, bytes | None, bytes | None, Headers]
"""A stored record: (offset, timestamp in epoch ms, key, value, headers)"""

Row = tuple[bytes | None, bytes | None, int | None, Headers]
"""A record to append: (key, value, timestamp in epoch ms or None for now, headers)"""


class Slice(NamedTuple):
    """A piece of one partition. `items` belongs to the caller.

    `next_offset` is where to read on (past gaps too), `end_offset` the offset the next record
    appended to the partition would have got when the slice was taken.
    """

    items: list[Item]
    next_offset: int
    end_offset: int


@dataclass(frozen=True)
class TopicSpec:
    """What a topic is to be when it is made. `retention_ms` None keeps records for ever."""

    name: str
    partitions: int
    compact: bool = False
    retention_ms: int | None = None
    max_message_bytes: int = 1 << 20
    log_append_time: bool = True


@dataclass(frozen=True)
class TopicDescription:
    """A topic as it is. `config` has Kafka's names: cleanup.policy, retention.ms, ..."""

    name: str
    partitions: int
    config: dict[str, str]


class StreamError(SluiceError):
    """Anything the stream could not do."""


class StreamUnavailable(StreamError):
    """The stream doesn't answer, or is not started; asking again later may work. `remedy`: what to
    check."""

    exit_code = 3

    def __init__(self, where: str, detail: str, remedy: str = "") -> None:
        self.where = where
        self.detail = detail
        self.remedy = remedy
        more = f"; {remedy}" if remedy else ""
        super().__init__(f"stream {where} is not reachable: {detail}{more}")


class RecordTooLarge(StreamError):
    """A record is larger than its topic admits; nothing of the call was appended."""

    def __init__(self, topic: str, size: int, limit: int) -> None:
        self.topic = topic
        self.size = size
        self.limit = limit
        super().__init__(
            f"record of {size} bytes for topic {topic!r} is larger than its limit of {limit} bytes"
        )


class MissingKey(StreamError):
    """A record without a key for a compacted topic; nothing of the call was appended."""

    def __init__(self, topic: str) -> None:
        self.topic = topic
        super().__init__(f"topic {topic!r} is compacted by key: every record must have one")


class UnknownTopic(StreamError):
    """No such topic, or it has no such partition."""

    def __init__(self, topic: str, partition: int | None = None) -> None:
        self.topic = topic
        self.partition = partition
        which = "" if partition is None else f" partition {partition} of"
        super().__init__(
            f"there is no{which} topic {topic!r}; `sluice topics create` makes what is missing"
        )


class DiskFull(StreamError):
    """No room for an append; nothing of it is stored, and what is stored stays readable."""

    def __init__(self, path: str) -> None:
        self.path = path
        super().__init__(f"no room left on the disk of {path}; appending works again with room")


class DirectoryLocked(StreamError):
    """Another process has this data directory open."""

    exit_code = 2

    def __init__(self, path: str, holder: str) -> None:
        self.path = path
        self.holder = holder
        by = f" ({holder})" if holder else ""
        super().__init__(
            f"data directory {path} is in use by another process{by}; "
            "give each worker a directory of its own with SLUICE_DATA_DIR"
        )


class Log(Protocol):
    """A durable partitioned log.

    Every method but `start` and `stop` may raise StreamUnavailable; those that name a topic
    raise UnknownTopic. None blocks the event loop.
    """

    async def start(self) -> None:
        """Opens the stream; raises DirectoryLocked or StreamUnavailable."""

    async def stop(self) -> None:
        """Closes it. Appends under way are finished first; waiting reads return empty."""

    async def append(self, topic: str, partition: int, rows: Sequence[Row]) -> tuple[int, int]:
        """Appends and returns (first, last) offset once the rows are durable.

        Calls for one partition are applied in call order, and the rows of a call stay in order.
        Another writer's rows may land in between: then last - first + 1 != len(rows).
        `rows` must not be empty (ValueError).
        Raises RecordTooLarge, MissingKey, UnknownTopic, DiskFull.
        """

    async def read(
        self,
        topic: str,
        partition: int,
        offset: int,
        *,
        max_bytes: int = 1 << 20,
        wait_s: float = 0.0,
    ) -> Slice:
        """The records from `offset` on, about `max_bytes` of them but at least one.

        Outside any group. Below the beginning it continues at the beginning, gaps are skipped.
        At the end it waits up to `wait_s` for data, then returns an empty slice.
        """

    async def begin_offsets(self, tps: Iterable[TP]) -> dict[TP, int]:
        """The offset of the first record kept, or of the next one when there is none."""

    async def end_offsets(self, tps: Iterable[TP]) -> dict[TP, int]:
        """The offset that the next record will get."""

    async def offset_at(self, topic: str, partition: int, timestamp_ms: int) -> int:
        """The first offset whose timestamp is at or after the given one, else the end offset."""

    async def topics(self) -> dict[str, int]:
        """All topics with their number of partitions."""

    async def ensure_topic(self, spec: TopicSpec) -> bool:
        """Makes the topic unless there is one; True when it made it. An existing one stays."""

    async def widen_topic(self, topic: str, partitions: int) -> bool:
        """Gives the topic that many partitions unless it has as many or more; True when it got
        some. They can be written to when it returns; consumers learn of them by and by.
        """

    async def describe_topic(self, topic: str) -> TopicDescription:
        """The topic with its configuration."""

    async def committed(self, group: str, tps: Iterable[TP]) -> dict[TP, int | None]:
        """The next offset each consumer group position stands at, None when never committed."""

    async def erase(self, topic: str, partition: int, offsets: Collection[int]) -> bool:
        """Takes these records away for good, wherever they lie: their offsets become gaps, all else
        stays as it is. Done again after a kill it does what is left.

        False where the stream can't do that (Kafka): nothing was done.
        """

    async def delete_before(self, topic: str, partition: int, offset: int) -> None:
        """Takes all records before `offset` away: the partition begins there."""
