"""Records by the record batch: about 0.4 us each instead of the 2 to 3 us of aiokafka's own loop.

aiokafka makes a ConsumerRecord of each record and pulls them one by one through a generator; here
a list of tuples is made of each record batch. What its loop checks is checked here too: the
assignment, the position, CRCs, aborted transactions, control batches, records below the fetch
position, and gaps that compaction leaves.

Privates of aiokafka 0.14.0 it reaches into, each guarded in test_kafka_privates.py:

- `PartitionRecords`: `_records`, `_records_iterator` (let go of), `_check_crcs`,
  `_isolation_level`, `_consume_aborted_up_to`, `_contains_abort_marker`, `_aborted_producers`;
  `next_fetch_offset` is its position. Reading it by the batch is what all this is for.
- `FetchResult`: `_partition_records`, `_update_position`, `check_assignment`.
- `Fetcher`: `_records` (what is fetched), `_subscriptions`, `_create_fetch_waiter` (resolved when
  something more is), `_wait_consume_future` and `_notify` (asks for more), `_closed`.
"""

import asyncio
from collections.abc import Mapping
from typing import Any, NamedTuple

from aiokafka.consumer.fetcher import READ_COMMITTED, FetchResult, PartitionRecords
from aiokafka.errors import ConsumerStoppedError
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.structs import TopicPartition
from faust.types.tuples import TP

from connectors.streams.base import Headers, Item, Slice
from domain.errors import Fatal


class CorruptBatch(Fatal):
    """What the broker sent is not what was written to it."""

    def __init__(self, topic: str, partition: int, offset: int) -> None:
        self.topic = topic
        self.partition = partition
        self.offset = offset
        super().__init__(
            f"{topic} partition {partition}: the batch from offset {offset} on fails its checksum",
            "check the broker's disk and the network; the worker reads it again when it restarts",
        )


class Limits(NamedTuple):
    """How much one slice holds at most; one record may exceed `bytes`."""

    records: int
    bytes: int


def partition_records(
    topic: str, partition: int, offset: int, data: bytes, aborted: list[tuple[int, int]] | None
) -> Any:
    """What a fetch response says of one partition, ready for `unpacked`."""
    tp = TopicPartition(topic, partition)
    records = MemoryRecords(data)
    return PartitionRecords(tp, records, aborted, offset, None, None, True, READ_COMMITTED)


def unpacked(part: Any, limits: Limits) -> list[Item]:
    """The next records of a PartitionRecords; moves its position past them.

    Stops between record batches, before the one that is expected to exceed a limit; a single
    batch may exceed them. Empty when all were control records, aborted or below the position.
    Raises CorruptBatch.
    """
    items: list[Item] = []
    size = 0
    # the iterator, which nobody uses here, refers back to the whole: what was fetched would stay
    # in memory until Python looks for cycles
    part._records_iterator = None
    records = part._records
    while records.has_next():
        batch = records.next_batch()
        if part._check_crcs and not batch.validate_crc():
            raise CorruptBatch(part._tp.topic, part._tp.partition, batch.base_offset)
        known = len(items)
        if _is_visible(part, batch):
            # read before the records are: it is of the bytes as they came
            compressed = batch.compression_type != 0
            items += _items(batch, part.next_fetch_offset)
            if compressed:  # if not, the fetch request has bounded the bytes
                size += _bytes(items, known)
        part.next_fetch_offset = max(part.next_fetch_offset, batch.next_offset)
        added = len(items) - known
        if added and (len(items) + added > limits.records or size >= limits.bytes):
            break
    return items


def _items(batch: Any, position: int) -> list[Item]:
    # The one loop that runs per record. Reading attributes of Cython records in a comprehension
    # is faster than map() with attrgetter, which keeps all the records alive.
    items = [
        (r.offset, r.timestamp, r.key, r.value, _headers(h) if (h := r.headers) else ())
        for r in batch
    ]
    if items and items[0][0] < position:
        # the broker sends whole batches, also those that begin before what was asked for
        return [item for item in items if item[0] >= position]
    return items


def _headers(pairs: list[tuple[str, bytes | None]]) -> Headers:
    return tuple((name, value or b"") for name, value in pairs)


def _bytes(items: list[Item], start: int) -> int:
    return sum(len(i[2] or b"") + len(i[3] or b"") for i in items[start:])


