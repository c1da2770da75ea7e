"""Compaction by key: of the records with one key the last stays, at its offset, gaps stay gaps.

A pass first remembers the last offset of each key in what was appended since the pass before,
then rewrites the partition from its beginning. It works in steps, between which appends and
reads are served. A kill between steps leaves a correct partition that is partly compacted.
"""

from collections.abc import Iterator

from connectors.streams.base import Item
from connectors.streams.embedded.appends import insert_blob
from connectors.streams.embedded.catalog import Partition
from connectors.streams.embedded.database import Database, delete_batches
from connectors.streams.embedded.records import columns_of_items, cuts, unpack

# A step: some 20 ms in which no append is served.
STEP_BYTES = 4 << 20
STEP_BLOBS = 2048
# Keys remembered in one pass, at most 100 MB of memory; what is beyond waits for the next pass.
MAX_KEYS = 500_000
# How long a tombstone stays, as in Kafka: who lags less than this sees every removal.
TOMBSTONE_MS = 24 * 3600 * 1000

# (last offset, blob id, data) of one batch
Batch = tuple[int, int, bytes]


def compaction_due(database: Database, partition: Partition, from_bytes: int) -> bool:
    """Whether half of the partition, and at least `from_bytes`, has never been compacted."""
    if not partition.topic.compact:
        return False
    with database.errors():
        dirty, total = database.connection.execute(
            "SELECT coalesce(sum(size) FILTER (WHERE last_offset >= ?), 0), coalesce(sum(size), 0)"
            " FROM batches WHERE part = ? AND last_offset < ?",
            (partition.clean, partition.id, _last_batch(database, partition)),
        ).fetchone()
    return bool(dirty > 0 and dirty >= from_bytes and dirty * 2 >= total)


def compact(database: Database, partition: Partition, now_ms: int) -> Iterator[None]:
    """One pass over all but the last batch of the partition; yields between steps."""
    # Step 1: the last offset of each key in what is new
    latest: dict[bytes | None, int] = {}
    stop = _last_batch(database, partition)
    offset = partition.clean
    while len(latest) < MAX_KEYS and (batches := step_from(database, partition, offset, stop)):
        for _, _, data in batches:
            latest.update((item[2], item[0]) for item in unpack(data))
        offset = batches[-1][0] + 1
        yield
    stop = offset
    # Step 2: from the beginning, drop what one of these keys has superseded
    horizon_ms = now_ms - TOMBSTONE_MS
    offset = partition.begin
    while batches := step_from(database, partition, offset, stop):
        items = [item for _, _, data in batches for item in unpack(data)]
        kept = [
            item
            for item in items
            if latest.get(item[2], -1) <= item[0] and (item[3] is not None or item[1] >= horizon_ms)
        ]
        # merged too when that halves the blobs at least: many small appends make slow reads
        if len(kept) < len(items) or _blobs(kept) * 2 <= len(batches):
            replace_batches(database, partition, batches, kept)
        offset = batches[-1][0] + 1
        yield
    # Step 3: remember how far this pass has looked
    with database.transaction() as connection:
        connection.execute(
            "UPDATE partitions SET clean_offset = ? WHERE id = ?", (stop, partition.id)
        )
    partition.clean = stop


def _last_batch(database: Database, partition: Partition) -> int:
    """The last batch stays as it is, so that a partition never ends in a gap."""
    with database.errors():
        row = database.connection.execute(
            "SELECT coalesce(max(last_offset), 0) FROM batches WHERE part = ?", (partition.id,)
        ).fetchone()
    last_offset: int = row[0]
    return last_offset


def step_from(database: Database, partition: Partition, offset: int, stop: int) -> list[Batch]:
    """The batches from `offset` to before `stop`, as many as one step takes."""
    batches: list[Batch] = []
    size = 0
    with database.errors():
        cursor = database.connection.execute(
            "SELECT last_offset, blob, data FROM batches JOIN blobs ON blobs.id = batches.blob"
            " WHERE part = ? AND last_offset >= ? AND last_offset < ? ORDER BY last_offset LIMIT ?",
            (partition.id, offset, stop, STEP_BLOBS),
        )
        for batch in cursor:
            batches.append(batch)
            size += len(batch[2])
            if size >= STEP_BYTES:
                break
        cursor.close()
    return batches


def _blobs(items: list[Item]) -> int:
    return len(list(cuts(columns_of_items(items)[1].sizes))) if items else 0


def replace_batches(
    database: Database, partition: Partition, batches: list[Batch], kept: list[Item]
) -> None:
    """Puts what is kept of the batches in their place; offsets stay, gaps stay gaps."""
    with database.transaction() as connection:
        delete_batches(connection, partition.id, [batch[:2] for batch in batches])
        if kept:
            offsets, columns = columns_of_items(kept)
            for start, stop in cuts(columns.sizes):
                insert_blob(
                    connection, partition.id, offsets[start:stop], columns.part(start, stop)
                )
