"""Erasing records for good: they are taken out of their blobs, and their bytes are overwritten."""

from collections.abc import Collection, Iterator

from connectors.streams.embedded.catalog import Partition
from connectors.streams.embedded.compaction import replace_batches, step_from
from connectors.streams.embedded.database import Database, delete_batches
from connectors.streams.embedded.records import unpack


def erase(database: Database, partition: Partition, offsets: Collection[int]) -> Iterator[None]:
    """Takes these records out; their offsets become gaps. Yields between steps, each of which is
    durable by itself: done again after a kill it does what is left.
    """
    gone = frozenset(offsets)
    if not gone:
        return
    offset, stop = max(min(gone), partition.begin), max(gone)
    while batches := step_from(database, partition, offset, 1 << 62):
        with database.overwriting():
            for batch in batches:
                items = unpack(batch[2])
                kept = [item for item in items if item[0] not in gone]
                if len(kept) < len(items):
                    replace_batches(database, partition, [batch], kept)
        offset = batches[-1][0] + 1
        if offset > stop:
            return
        yield


def delete_before(database: Database, partition: Partition, offset: int) -> Iterator[None]:
    """Makes the partition begin at `offset`, or at its end when that is earlier; what was before it
    is gone. Yields between steps.
    """
    offset = min(offset, partition.end)
    if offset <= partition.begin:
        return
    with database.transaction() as connection:
        connection.execute(
            "UPDATE partitions SET begin_offset = ? WHERE id = ?", (offset, partition.id)
        )
    partition.begin = offset
    at = 0
    while batches := step_from(database, partition, at, offset):
        with database.overwriting(), database.transaction() as connection:
            delete_batches(connection, partition.id, [batch[:2] for batch in batches])
        at = batches[-1][0] + 1
        yield
    # one blob may hold records on both sides
    yield from _first_blob(database, partition)


def _first_blob(database: Database, partition: Partition) -> Iterator[None]:
    for batch in step_from(database, partition, partition.begin, 1 << 62)[:1]:
        items = unpack(batch[2])
        kept = [item for item in items if item[0] >= partition.begin]
        if len(kept) < len(items):
            with database.overwriting():
                replace_batches(database, partition, [batch], kept)
            yield