def _is_visible(part: Any, batch: Any) -> bool:
    """Whether a record batch holds records for readers; keeps track of aborted transactions."""
    if part._isolation_level == READ_COMMITTED and batch.producer_id is not None:
        part._consume_aborted_up_to(batch.base_offset)
        if batch.is_control_batch and part._contains_abort_marker(batch):
            part._aborted_producers.discard(batch.producer_id)
        if batch.is_transactional and batch.producer_id in part._aborted_producers:
            return False
    return not batch.is_control_batch


def cut(items: list[Item], next_offset: int, end_offset: int, limits: Limits) -> list[Slice]:
    """Slices of at most `limits.records`; `next_offset` is where to read on after the last."""
    if len(items) <= limits.records:
        return [Slice(items, next_offset, end_offset)]
    starts = range(0, len(items), limits.records)
    parts = [items[start : start + limits.records] for start in starts]
    slices = [Slice(part, part[-1][0] + 1, end_offset) for part in parts]
    slices[-1] = slices[-1]._replace(next_offset=next_offset)
    return slices


async def fetched(
    fetcher: Any, room: Mapping[TP, int], limits: Limits, timeout: float, stop: asyncio.Event
) -> list[tuple[TP, Slice]]:
    """What an aiokafka Fetcher has of these partitions, waiting up to `timeout` seconds for it.

    `room` is how many slices of each are wanted; a large record batch may make it more. Returns
    early, perhaps with nothing, when `stop` is set. Runs in the loop of the fetcher.
    """
    deadline = asyncio.get_running_loop().time() + timeout
    stopped = asyncio.ensure_future(stop.wait())
    try:
        while True:
            if fetcher._closed:
                raise ConsumerStoppedError
            in_rebalance = fetcher._subscriptions.reassignment_in_progress
            slices = [] if in_rebalance else _drained(fetcher, room, limits)
            left = deadline - asyncio.get_running_loop().time()
            if slices or stop.is_set() or left <= 0:
                return slices
            if in_rebalance:
                waiter = fetcher._subscriptions.wait_for_assignment()
            else:
                waiter = fetcher._create_fetch_waiter()
            done, _ = await asyncio.wait(
                {waiter, stopped}, timeout=left, return_when=asyncio.FIRST_COMPLETED
            )
            if waiter in done:
                waiter.result()  # raises what the coordinator met: no right to the group, ...
            else:
                waiter.cancel()
    finally:
        stopped.cancel()


def _drained(fetcher: Any, room: Mapping[TP, int], limits: Limits) -> list[tuple[TP, Slice]]:
    """Takes out of the fetcher what there is room for."""
    slices: list[tuple[TP, Slice]] = []
    for tp, result in list(fetcher._records.items()):
        wanted = room.get(tp, 0)
        if type(result) is not FetchResult:
            if slices:
                continue  # the error is raised by the next call; what came before it counts
            _drop(fetcher, tp)
            result.check_raise()
        elif wanted > 0:
            slices += [(TP(*tp), piece) for piece in _taken(fetcher, tp, result, wanted, limits)]
    return slices


def _taken(fetcher: Any, tp: Any, result: Any, wanted: int, limits: Limits) -> list[Slice]:
    slices: list[Slice] = []
    if not result.check_assignment(tp):
        _drop(fetcher, tp)
        return slices
    part = result._partition_records
    end_offset = _end_offset(fetcher, tp, part)
    try:
        while len(slices) < wanted and part._records.has_next():
            items = unpacked(part, limits)
            result._update_position()
            if items:
                slices += cut(items, part.next_fetch_offset, end_offset, limits)
    except CorruptBatch:
        _drop(fetcher, tp)
        raise
    if not part._records.has_next():
        _drop(fetcher, tp)
    return slices


def _end_offset(fetcher: Any, tp: Any, part: Any) -> int:
    state = fetcher._subscriptions.subscription.assignment.state_value(tp)
    # readers of committed records see no further than the last stable offset
    end = state.highwater if state.lso is None else state.lso
    return int(max(end, part.next_fetch_offset))


def _drop(fetcher: Any, tp: Any) -> None:
    """Lets the fetcher ask for more of the partition."""
    del fetcher._records[tp]
    fetcher._notify(fetcher._wait_consume_future)
